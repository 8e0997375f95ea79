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
        Self { why: refusal.sentence(action, thing), again: refusal.is_throttle() || refusal.is_transient() }
    }
}

impl AwsCloud {
    fn teller(&self, arn: &str, service: &'static str, id: &'static str) -> Result<Signed, NotTold> {
        let named = Arn::parse(arn).map(|arn| arn.region.to_owned()).filter(|region| !region.is_empty());
        let own = || self.base().region().map(ToString::to_string);
        let region = named.or_else(own).unwrap_or_default();
        Signed::new(self.settings(), self.base(), &region, service, id)
            .map_err(|error| NotTold { why: error.to_string(), again: false })
    }

    /// Publishes to a topic. `group` and `dedup` are for FIFO topics: one incident stays in order and is not repeated.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub async fn publish(
        &self,
        topic: &str,
        subject: &str,
        message: &str,
        group: &str,
        dedup: &str,
    ) -> Result<(), NotTold> {
        let sns = self.teller(topic, "sns", "SNS")?;
        let mut params = Params::new("Publish", "2010-03-31");
        params.push("TopicArn", topic);
        params.push("Subject", subject);
        params.push("Message", message);
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

    /// Sends an e-mail through SES (v2), as plain text.
    ///
    /// # Errors
    /// When SES did not take it.
    pub async fn send_email(&self, from: &str, to: &[String], subject: &str, text: &str) -> Result<(), NotTold> {
        let ses = self.teller("", "ses", "SESv2")?;
        let data = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
        let body = json!({
            "FromEmailAddress": from,
            "Destination": { "ToAddresses": to },
            "Content": { "Simple": { "Subject": data(subject), "Body": { "Text": data(text) } } },
        });
        let sent = ses.rest("/v2/email/outbound-emails", &body).await;
        sent.map(drop).map_err(|refusal| NotTold::of(&refusal, SEND_EMAIL, from))
    }

    /// A parameter of Parameter Store, decrypted.
    ///
    /// # Errors
    /// One sentence without the value.
    pub async fn parameter(&self, name: &str) -> Result<String, String> {
        let ssm = self.teller(name, "ssm", "SSM").map_err(|error| error.why)?;
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
        let manager = self.teller(id, "secretsmanager", "SECRETS_MANAGER").map_err(|error| error.why)?;
        let target = wire::json::target("secretsmanager", "GetSecretValue");
        let answer = manager.json(&target, &json!({ "SecretId": id })).await;
        let answer = answer.map_err(|refusal| refusal.sentence(GET_SECRET, id))?;
        let value = answer.get("SecretString").and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| format!("{id} holds no text; store the secret as SecretString"))
    }
}
