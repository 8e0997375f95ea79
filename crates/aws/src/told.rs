//! What ECS says of services, task definitions and single tasks, whole and as it says it: what is asked of them is asked
//! when somebody wants to know, and read by whoever asks. Plain JSON, because placement reads the same JSON from files.

use engine::ports::FailureKind;
use serde_json::{Value, json};

use crate::{accounts::Place, cloud::AwsCloud, ecs::DESCRIBE_TASKS, pace::Bucket, refusal::Refusal};

pub(crate) const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";
pub(crate) const DESCRIBE_DEFINITION: &str = "ecs:DescribeTaskDefinition";

/// Name of the protocol's target (spec 0).
const TARGET: &str = "AmazonEC2ContainerServiceV20141113";
/// Services that one DescribeServices takes (spec C.3).
const SERVICES_PER_CALL: usize = 10;

/// Something could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRead {
    /// The kind of failure.
    pub kind: FailureKind,
    /// One sentence: what was tried, on what, and what to do next.
    pub why: String,
}

impl NotRead {
    pub(crate) fn of(refusal: &Refusal, action: &str, thing: &str) -> Self {
        Self { kind: refusal.kind(), why: refusal.sentence(action, thing) }
    }
}

impl AwsCloud {
    /// The services of a cluster (ARN) by name or ARN, as DescribeServices describes them, events and all. Those that do
    /// not exist are left out.
    ///
    /// # Errors
    /// When ECS did not answer.
    pub async fn services(&self, cluster: &str, names: &[String]) -> Result<Vec<Value>, NotRead> {
        let place = self.place_for(cluster)?;
        let mut found = Vec::new();
        for names in names.chunks(SERVICES_PER_CALL) {
            let body = json!({ "cluster": cluster, "services": names });
            match place.told(Bucket::ServiceRead, DESCRIBE_SERVICES, &body).await {
                Ok(mut answer) => match answer["services"].take() {
                    Value::Array(services) => found.extend(services),
                    _ => return Err(nothing(DESCRIBE_SERVICES, cluster, "services")),
                },
                Err(refusal) => return Err(NotRead::of(&refusal, DESCRIBE_SERVICES, cluster)),
            }
        }
        found.retain(|service| service["status"] != "INACTIVE");
        Ok(found)
    }

    /// A task definition by family, family and revision, or ARN, as DescribeTaskDefinition describes it, in the account
    /// and region of a cluster (ARN). `None`: there is none.
    ///
    /// # Errors
    /// When ECS did not answer.
    pub async fn task_definition(&self, cluster: &str, name: &str) -> Result<Option<Value>, NotRead> {
        let place = self.place_for(cluster)?;
        let body = json!({ "taskDefinition": name });
        match place.told(Bucket::TaskDefinitionRead, DESCRIBE_DEFINITION, &body).await {
            Ok(mut answer) => match answer["taskDefinition"].take() {
                definition @ Value::Object(_) => Ok(Some(definition)),
                _ => Err(nothing(DESCRIBE_DEFINITION, name, "task definition")),
            },
            // ECS has no code of its own for a definition that does not exist (spec C.3).
            Err(refusal) if refusal.code() == Some("ClientException") && refusal.says("unable to describe") => Ok(None),
            Err(refusal) => Err(NotRead::of(&refusal, DESCRIBE_DEFINITION, name)),
        }
    }

    /// A task of a cluster (ARN) by its id or ARN, as DescribeTasks describes it, reasons and all. `None`: ECS does not
    /// know it (any more).
    ///
    /// # Errors
    /// When ECS did not answer.
    pub async fn task(&self, cluster: &str, id: &str) -> Result<Option<Value>, NotRead> {
        let place = self.place_for(cluster)?;
        let body = json!({ "cluster": cluster, "tasks": [id] });
        let answer = place.told(Bucket::ClusterResourceRead, DESCRIBE_TASKS, &body).await;
        let answer = answer.map_err(|refusal| NotRead::of(&refusal, DESCRIBE_TASKS, id))?;
        match answer["tasks"].as_array() {
            Some(tasks) => Ok(tasks.first().cloned()),
            None => Err(nothing(DESCRIBE_TASKS, id, "tasks")),
        }
    }

    pub(crate) fn place_for(&self, cluster: &str) -> Result<&Place, NotRead> {
        self.place_of_arn(cluster).map(AsRef::as_ref).ok_or_else(|| NotRead {
            kind: FailureKind::Failed,
            why: format!("{cluster} is in no account and region that muster watches; add it to the configuration"),
        })
    }
}

/// An answer without what it is for is somebody else's.
fn nothing(action: &str, thing: &str, what: &str) -> NotRead {
    let refusal = Refusal::Nonsense { status: 200, looks_like: format!("no {what}") };
    NotRead::of(&refusal, action, thing)
}

impl Place {
    /// One call of ECS, answered in its own JSON.
    pub(crate) async fn told(&self, bucket: Bucket, action: &'static str, body: &Value) -> Result<Value, Refusal> {
        let operation = action.rsplit(':').next().unwrap_or(action);
        let target = wire::json::target(TARGET, operation);
        self.caller.call(bucket, action, || self.ecs_json.json(&target, body)).await
    }
}
