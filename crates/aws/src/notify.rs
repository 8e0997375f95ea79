//! What telling people needs of AWS: SNS, SES, and secrets that lie in Parameter Store or Secrets Manager. All with
//! muster's own credentials, in the region that a topic's or a secret's ARN names, or the first watched one.

use fleet::id::Arn;
use serde_json::{Value, json};
use wire::query::Params;

use crate::{cloud::AwsCloud, refusal::Refusal, signed::Signed};

pub(crate) const PUBLISH: &str = "sns:Publish";
pub(crate) const SEND_EMAIL: &str = "ses:SendEmail";
pub(crate) const GET_PARAMETER: &str = "ssm:GetParameter";
pub(crate) const GET_SECRET: &str = "secretsmanager:GetSecretValue";

/// A message that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTold {
    /// What was tried, what AWS said, and what to do next.
    pub why: String,
    /// Another try may succeed.
    pub again: bool,
}

impl NotTold {
    fn of(refusal: &Refusal, action: &str, thing: &str) -> Self {
        // Credentials are renewed by whoever lends them, minutes after they have run out at the latest.
        let stale = matches!(refusal, Refusal::Credentials(_)) || refusal.says_expired();
        let again = stale || refusal.is_throttle() || refusal.is_transient();
        Self { why: refusal.sentence(action, thing), again }
    }
}

/// An e-mail in plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// A verified sender.
    pub from: String,
    /// Recipients, at most 50.
    pub to: Vec<String>,
    /// Subject, one line.
    pub subject: String,
    /// Text.
    pub text: String,
    /// Further headers, at most 15.
    pub headers: Vec<(String, String)>,
}

impl AwsCloud {
    /// A client of a service in a region, or in the first watched one.
    fn teller(&self, region: Option<&str>, service: &'static str, id: &'static str) -> Result<Signed, NotTold> {
        let own = || self.base().region().map(ToString::to_string);
        let region = region.map(str::to_owned).or_else(own).unwrap_or_default();
        Signed::new(self.settings(), self.base(), &region, service, id)
            .map_err(|error| NotTold { why: error.to_string(), again: false })
    }

    /// Publishes to a topic. `attributes` are names and texts that subscriptions can filter by; empty texts are left out.
    /// `group` and `dedup` are for FIFO topics: one incident stays in order and is not repeated.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub async fn publish(
        &self,
        topic: &str,
        subject: &str,
        message: &str,
        attributes: &[(&str, &str)],
        group: &str,
        dedup: &str,
    ) -> Result<(), NotTold> {
        let sns = self.teller(region_of(topic), "sns", "SNS")?;
        let mut params = Params::new("Publish", "2010-03-31");
        params.push("TopicArn", topic);
        params.push("Subject", subject);
        params.push("Message", message);
        for (index, (name, text)) in attributes.iter().filter(|(_, text)| !text.is_empty()).enumerate() {
            let entry = format!("MessageAttributes.entry.{}", index + 1);
            params.push(format!("{entry}.Name"), *name);
            params.push(format!("{entry}.Value.DataType"), "String");
            params.push(format!("{entry}.Value.StringValue"), *text);
        }
        if topic.ends_with(".fifo") {
            let plain = |text: &str| -> String {
                let allowed = |letter: &char| letter.is_ascii_alphanumeric() || "-_.:/".contains(*letter);
                text.chars().filter(allowed).take(128).collect()
            };
            params.push("MessageGroupId", plain(group));
            params.push("MessageDeduplicationId", plain(dedup));
        }
        sns.query(&params).await.map(drop).map_err(|refusal| NotTold::of(&refusal, PUBLISH, topic))
    }

    /// Sends an e-mail through SES (v2) of a region, or of the first watched one.
    ///
    /// # Errors
    /// When SES did not take it.
    pub async fn send_email(&self, region: Option<&str>, mail: &Mail) -> Result<(), NotTold> {
        let ses = self.teller(region, "ses", "SESv2")?;
        let data = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
        let headers = mail.headers.iter().map(|(name, value)| json!({ "Name": name, "Value": value }));
        let body = json!({
            "FromEmailAddress": mail.from,
            "Destination": { "ToAddresses": mail.to },
            "Content": { "Simple": {
                "Subject": data(&mail.subject),
                "Body": { "Text": data(&mail.text) },
                "Headers": headers.collect::<Vec<_>>(),
            } },
        });
        let sent = ses.rest("/v2/email/outbound-emails", &body).await;
        sent.map(drop).map_err(|refusal| NotTold::of(&refusal, SEND_EMAIL, &mail.from))
    }

    /// A parameter of Parameter Store, decrypted.
    ///
    /// # Errors
    /// One sentence without the value.
    pub async fn parameter(&self, name: &str) -> Result<String, String> {
        let ssm = self.teller(region_of(name), "ssm", "SSM").map_err(|error| error.why)?;
        let target = wire::json::target("AmazonSSM", "GetParameter");
        let answer = ssm.json(&target, &json!({ "Name": name, "WithDecryption": true })).await;
        let answer = answer.map_err(|refusal| refusal.sentence(GET_PARAMETER, name))?;
        let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("{GET_PARAMETER} answered without a value"))
    }

    /// A secret of Secrets Manager, as text.
    ///
    /// # Errors
    /// One sentence without the value.
    pub async fn secret(&self, id: &str) -> Result<String, String> {
        let manager = self.teller(region_of(id), "secretsmanager", "SECRETS_MANAGER").map_err(|error| error.why)?;
        let target = wire::json::target("secretsmanager", "GetSecretValue");
        let answer = manager.json(&target, &json!({ "SecretId": id })).await;
        let answer = answer.map_err(|refusal| refusal.sentence(GET_SECRET, id))?;
        let value = answer.get("SecretString").and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("{id} holds no text; store the secret as SecretString"))
    }
}

/// The region that an ARN names.
fn region_of(arn: &str) -> Option<&str> {
    Arn::parse(arn).map(|arn| arn.region).filter(|region| !region.is_empty())
}
