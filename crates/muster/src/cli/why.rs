//! `muster why`: why tasks are not placed, and the smallest change after which they are.

use std::path::PathBuf;

use clap::Args;
use engine::journal::JournalReader;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    asked::{self, Asked, Question},
    chosen::Chosen,
    login::Login,
    options::Global,
    output::{Exit, Failure, Output},
    room::Room,
    server,
};
use crate::{
    http::placement_failures::Heard,
    placement_failures::{self, PlacementFailure},
    render::{
        Format,
        fit::{ChangeLine, HostLine},
        why::{self, Counts, Event, Said, TaskTold, Why},
    },
};

/// Of a service's events, so many are shown, the newest first.
const EVENTS_SHOWN: usize = 3;

/// `muster why`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster why api --cluster prod-a\n  \
    muster why arn:aws:ecs:eu-central-1:210987654321:service/prod-a/api\n  \
    muster why 0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c --cluster prod-a      (a task)\n  \
    muster why api --cluster prod-a --server http://127.0.0.1:8464      (with what a running muster has heard)\n  \
    muster why api --cluster prod-a --instance-type m6i.xlarge --output json | jq '.[].smallest'\n\n\
    Exit codes: 0 nothing is missing, 1 tasks are not placed, 2 could not look.\n\
    Needs what `muster fit` does.")]
pub struct WhyArgs {
    /// Service by name or ARN, or task by id or ARN.
    #[arg(value_name = "SERVICE|TASK")]
    what: String,
    /// Instance type to think of besides those of the cluster; may be repeated.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    instance_type: Vec<String>,
    /// Address of a running `muster serve`: what it heard of placement failures by EventBridge is joined to the answer.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir", help_heading = "Server")]
    server: Option<String>,
    /// Data directory of a `muster serve`, which has heard the same; only read.
    #[arg(long, value_name = "DIR", help_heading = "Server")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    chosen: Chosen,
    /// How the answer is written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl WhyArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        super::runtime()?.block_on(async {
            let mut room = Room::look(global, &asked::choose(&self.chosen, &self.what)).await?;
            let whole = room.complain(out);
            if room.clusters().is_empty() {
                return Ok(Exit::CouldNotLook);
            }
            let answers = match is_task(&self.what) {
                true => vec![self.task(&mut room).await?],
                false => self.services(&mut room, &self.what).await?,
            };
            why::write(out.answer(), &answers, self.output)?;
            Ok(match (whole, answers.iter().all(Why::is_well)) {
                (false, _) => Exit::CouldNotLook,
                (true, true) => Exit::DONE,
                (true, false) => Exit::SomeoneMissing,
            })
        })
    }

    fn question(&self, name: &str, service_only: bool) -> Question {
        Question {
            name: name.to_owned(),
            instance_types: self.instance_type.clone(),
            service_only,
            ..Question::default()
        }
    }

    async fn services(&self, room: &mut Room, name: &str) -> Result<Vec<Why>, Failure> {
        let found = asked::find(room, &self.question(name, true)).await?;
        let mut answers = Vec::new();
        for asked in &found {
            let heard = self.heard(asked).await?;
            answers.push(of_service(room, asked, heard));
        }
        Ok(answers)
    }

    /// What a muster that hears the events of EventBridge knows of placement failures of this service.
    async fn heard(&self, asked: &Asked) -> Result<Vec<PlacementFailure>, Failure> {
        let arn = asked.service.as_ref().and_then(|service| service["serviceArn"].as_str());
        let service = arn.unwrap_or(&asked.subject.name);
        if let Some(dir) = &self.data_dir {
            return Ok(placement_failures::read(&JournalReader::open(dir)?, Some(&asked.cluster), service)?);
        }
        let Some(server) = &self.server else { return Ok(Vec::new()) };
        let encoded =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path = format!("/v1/placement-failures?service={}&cluster={}", encoded(service), encoded(&asked.cluster));
        let heard: Heard = server::get(server, &self.login, &path).await?;
        Ok(heard.failures)
    }

    /// A task is explained by itself, and by its service where it has one.
    async fn task(&self, room: &mut Room) -> Result<Why, Failure> {
        let id = self.what.rsplit('/').next().unwrap_or(&self.what).to_owned();
        let mut found = None;
        for cluster in room.clusters() {
            if let Some(task) = room.cloud.task(&cluster, &id).await? {
                found = Some((cluster, task));
                break;
            }
        }
        let Some((cluster, task)) = found else {
            let why = format!("ECS does not know the task {id} (any more): it forgets them an hour after they stop");
            return Err(Failure::because(why));
        };
        let told = TaskTold::of(&task);
        let well = told.last_status == "RUNNING" && told.desired_status == "RUNNING";
        let service = told.group.strip_prefix("service:").map(str::to_owned);
        if let Some(service) = service {
            let mut services = self.services(room, &service).await?;
            services.retain(|why| why.cluster == cluster);
            if let Some(mut why) = services.pop() {
                why.task = Some(told);
                return Ok(why);
            }
        }
        let definition = task["taskDefinitionArn"].as_str().unwrap_or_default();
        let mut asked = asked::find(room, &self.question(definition, false)).await?;
        asked.retain(|asked| asked.cluster == cluster);
        let Some(mut asked) = asked.pop() else {
            return Err(Failure::because(format!("there is no task definition {definition} any more")));
        };
        asked.caveats.push("constraints that the task was started with are not known to ECS any more".to_owned());
        asked.placement.group = Some(told.group.clone()).filter(|group| !group.is_empty());
        if task["launchType"] == "EXTERNAL" {
            asked.placement.launch_type = fleet::capacity::placement::LaunchType::External;
        }
        let wanted = u64::from(!well);
        let mut why = explained(room, &asked, wanted, None);
        if well {
            why.summary = format!("the task runs; {}", why.summary);
        }
        why.task = Some(told);
        Ok(why)
    }
}

