//! I10, the never-act list: nothing is called in dry run, while the kill switch is on, outside of the windows, or upon
//! what is protected; no page goes out about what is silenced.

use super::{
    Call, CaseLife, Conditions, History, Violation,
    history::{self, CaseKey, text},
    plain::glob,
};
use crate::clock::{MINUTE, Moment, SECOND};

/// The kill switch works within a second (I10).
const EFFECTIVE_MS: i64 = SECOND;

/// Something an operator asked for and was granted: when, by which muster, and the request as JSON.
fn granted(history: &History) -> Vec<(Moment, &history::OperatorAct)> {
    history.operator.iter().filter(|act| act.granted).map(|act| (act.at, act)).collect()
}

/// Judges all calls and all pages.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    let mut seen: Vec<CaseKey> = Vec::new();
    for call in history.calls.iter().filter(|call| call.was_made()) {
        let Some(life) = cases.get(&call.case()) else { continue };
        let undoes = matches!(call.act(), "undrain") || lowers(call);
        if undoes || call.act() == "save-evidence" {
            continue;
        }
        let mut wrong = |what: String| {
            let what = format!("case {}: {} of {}: {what}", life.case, call.act(), life.subject);
            found.push(Violation { invariant: "I10", at: call.at, what });
        };
        let mode = conditions.policy.mode(&life.cluster, &life.trouble);
        if !matches!(mode.as_str(), "act" | "approve") {
            wrong(format!("the mode is {mode}"));
        }
        if mode == "approve" && !approved(history, call) {
            wrong("nobody has approved it".to_owned());
        }
        if let Some(who) = paused(history, conditions, &life.cluster, call.at) {
            wrong(format!("{who}: the kill switch is on"));
        }
        // What has begun is brought to its end, so only the first call of a remedy is bound to a window.
        if !seen.contains(&call.case()) {
            seen.push(call.case());
            let open = [0, -MINUTE].iter().any(|ago| conditions.policy.window_open(&life.cluster, call.at.plus(*ago)));
            if !open && !conditions.clock_stepped {
                wrong("no window is open".to_owned());
            }
        }
        if let Some(why) = protected(history, call, life, conditions) {
            wrong(why);
        }
    }
    found.extend(silenced_pages(history, conditions));
    found
}

fn lowers(call: &Call) -> bool {
    let size = call.intent.get("act").and_then(|act| act.get("set-desired"));
    size.is_some_and(|size| size["to"].as_u64() < size["from"].as_u64())
}

fn approved(history: &History, call: &Call) -> bool {
    granted(history).iter().any(|(at, act)| {
        *at <= call.at && act.by == call.by && act.request["approve"]["case"].as_u64() == Some(call.case().1)
    })
}

