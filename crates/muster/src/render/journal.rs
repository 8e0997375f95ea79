//! Journal entries, one line each for people.

use fleet::{
    charge::Charge,
    input::{Input, Sweep},
    journal::{Body, Entry, Record},
    notice::page::DeliveryResult,
    observation::{Fact, Observation},
    operator::{Answered, Asked, Request},
    remedy::{
        Decision,
        act::{Act, ActResult, Intent, Outcome},
    },
    verdict::Verdict,
};
use owo_colors::{OwoColorize as _, Style};

use super::{colour, escape, moment, roll_call::word};

/// One entry as one line (a case that opens or is decided brings its reasons on lines of their own).
pub fn line(entry: &Entry<'_>) -> String {
    let (text, style) = body(&entry.body);
    let time = entry.at.to_string();
    let time = time.get(..19).unwrap_or(&time);
    format!("{:>7}  {time}Z  {}", entry.seq.style(colour::quiet()), text.style(style))
}

/// What an entry says, and how loud.
pub fn body(body: &Body<'_>) -> (String, Style) {
    let (text, style) = match body {
        Body::Input(Input::Observed(observation)) => (observed(observation), colour::quiet()),
        Body::Input(Input::Swept(sweep)) => (swept(sweep), colour::quiet()),
        Body::Input(Input::LookFailed(failure)) => {
            (format!("could not look ({}): {}", word(&failure.kind), failure.message), colour::alarm())
        }
        Body::Input(Input::Ticked) => ("time passed".to_owned(), colour::quiet()),
        Body::Input(Input::Acted(outcome)) => (acted(outcome), colour::remedy()),
        Body::Input(Input::Asked(asked)) => (self::asked(asked), colour::heading()),
        Body::Input(Input::Told(delivery)) => match &delivery.result {
            DeliveryResult::Delivered => (format!("page {} was delivered", delivery.page), colour::quiet()),
            DeliveryResult::GivenUp { why } => {
                (format!("page {} was not delivered: {why}", delivery.page), colour::alarm())
            }
        },
        Body::Input(Input::Leading(charge)) => {
            let text = match charge {
                Charge::Alone => "there is no lease: this muster is alone".to_owned(),
                Charge::Ours { epoch } => format!("the lease is ours, epoch {epoch}"),
                Charge::Anothers => "another muster holds the lease".to_owned(),
            };
            (text, colour::heading())
        }
        Body::Record(record) => return self::record(record),
        Body::Started { muster, .. } => (format!("muster {muster} started"), colour::heading()),
        Body::Stopped => ("muster stopped in good order".to_owned(), colour::heading()),
        Body::SetAside { id, reason } => (format!("message {id} was set aside: {reason}"), colour::alarm()),
        Body::Pruned { entries, through } => {
            (format!("{entries} older entries were removed, the last of them {through}"), colour::quiet())
        }
    };
    (escape::clean(&text).into_owned(), style)
}

/// What a conclusion says, and how loud.
pub fn record(record: &Record) -> (String, Style) {
    let (text, style) = match record {
        Record::CaseOpened { case, trouble, subject, machine, reasons, .. } => {
            let who = machine.as_deref().unwrap_or_else(|| last(subject));
            (
                format!("case {case} opened: {} of {who}{}", trouble.word(), because(reasons)),
                colour::of(Verdict::Suspected),
            )
        }
        Record::CaseMoved { case, from, to, verdict, reasons, .. } => (
            format!("case {case}: {} to {}, {}{}", word(from), word(to), verdict.word(), because(reasons)),
            colour::of(*verdict),
        ),
        Record::Decided { case, verdict, decision, zombies, .. } => {
            let zombies = match zombies.len() {
                0 => String::new(),
                1 => "; 1 task that nobody can vouch for".to_owned(),
                many => format!("; {many} tasks that nobody can vouch for"),
            };
            (format!("case {case}, {}: {}{zombies}", verdict.word(), self::decision(decision)), colour::remedy())
        }
        Record::CaseClosed { case, reason, lasted_secs } => (
            format!("case {case} closed after {}: {reason}", moment::lasting(*lasted_secs)),
            colour::of(Verdict::Present),
        ),
        Record::Intended { intent } => {
            (format!("case {}, intent {}: {}", intent.case, intent.id, act(intent)), colour::remedy())
        }
        Record::Ended { case, intent, result, says, so } => {
            let parts: Vec<&str> =
                [result.as_str(), says, so].into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
            (format!("case {case}, intent {intent}: {}", parts.join("; ")), colour::remedy())
        }
        Record::Abandoned { case, remedy, because } => {
            (format!("case {case}: gave up to {}: {because}", remedy.words()), colour::remedy())
        }
        Record::OperatorAsked { who, why, what, until, answer } => {
            let until = until.map_or(String::new(), |until| format!(", until {until}"));
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            let answer = match answer {
                Answered::Granted { note } => format!("granted: {note}"),
                Answered::Refused { why } => format!("refused: {why}"),
            };
            (format!("{who} asked to {what}{until}{why}: {answer}"), colour::heading())
        }
        Record::Paged { page, receiver, page_kind, title, hosts, .. } => {
            let hosts = match hosts {
                0 | 1 => String::new(),
                many => format!(" ({many} hosts)"),
            };
            (format!("page {page} to {receiver}, {}: {title}{hosts}", word(page_kind)), colour::heading())
        }
        Record::PageLost { page, receiver, because } => {
            (format!("page {page} to {receiver} was given up: {because}"), colour::alarm())
        }
        Record::NotTold { case, because } => (format!("case {case}: nobody is told: {because}"), colour::quiet()),
        Record::Led { leading } => {
            let text = if *leading { "this muster is in charge now" } else { "another muster is in charge" };
            (text.to_owned(), colour::heading())
        }
        Record::GapNoted { arn, held, came } => {
            (format!("versions {held} to {came} of {} leave a gap; it will be looked up", last(arn)), colour::quiet())
        }
    };
    (escape::clean(&text).into_owned(), style)
}