/// ARNs of tasks, and ids as ECS makes them: 32 hexadecimal digits, or a UUID of the old format.
fn is_task(name: &str) -> bool {
    let id = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    name.contains(":task/") || (matches!(name.len(), 32 | 36) && id(name))
}

fn of_service(room: &Room, asked: &Asked, heard: Vec<PlacementFailure>) -> Why {
    let Some(service) = &asked.service else { return explained(room, asked, 0, None) };
    let counts = Counts::of(service);
    let events = events(service);
    // What was said before the service was steady again is over.
    let said = events
        .iter()
        .take_while(|event| counts.missing > 0 || !event.message.contains("has reached a steady state"))
        .find_map(|event| Some((reason(&event.message)?.to_owned(), event.at)));
    // EventBridge says the reason itself, and again and again; the service's own events leave repetitions out.
    let steady = events.iter().filter(|event| event.message.contains("has reached a steady state"));
    let steady_at = steady.filter_map(|event| event.at).max();
    let told = heard.iter().find(|it| !it.reason.is_empty() && steady_at.is_none_or(|at| it.at > at));
    let said = match (said, told) {
        (Some((_, Some(at))), Some(told)) if told.at > at => Some((told.reason.clone(), Some(told.at))),
        (None, Some(told)) => Some((told.reason.clone(), Some(told.at))),
        (said, _) => said,
    };
    let mut why = explained(room, asked, counts.missing, said.filter(|_| counts.missing > 0));
    if counts.missing == 0 {
        why.summary = format!(
            "{} of {} tasks of {} are placed: nothing is missing",
            counts.placed(),
            counts.desired,
            asked.subject.name
        );
    } else if why.fit >= counts.missing {
        why.summary = format!(
            "{} of {} tasks of {} are missing, and there is room for them: what keeps them is not placement",
            counts.missing, counts.desired, asked.subject.name
        );
    }
    why.heard = heard;
    why.service = Some(counts);
    why.events = events.into_iter().take(EVENTS_SHOWN).collect();
    why
}