/// The last word on a cluster and on everything: a pause that was neither resumed nor has run out.
fn paused(history: &History, conditions: &Conditions, cluster: &str, at: Moment) -> Option<String> {
    let mut holds: Vec<(Option<String>, Option<Moment>)> = Vec::new();
    for (asked, act) in granted(history) {
        if asked > at.plus(-EFFECTIVE_MS) {
            break;
        }
        let of = |request: &serde_json::Value| request["cluster"].as_str().map(|it| last(it).to_owned());
        if let Some(pause) = act.request.get("pause") {
            let until = pause["secs"].as_i64().map(|secs| asked.plus(conditions.shortened(history, secs * 1000)));
            holds.retain(|(which, _)| *which != of(pause));
            holds.push((of(pause), until));
        }
        if let Some(resume) = act.request.get("resume") {
            holds.retain(|(which, _)| *which != of(resume));
        }
    }
    let held = holds.iter().find(|(which, until)| {
        which.as_ref().is_none_or(|which| which == last(cluster)) && until.is_none_or(|until| at < until)
    });
    held.map(|(which, _)| format!("{} is paused", which.as_deref().unwrap_or("everything")))
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn protected(history: &History, call: &Call, life: &CaseLife, conditions: &Conditions) -> Option<String> {
    let names =
        [call.target("host"), last(call.target("host")), call.target("machine"), &life.cluster, last(&life.cluster)];
    let mut held: Option<(String, Option<Moment>)> = None;
    for (asked, act) in granted(history).into_iter().filter(|(asked, _)| *asked <= call.at.plus(-EFFECTIVE_MS)) {
        let subject = |request: &serde_json::Value| {
            let subject = text(request, "subject").to_owned();
            names.iter().any(|name| !name.is_empty() && *name == subject).then_some(subject)
        };
        if let Some(subject) = act.request.get("protect").and_then(subject) {
            let secs = act.request["protect"]["secs"].as_i64();
            held = Some((subject, secs.map(|secs| asked.plus(conditions.shortened(history, secs * 1000)))));
        }
        if let Some(subject) = act.request.get("unprotect").and_then(subject)
            && held.as_ref().is_some_and(|(held, _)| *held == subject)
        {
            held = None;
        }
    }
    if let Some((subject, _)) = held.filter(|(_, until)| until.is_none_or(|until| call.at < until)) {
        return Some(format!("an operator has protected {subject}"));
    }
    // A ghost's own marks and age protect nobody.
    if !call.disturbs() {
        return None;
    }
    let (marks, _, launch_secs) = conditions.policy.protection();
    let carries = |mark: &String| match mark.split_once('=') {
        Some(_) => call.then.marks.contains(mark),
        None => call.then.marks.iter().any(|it| it.split_once('=').is_some_and(|(k, v)| k == mark && v != "false")),
    };
    if let Some(mark) = marks.iter().find(|mark| carries(mark)) {
        return Some(format!("its mark {mark} protects it"));
    }
    let age_ms = call.then.registered_at.map(|registered| call.at.since(registered));
    if age_ms.is_some_and(|age| age < launch_secs * 1000) && !conditions.clock_stepped {
        return Some(format!("it registered only {} s ago", age_ms.unwrap_or(0) / 1000));
    }
    let (_, tasks, _) = conditions.policy.protection();
    let spares = matches!(call.remedy(), "restart-agent");
    let task = call.then.known_tasks.iter().find(|group| tasks.iter().any(|pattern| glob(pattern, group)));
    task.filter(|_| !spares).map(|task| format!("it runs a task of the protected group {task}"))
}

/// Pages about troubles that a silence covers altogether. A resolve must go out even so.
fn silenced_pages(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = Vec::new();
    if conditions.clock_stepped {
        return found;
    }
    for page in history.pages.iter().filter(|page| matches!(text(&page.page, "kind"), "firing" | "update")) {
        for (asked, act) in granted(history) {
            let Some(silence) = act.request.get("silence") else { continue };
            let until = asked.plus(silence["secs"].as_i64().unwrap_or(0) * 1000);
            let lifted = granted(history)
                .iter()
                .any(|(at, other)| *at > asked && *at <= page.at && other.request.get("unsilence").is_some());
            let lasts = asked.plus(EFFECTIVE_MS) <= page.at && page.at < until;
            if !lasts || lifted || act.by != page.by {
                continue;
            }
            let (clusters, troubles, hosts) = (
                super::plain::texts(&silence["clusters"]),
                super::plain::texts(&silence["troubles"]),
                super::plain::texts(&silence["hosts"]),
            );
            let samples = page.page["samples"].as_array().cloned().unwrap_or_default();
            let covers = |sample: &serde_json::Value| {
                super::plain::any_fits(&clusters, last(text(sample, "cluster")))
                    && (super::plain::any_fits(&hosts, last(text(sample, "subject")))
                        || hosts.iter().any(|it| glob(it, text(sample, "machine"))))
            };
            let trouble = text(&page.page, "trouble").to_owned();
            let all = page.page["hosts"].as_u64() == Some(samples.len() as u64)
                && !samples.is_empty()
                && samples.iter().all(covers)
                && (troubles.is_empty() || troubles.contains(&trouble));
            if all {
                let what = format!("page {} ({trouble}) goes out during a silence that covers it", page.page["id"]);
                found.push(Violation { invariant: "I10", at: page.at, what });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::{Noted, Plain, Then, history::OperatorAct};

    fn history(at: i64, request: serde_json::Value) -> History {
        let opened = json!({"kind": "case-opened", "case": 1, "trouble": "agent-away", "subject": "arn:h/a",
                            "cluster": "arn:c/prod"});
        let intent = json!({"case": 1, "act": "restart-agent", "remedy": "restart-agent", "token": "t",
                            "target": {"cluster": "arn:c/prod", "host": "arn:h/a"}});
        let call = Call { at: Moment(at), by: 0, intent, again: false, then: Then::default(), ended: None };
        let operator = OperatorAct { at: Moment(10_000), by: 0, request, granted: true };
        History {
            records: vec![Noted { at: Moment(0), by: 0, record: opened }],
            calls: vec![call],
            operator: vec![operator],
            ..History::default()
        }
    }

    #[test]
    fn nothing_is_called_a_second_after_the_kill_switch_until_it_is_off() {
        let conditions = Conditions { policy: Plain(json!({"mode": "act"})), ..Conditions::default() };
        let pause = json!({"pause": {"cluster": null, "secs": 60}});
        assert_eq!(judge(&history(10_500, pause.clone()), &conditions).len(), 0);
        assert_eq!(judge(&history(11_500, pause.clone()), &conditions).len(), 1);
        assert_eq!(judge(&history(70_500, pause), &conditions).len(), 0);
        let elsewhere = json!({"pause": {"cluster": "dev", "secs": null}});
        assert_eq!(judge(&history(11_500, elsewhere), &conditions).len(), 0);
    }

    #[test]
    fn a_pause_ends_earlier_by_a_clock_that_was_set_forward() {
        let ahead =
            Conditions { policy: Plain(json!({"mode": "act"})), clock_ahead_ms: 90_000, ..Conditions::default() };
        let pause = json!({"pause": {"cluster": null, "secs": 2_200}});
        assert_eq!(judge(&history(10_000 + 2_109_000, pause.clone()), &ahead).len(), 1);
        assert_eq!(judge(&history(10_000 + 2_111_000, pause), &ahead).len(), 0);
    }

    #[test]
    fn nothing_is_called_in_dry_run_without_approval_or_upon_the_protected() {
        let with = |policy, request| {
            let conditions = Conditions { policy: Plain(policy), ..Conditions::default() };
            judge(&history(20_000, request), &conditions).len()
        };
        let nothing = json!({"resume": {"cluster": null}});
        assert_eq!(with(json!({"mode": "dry-run"}), nothing.clone()), 1);
        assert_eq!(with(json!({"mode": "approve"}), nothing.clone()), 1);
        assert_eq!(with(json!({"mode": "approve"}), json!({"approve": {"case": 1}})), 0);
        assert_eq!(with(json!({"mode": "act"}), json!({"protect": {"subject": "a", "secs": null}})), 1);
        assert_eq!(with(json!({"mode": "act"}), nothing), 0);
    }
}