/// What would be done and why, in a sentence.
pub fn decision(decision: &Decision) -> String {
    match decision {
        Decision::Would { remedy, because } => format!("would {}{}", remedy.words(), self::because(because)),
        Decision::Ask { remedy, because } => {
            format!("asks for approval to {}{}", remedy.words(), self::because(because))
        }
        Decision::Will { remedy, because } => format!("will {}{}", remedy.words(), self::because(because)),
        Decision::Hold { because } => format!("would do nothing{}", self::because(because)),
    }
}

fn because(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!(", because {}", reasons.join("; ")) }
}

/// What is about to be done, to whom.
pub fn act(intent: &Intent) -> String {
    let target = &intent.target;
    let host = || target.host.as_deref().map_or("nobody", last);
    let who = target.machine.as_deref().unwrap_or_else(host);
    let group = || target.group.as_deref().unwrap_or("no group");
    match &intent.act {
        Act::SaveEvidence => format!("save what is known of {who}"),
        Act::RestartAgent => format!("restart the agent of {who}"),
        Act::RestartRuntime => format!("restart the container runtime of {who}"),
        Act::Reboot => format!("reboot {who}"),
        Act::Drain => format!("drain {who}"),
        Act::Undrain => format!("give {who} back to the scheduler"),
        Act::SetDesired { from, to } => format!("set the desired capacity of {} from {from} to {to}", group()),
        Act::TerminateInGroup { shrink: false } => format!("terminate {who}; {} replaces it", group()),
        Act::ExecutePolicy { policy, from } => {
            format!("have the policy {policy} of {} add to its {from} machines", group())
        }
        Act::TerminateInGroup { shrink: true } if intent.remedy.keeps_room() => {
            format!("terminate {who}; {} shrinks by it", group())
        }
        Act::TerminateInGroup { shrink: true } => format!("terminate {who}; {} shrinks again by it", group()),
        Act::MarkUnhealthy => format!("mark {who} as unhealthy, so that {} replaces it", group()),
        Act::Terminate => format!("terminate {who}"),
        Act::Deregister => format!("deregister {} ({who})", host()),
        Act::Custom { name } => format!("run the action {name} for {who}"),
    }
}

/// What came of an intent.
fn acted(outcome: &Outcome<'_>) -> String {
    let what = match &outcome.result {
        ActResult::Saved { items } => {
            let names: Vec<&str> = items.iter().map(|(name, _)| name.as_str()).collect();
            format!("saved {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") })
        }
        ActResult::Failed { may_have_happened: true, why } => {
            format!("failed, and may have happened all the same; {why}")
        }
        result => match result.says() {
            "" => result.word().to_owned(),
            says => format!("{}; {says}", result.word()),
        },
    };
    format!("intent {}: {what}", outcome.intent)
}