/// What the twin says of so many missing copies.
fn explained(room: &Room, asked: &Asked, missing: u64, said: Option<(String, Option<Timestamp>)>) -> Why {
    let (fleet, at) = (room.fleet(), room.at());
    let reason = said.as_ref().map(|(reason, _)| reason.as_str());
    let told = fleet.explain(&asked.cluster, &asked.shape, &asked.placement, missing, reason, at);
    let (providers, caveats) = asked::shared_out(room, asked);
    let changes: Vec<ChangeLine> = told.changes.into_iter().map(Into::into).collect();
    Why {
        cluster: asked.cluster.clone(),
        at,
        asked: asked.subject.clone(),
        service: None,
        task: None,
        summary: told.summary,
        missing,
        fit: told.fit,
        sure: told.sure,
        aws: told.aws.map(|aws| Said { reason: aws.reason, sentence: aws.sentence, at: said.and_then(|(_, at)| at) }),
        events: Vec::new(),
        heard: Vec::new(),
        hosts: HostLine::of(told.hosts, &fleet.headroom_view(&asked.cluster, true, at)),
        smallest: changes.first().cloned(),
        changes,
        providers,
        caveats,
    }
}

fn events(service: &Value) -> Vec<Event> {
    let list = service["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut events: Vec<Event> = list
        .iter()
        .filter_map(|event| {
            let at = event["createdAt"].as_f64().and_then(|secs| Timestamp::from_millisecond((secs * 1e3) as i64).ok());
            Some(Event { at, message: event["message"].as_str()?.to_owned() })
        })
        .collect();
    // Newest first, as ECS lists them; an imitation may not.
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

/// The reason of a placement failure, from the words of a service event (aws-semantics A.8): what EventBridge's
/// SERVICE_TASK_PLACEMENT_FAILURE calls it.
fn reason(message: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 14] = [
        ("\"RESOURCE:ENI\"", "RESOURCE:ENI"),
        ("\"RESOURCE:GPU\"", "RESOURCE:GPU"),
        ("\"AGENT\"", "AGENT"),
        ("have the agent connected", "AGENT"),
        ("insufficient CPU", "RESOURCE:CPU"),
        ("insufficient memory", "RESOURCE:MEMORY"),
        ("already using a port", "RESOURCE:PORTS"),
        ("missing an attribute", "ATTRIBUTE"),
        ("\"MemberOf placement constraint unsatisfied", "MemberOf placement constraint unsatisfied"),
        ("\"DistinctInstance placement constraint unsatisfied", "DistinctInstance placement constraint unsatisfied"),
        ("\"LOCATION\"", "LOCATION"),
        ("found in your cluster", "NO ACTIVE INSTANCES"),
        ("found in your capacity provider", "EMPTY CAPACITY PROVIDER"),
        ("\"ATTRIBUTE\"", "ATTRIBUTE"),
    ];
    message.contains("unable to").then_some(())?;
    WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_told_from_a_service_by_its_id() {
        assert!(is_task("0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c") && is_task("arn:aws:ecs:eu-central-1:2109:task/prod/x"));
        assert!(is_task("b2b28c5f-1e1c-4c3a-a6a7-5a3a0a3f9a11"));
        assert!(!is_task("api") && !is_task("0f3a") && !is_task(&"z".repeat(32)));
    }

    #[test]
    fn the_reason_is_read_from_the_words_of_the_event() {
        let closest = "(service api) was unable to place a task because no container instance met all of its requirements. \
                       The closest matching (container-instance 0f3a) ";
        for (words, expected) in [
            ("encountered error \"RESOURCE:ENI\"", Some("RESOURCE:ENI")),
            ("has insufficient CPU units available", Some("RESOURCE:CPU")),
            ("has insufficient memory available", Some("RESOURCE:MEMORY")),
            ("is already using a port required by your task", Some("RESOURCE:PORTS")),
            ("is missing an attribute required by your task", Some("ATTRIBUTE")),
            ("doesn't have the agent connected", Some("AGENT")),
            ("encountered something new", None),
        ] {
            assert_eq!(reason(&format!("{closest}{words}.")), expected, "{words}");
        }
        let none = "(service api) was unable to place a task because no container instance met all of its requirements. \
                    Reason: No Container Instances were found in your cluster.";
        assert_eq!(reason(none), Some("NO ACTIVE INSTANCES"));
        assert_eq!(reason("(service api) has reached a steady state."), None);
    }
}
