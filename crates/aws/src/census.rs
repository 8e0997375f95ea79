//! What records of Container Insights need beside what events and sweeps tell: how many tasks services want and have, and what
//! tasks have reserved.

use serde_json::{Value, json};

use crate::{
    cloud::AwsCloud,
    ecs::{DESCRIBE_CLUSTERS, DESCRIBE_TASKS, PER_CALL},
    pace::Bucket,
    pages::Pages,
    refusal::Refusal,
    rooms::LIST_SERVICES,
    told::NotRead,
};

/// Services on one page of ListServices.
const SERVICES_PER_PAGE: u32 = 100;

impl AwsCloud {
    /// All services of a cluster (ARN), as DescribeServices describes them.
    ///
    /// # Errors
    /// When ECS did not answer.
    pub async fn services_of(&self, cluster: &str) -> Result<Vec<Value>, NotRead> {
        let place = self.place_for(cluster)?;
        let (mut arns, mut pages) = (Vec::new(), Pages::default());
        loop {
            let mut body = json!({ "cluster": cluster, "maxResults": SERVICES_PER_PAGE });
            if let Some(token) = pages.token() {
                body["nextToken"] = token.into();
            }
            let failed = |refusal: Refusal| NotRead::of(&refusal, LIST_SERVICES, cluster);
            let answer = place.told(Bucket::ServiceRead, LIST_SERVICES, &body).await.map_err(failed)?;
            let Some(page) = answer["serviceArns"].as_array() else {
                return Err(failed(Refusal::Nonsense { status: 200, looks_like: "no services".to_owned() }));
            };
            arns.extend(page.iter().filter_map(|arn| arn.as_str().map(str::to_owned)));
            let next = answer["nextToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
            if !pages.go_on(next).map_err(failed)? {
                break;
            }
        }
        self.services(cluster, &arns).await
    }

    /// How many tasks run in a cluster (ARN), on Fargate too.
    ///
    /// # Errors
    /// When ECS did not answer, or does not know the cluster.
    pub async fn running_tasks(&self, cluster: &str) -> Result<u64, NotRead> {
        let place = self.place_for(cluster)?;
        let body = json!({ "clusters": [cluster] });
        let answer = place.told(Bucket::ClusterRead, DESCRIBE_CLUSTERS, &body).await;
        let answer = answer.map_err(|refusal| NotRead::of(&refusal, DESCRIBE_CLUSTERS, cluster))?;
        answer["clusters"][0]["runningTasksCount"].as_u64().ok_or_else(|| {
            let refusal = Refusal::Nonsense { status: 200, looks_like: "no count of tasks".to_owned() };
            NotRead::of(&refusal, DESCRIBE_CLUSTERS, cluster)
        })
    }

    /// Tasks of a cluster (ARN) by their ARNs, as DescribeTasks describes them. Those that ECS does not know are left out.
    ///
    /// # Errors
    /// When ECS did not answer; what it had answered before that is lost.
    pub async fn tasks_of(&self, cluster: &str, arns: &[String]) -> Result<Vec<Value>, NotRead> {
        let place = self.place_for(cluster)?;
        let mut found = Vec::new();
        for chunk in arns.chunks(PER_CALL) {
            let body = json!({ "cluster": cluster, "tasks": chunk });
            let answer = place.told(Bucket::ClusterResourceRead, DESCRIBE_TASKS, &body).await;
            let mut answer = answer.map_err(|refusal| NotRead::of(&refusal, DESCRIBE_TASKS, cluster))?;
            match answer["tasks"].take() {
                Value::Array(tasks) => found.extend(tasks),
                _ => {
                    let refusal = Refusal::Nonsense { status: 200, looks_like: "no tasks".to_owned() };
                    return Err(NotRead::of(&refusal, DESCRIBE_TASKS, cluster));
                }
            }
        }
        Ok(found)
    }
}