/// Who asks for what.
fn asked(asked: &Asked<'_>) -> String {
    let lasting = |secs: &Option<u32>| match secs {
        Some(secs) => format!(" for {}", moment::lasting(i64::from(*secs))),
        None => String::new(),
    };
    let what = match &asked.request {
        Request::Approve { case } => format!("approve case {case}"),
        Request::Veto { case } => format!("veto case {case}"),
        Request::Hold { case, secs } => format!("hold case {case}{}", lasting(secs)),
        Request::Retry { case } => format!("retry case {case}"),
        Request::Protect { subject, secs } => format!("protect {subject}{}", lasting(secs)),
        Request::Unprotect { subject } => format!("unprotect {subject}"),
        Request::Pause { cluster, secs } => {
            format!("pause {}{}", cluster.as_deref().unwrap_or("everything"), lasting(secs))
        }
        Request::Resume { cluster } => format!("resume {}", cluster.as_deref().unwrap_or("everything")),
        Request::Silence { secs, .. } => format!("silence some alerts{}", lasting(&Some(*secs))),
        Request::Unsilence { silence } => format!("end silence {silence}"),
    };
    let why = if asked.why.is_empty() { String::new() } else { format!(" ({})", asked.why) };
    format!("{} asks to {what}{why}", asked.who)
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn swept(sweep: &Sweep<'_>) -> String {
    let scope = serde_json::to_string(&sweep.scope).unwrap_or_default();
    let absent = if sweep.absent.is_empty() { String::new() } else { format!(", {} gone", sweep.absent.len()) };
    format!("looked at {scope}: {} new facts, {} as before{absent}", sweep.found.len(), sweep.unchanged)
}

/// An observation in a few words.
pub fn observed(observation: &Observation<'_>) -> String {
    let what = match &observation.fact {
        Fact::Instance(fact) => {
            let who = fact.ec2_instance_id.as_deref().unwrap_or_else(|| last(&fact.arn));
            let agent = match fact.agent_connected {
                Some(true) => "agent connected",
                Some(false) => "agent disconnected",
                None => "agent not mentioned",
            };
            format!("{who}: {}, {agent}", word(&fact.status))
        }
        Fact::InstanceMissing { arn } => format!("{}: ECS does not know it", last(arn)),
        Fact::Unregistered { cluster, instance_id } => {
            format!("{instance_id}: ECS knows no host of {} on it", last(cluster))
        }
        Fact::Health(fact) => format!("health check: {}", compact(fact)),
        Fact::Task(fact) => format!("task {}", last(&fact.arn)),
        Fact::TaskMissing { arn } => format!("task {}: ECS does not know it", last(arn)),
        Fact::ServiceAction(fact) => format!("service action: {}", compact(fact)),
        Fact::Deployment(fact) => format!("deployment: {}", compact(fact)),
        Fact::Group(fact) => format!(
            "Auto Scaling group {}: wants {} machines of {} to {}, has {}{}",
            fact.name,
            fact.desired,
            fact.min,
            fact.max,
            fact.members.len(),
            match fact.failures {
                0 => String::new(),
                failures => format!("; {failures} launches have failed since one succeeded"),
            }
        ),
        Fact::Demand(fact) => match &fact.wanted {
            None => format!("{} of {}: there is none", fact.of, last(&fact.cluster)),
            Some(wanted) => format!(
                "a copy of {} of {} needs {} CPU units and {} MiB",
                fact.of,
                last(&fact.cluster),
                wanted.shape.cpu_units,
                wanted.shape.memory_mib
            ),
        },
        Fact::Cluster(fact) => format!("cluster {}", last(&fact.arn)),
        Fact::ClusterMissing { arn } => format!("cluster {}: gone", last(arn)),
        Fact::CapacityProvider(fact) => format!("capacity provider: {}", compact(fact)),
        Fact::Ec2State { instance_id, state } => format!("{instance_id}: {}", word(state)),
        Fact::Ec2Status(fact) => format!(
            "{}: {}, system {}, instance {}",
            fact.instance_id,
            word(&fact.state),
            word(&fact.system),
            word(&fact.instance)
        ),
        Fact::SpotInterruption { instance_id, action } => format!("{instance_id}: Spot will {action} it"),
        Fact::RebalanceRecommendation { instance_id } => format!("{instance_id}: Spot recommends to rebalance"),
        Fact::AutoScaling(fact) => format!("{}: {} in group {}", fact.instance_id, fact.lifecycle, fact.group),
        Fact::Lifecycle(fact) => format!("{}: {} in group {}", fact.instance_id, word(&fact.stage), fact.group),
        Fact::LaunchFailed(fact) => {
            format!("group {} could not launch: {}", fact.group, fact.message.as_deref().unwrap_or("no reason given"))
        }
        Fact::Ssm(fact) => {
            let ping = match fact.online {
                Some(true) => "SSM ping online",
                Some(false) => "SSM ping lost",
                None => "unknown to SSM",
            };
            format!("{}: {ping}", fact.instance_id)
        }
        Fact::Interfaces(fact) => format!("{}: {} network interfaces attached", fact.instance_id, fact.attached),
        Fact::InstanceType(fact) => format!("instance type {}: {} interfaces", fact.name, fact.max_interfaces),
        Fact::Subnet(fact) => format!("subnet {}: {} free addresses", fact.id, fact.free_addresses),
        Fact::Unknown { source, detail_type } => format!("{source}, {detail_type}: says nothing about hosts"),
    };
    format!("{}: {what}", word(&observation.source))
}

fn compact(fact: &impl serde::Serialize) -> String {
    serde_json::to_string(fact).unwrap_or_default()
}
