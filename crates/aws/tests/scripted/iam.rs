//! As much of IAM as the shipped policies use: what a request is called there, on what and under which conditions, and
//! whether a policy allows it. Everything that no statement allows is denied.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::Asked;

/// What every resource of the pretend account carries, as far as conditions ask.
pub type Context = BTreeMap<&'static str, String>;

/// One request in IAM's words.
#[derive(Clone, Debug)]
pub struct Request {
    pub action: String,
    /// All have to be allowed.
    pub resources: Vec<String>,
    pub context: Context,
}

/// A policy of `deploy/iam`.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Value>);

impl Policy {
    pub fn shipped(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/iam/{name}.json"));
        let text = std::fs::read_to_string(path).unwrap();
        let mut policy: Value = serde_json::from_str(&text).unwrap();
        let Value::Array(statements) = policy["Statement"].take() else { panic!("{name}: no statements") };
        assert!(statements.iter().all(|it| it["Effect"] == "Allow"), "{name}: a denial is not understood here");
        Self(statements)
    }

    pub fn actions(&self) -> Vec<String> {
        self.0.iter().flat_map(|it| texts(&it["Action"])).collect()
    }

    pub fn allows(&self, request: &Request) -> bool {
        request.resources.iter().all(|resource| {
            self.0.iter().any(|statement| {
                texts(&statement["Action"]).contains(&request.action)
                    && texts(&statement["Resource"]).iter().any(|pattern| fits(pattern, resource))
                    && holds(&statement["Condition"], &request.context)
            })
        })
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        other => panic!("{other} is no text"),
    }
}

/// `*` is any text and `?` any character.
fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern_chars, mut text_chars) = (pattern.chars(), text.chars());
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('*') => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| fits(pattern_chars.as_str(), &text[at..])),
        Some('?') => text_chars.next().is_some() && fits(pattern_chars.as_str(), text_chars.as_str()),
        Some(letter) => text_chars.next() == Some(letter) && fits(pattern_chars.as_str(), text_chars.as_str()),
    }
}

fn holds(condition: &Value, context: &Context) -> bool {
    let Some(operators) = condition.as_object() else { return true };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, wanted)| {
            let Some(found) = context.get(key.as_str()) else { return false };
            texts(wanted).iter().any(|wanted| match operator.as_str() {
                "StringEquals" => wanted == found,
                "StringLike" | "ArnLike" => fits(wanted, found),
                other => panic!("the condition {other} is not understood here"),
            })
        })
    })
}

/// A request in IAM's words: what it is about stands in its body. `managed`: the machines and groups carry the tag
/// `muster:managed = true`.
pub fn request(asked: &Asked, account: &str, managed: bool) -> Request {
    let mut scope = asked.signed.split('/').skip(2);
    let (region, service) = (scope.next().unwrap().to_owned(), scope.next().unwrap().to_owned());
    let of = |service: &str, rest: String| format!("arn:aws:{service}:{region}:{account}:{rest}");
    let operation = asked.operation.as_str();
    let operation = match operation {
        "Invoke" => "InvokeFunction",
        "DeleteMessageBatch" => "DeleteMessage",
        "ChangeMessageVisibilityBatch" => "ChangeMessageVisibility",
        other => other,
    };
    let mut context = Context::new();
    let mut tagged = |key: &'static str| {
        if managed {
            context.insert(key, "true".to_owned());
        }
    };
    let resources = match (service.as_str(), operation) {
        ("ecs", "UpdateContainerInstancesState") => {
            context.insert("ecs:cluster", asked.text("cluster"));
            asked.list("containerInstances")
        }
        ("ecs", "DeregisterContainerInstance") => vec![asked.text("cluster")],
        ("autoscaling", _) => {
            tagged("autoscaling:ResourceTag/muster:managed");
            vec![of("autoscaling", "autoScalingGroup:11112222:autoScalingGroupName/prod-workers".to_owned())]
        }
        ("ec2", _) => {
            tagged("ec2:ResourceTag/muster:managed");
            asked.form("InstanceId").iter().map(|id| of("ec2", format!("instance/{id}"))).collect()
        }
        ("ssm", "SendCommand") => {
            tagged("ssm:resourceTag/muster:managed");
            let document = asked.text("DocumentName");
            let owner = if document.starts_with("AWS-") { "" } else { account };
            let machines = asked.list("InstanceIds").into_iter().map(|id| match id.strip_prefix("mi-") {
                Some(_) => of("ssm", format!("managed-instance/{id}")),
                None => of("ec2", format!("instance/{id}")),
            });
            machines.chain([format!("arn:aws:ssm:{region}:{owner}:document/{document}")]).collect()
        }
        ("ssm", "GetParameter") => vec![of("ssm", format!("parameter{}", asked.text("Name")))],
        ("secretsmanager", _) => vec![of("secretsmanager", format!("secret:{}-a1b2c3", asked.text("SecretId")))],
        ("sns", _) => asked.form("TopicArn"),
        ("ses", _) => {
            let from = asked.text("FromEmailAddress");
            let identity = of("ses", format!("identity/{}", from.rsplit('@').next().unwrap()));
            context.insert("ses:FromAddress", from);
            vec![identity]
        }
        ("lambda", _) => {
            let name = asked.path.split('/').nth(3).unwrap();
            vec![of("lambda", format!("function:{name}"))]
        }
        ("dynamodb", _) => vec![of("dynamodb", format!("table/{}", asked.text("TableName")))],
        ("sqs", _) => vec![of("sqs", asked.text("QueueUrl").rsplit('/').next().unwrap().to_owned())],
        ("monitoring", _) => {
            context.insert("cloudwatch:namespace", asked.form("Namespace").concat());
            Vec::new()
        }
        ("sts", "AssumeRole") => asked.form("RoleArn"),
        _ => Vec::new(),
    };
    // What lists and describes everything is about everything.
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    let service = if service == "monitoring" { "cloudwatch" } else { &service };
    Request { action: format!("{service}:{operation}"), resources, context }
}
