//! What a page says. Names and reasons come from outside and are taken for hostile: control characters are taken out,
//! long texts are cut, and both is done here, once, for all receivers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::page::{Page, PageHost, PageId, PageKind};
use crate::{
    case::{Case, Subject, duration_words},
    cohort::CohortKey,
    effect::{Effect, Severity},
    id::CaseId,
    journal::Trouble,
    names::Name,
    remedy::Decision,
    state::{Fleet, stamp},
    verdict::Verdict,
};

/// Hosts and cases named in one page.
const NAMED: usize = 20;
/// Characters of one line.
const LINE: usize = 600;

/// What the last page of a group said, for the one that says it is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) title: String,
    /// Who was in trouble, as it is said when it is over.
    pub(crate) was: String,
    pub(crate) severity: Severity,
    pub(crate) clusters: Vec<String>,
    pub(crate) hosts: u32,
    pub(crate) samples: Vec<PageHost>,
    pub(crate) trouble: String,
    pub(crate) cases: Vec<CaseId>,
}

/// What a page says besides: its lines, and the decision where it is about one case alone.
struct More {
    lines: Vec<String>,
    decision: Option<String>,
}

impl Fleet {
    /// Makes the next page of a group.
    pub(crate) fn page_group(&mut self, number: u32, kind: PageKind, heard: &[CaseId], effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(group) = self.notices.groups.get(&number) else { return };
        let (receiver, key, since, elsewhere) =
            (group.receiver.clone(), group.key.clone(), group.since, group.elsewhere.clone());
        let lasted_secs = (group.over_at - since).max(0) / 1000;
        let ended = kind == PageKind::Resolved;
        let (said, more, news) = if ended {
            let Some(said) = group.said.clone() else { return };
            let over = format!("over after {}", duration_words(lasted_secs));
            let title = clean(&format!("{over}: {}", said.was));
            let lines = vec![clean(&format!("{over}: {}", group.over_because))];
            let said = Said { title, severity: Severity::Info, ..said };
            (said, More { lines, decision: None }, elsewhere.is_none())
        } else {
            let news = heard.iter().any(|id| group.unheard.contains(id));
            let (said, more) = self.words_of(heard);
            if let Some(group) = self.notices.groups.get_mut(&number) {
                group.said = Some(said.clone());
                group.fired = true;
                group.changed = false;
                group.paged_at = now;
                group.next_update = now + group.interval_ms();
                for id in heard {
                    group.unheard.remove(id);
                }
            }
            (said, more, news)
        };
        let page = Page {
            id: PageId(0),
            receiver,
            kind,
            key,
            severity: said.severity,
            title: said.title,
            lines: more.lines,
            clusters: said.clusters,
            hosts: said.hosts,
            samples: said.samples,
            trouble: said.trouble,
            cases: said.cases,
            since: stamp(since),
            at: stamp(now),
            repaired_after_secs: ended.then_some(lasted_secs),
            decision: more.decision,
        };
        let instead = elsewhere.filter(|_| ended).map(|receiver| Page { receiver, ..page.clone() });
        let id = self.hand_out_page(page, Some(number), news, effects);
        if let Some(group) = self.notices.groups.get_mut(&number) {
            group.owed = Some(id);
        }
        if let Some(page) = instead {
            self.hand_out_page(page, None, false, effects);
        }
    }

    /// One page that no other follows.
    pub(crate) fn page_once(
        &mut self,
        case: CaseId,
        receiver: String,
        cluster: &str,
        text: &str,
        effects: &mut Vec<Effect>,
    ) {
        let page = Page {
            id: PageId(0),
            receiver,
            kind: PageKind::Firing,
            key: self.key_of_one_page(),
            severity: Severity::Critical,
            title: clean(text),
            lines: Vec::new(),
            clusters: vec![clean(cluster)],
            hosts: 1,
            samples: Vec::new(),
            trouble: String::new(),
            cases: vec![case],
            since: stamp(self.now),
            at: stamp(self.now),
            repaired_after_secs: None,
            decision: None,
        };
        self.hand_out_page(page, None, true, effects);
    }

    /// What is said of some alerts; the first of them are named.
    fn words_of(&self, heard: &[CaseId]) -> (Said, More) {
        let cases: Vec<(&Case, Severity)> = heard
            .iter()
            .filter_map(|id| {
                let alert = self.notices.alerts.get(id)?;
                Some((self.cases.get(alert.slot)?, alert.severity))
            })
            .collect();
        let mut clusters: BTreeSet<Name> = BTreeSet::new();
        let mut subjects = BTreeSet::new();
        let mut hosts: u32 = 0;
        let mut severity = Severity::Info;
        for (case, loud) in &cases {
            severity = severity.max(*loud);
            match case.subject {
                Subject::Cohort(key) => {
                    hosts += self.cohorts.tally(key).away;
                    clusters.extend(self.clusters_of_doubt(key));
                }
                Subject::Host(slot) => {
                    subjects.insert((slot, false));
                    clusters.extend(self.locality(case.subject).cluster);
                }
                Subject::Pool(key) => {
                    clusters.insert(key.cluster);
                }
                Subject::Machine(slot) => {
                    subjects.insert((slot, true));
                    clusters.extend(self.locality(case.subject).cluster);
                }
            }
        }
        hosts = hosts.saturating_add(subjects.len() as u32);
        let clusters: Vec<String> = clusters.into_iter().map(|name| clean(self.names.text(name))).collect();
        let mut samples = Vec::new();
        let mut lines = Vec::new();
        let mut verdicts: BTreeMap<Verdict, u32> = BTreeMap::new();
        for (case, _) in cases.iter().take(NAMED) {
            let judgement = self.judge_subject(case.subject, None, self.now);
            let reasons = judgement.reasons.join("; ");
            if let Subject::Cohort(key) = case.subject {
                lines.push(clean(&reasons));
                self.sample_doubt(key, &mut samples);
                continue;
            }
            *verdicts.entry(judgement.verdict).or_default() += 1;
            let decided = decided(case).map_or(String::new(), |words| format!("; {words}"));
            lines.push(clean(&format!("{} is {}: {reasons}{decided}", self.who(case), judgement.verdict)));
            if samples.len() < NAMED {
                samples.push(self.page_host(case.subject, &format!("{}: {reasons}", judgement.verdict)));
            }
        }
        let unnamed = cases.len().saturating_sub(lines.len());
        if unnamed > 0 {
            lines.push(format!("and {unnamed} more, which are not named here"));
        }
        let place = place(&clusters);
        let (title, was) = match &cases[..] {
            [(one, _)] => match one.subject {
                Subject::Cohort(key) => {
                    let tally = self.cohorts.tally(key);
                    let name = format!("{} {}", key.0.word(), self.short(key.1));
                    let sentence = self.doubt_sentence(key, self.now);
                    let was = format!("{} of {} hosts of {name} were away at once", tally.away, tally.members);
                    (format!("{place}{sentence}"), format!("{place}{was}"))
                }
                _ => {
                    let who = self.who(one);
                    let verdict = self.judge_subject(one.subject, None, self.now).verdict;
                    let lasts = duration_words((self.now - one.since).max(0) / 1000);
                    let decided = decided(one).map_or(String::new(), |words| format!("; {words}"));
                    (format!("{place}{who} is {verdict} for {lasts}{decided}"), format!("{place}{who} was {verdict}"))
                }
            },
            _ => {
                let doubts = cases.iter().filter(|(case, _)| case.trouble == Trouble::Doubt).count();
                let mut counted: Vec<String> =
                    verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
                if doubts > 0 {
                    counted.insert(0, format!("{doubts} doubts about many at once"));
                }
                let among = if unnamed > 0 { format!(" (among the first {NAMED})") } else { String::new() };
                let title = format!("{place}{hosts} hosts in trouble: {}{among}", counted.join(", "));
                (title, format!("{place}{hosts} hosts were in trouble"))
            }
        };
        let decision = match &cases[..] {
            [(one, _)] => decided(one).map(|words| clean(&words)),
            _ => None,
        };
        let said = Said {
            title: clean(&title),
            was: clean(&was),
            severity,
            clusters,
            hosts,
            samples,
            trouble: cases.first().map_or(String::new(), |(case, _)| case.trouble.word().to_owned()),
            cases: heard.iter().take(NAMED).copied().collect(),
        };
        (said, More { lines, decision })
    }

    /// Names some hosts of a doubted cohort.
    fn sample_doubt(&self, key: CohortKey, samples: &mut Vec<PageHost>) {
        let away = self
            .hosts
            .iter()
            .filter(|(_, host)| host.is_away() && self.cohort_values(host)[key.0 as usize] == Some(key.1))
            .take(NAMED.saturating_sub(samples.len()));
        for (slot, host) in away {
            let away_secs = (self.now - host.agent_since).max(0) / 1000;
            samples.push(self.page_host(Subject::Host(slot), &format!("away for {}", duration_words(away_secs))));
        }
    }

    fn page_host(&self, subject: Subject, says: &str) -> PageHost {
        let (text, cluster, machine) = self.subject_texts(subject);
        PageHost {
            subject: clean(&text),
            machine: machine.map(|id| clean(&id)),
            cluster: clean(&cluster),
            zone: self.locality(subject).zone.map(|zone| clean(self.names.text(zone))),
            says: clean(says),
        }
    }

    /// The machine's id, or the container instance's where the machine is not known.
    fn who(&self, case: &Case) -> String {
        let (subject, _, machine) = self.subject_texts(case.subject);
        machine.unwrap_or_else(|| last(&subject).to_owned())
    }
}

/// `prod: `, or the first three of many.
fn place(clusters: &[String]) -> String {
    let names: Vec<&str> = clusters.iter().take(3).map(|arn| last(arn)).collect();
    match clusters.len() {
        0 => String::new(),
        1..=3 => format!("{}: ", names.join(", ")),
        many => format!("{} and {} more clusters: ", names.join(", "), many - 3),
    }
}

fn decided(case: &Case) -> Option<String> {
    case.decision.as_ref().map(decision_words)
}

/// A decision in words, without its reasons unless it is to do nothing.
fn decision_words(decision: &Decision) -> String {
    match decision {
        Decision::Would { remedy, .. } => format!("would {} (dry run)", remedy.words()),
        Decision::Ask { remedy, .. } => format!("asks for approval to {}", remedy.words()),
        Decision::Will { remedy, .. } => format!("muster will {}", remedy.words()),
        Decision::Hold { because } => format!("nothing is done: {}", because.join("; ")),
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Without control characters, line breaks and marks that nobody sees or that turn the direction of text, and no longer
/// than a line.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(LINE * 2));
    for (count, letter) in text.chars().enumerate() {
        if count == LINE {
            cleaned.push_str("… (cut)");
            break;
        }
        let unseen = matches!(
            letter,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        );
        cleaned.push(if letter.is_control() || unseen { ' ' } else { letter });
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_escapes_and_line_breaks_do_not_reach_a_page() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{202e}d"), "a [31mb  c d");
        assert_eq!(clean("a\u{2028}b\u{200b}c\u{e0041}d\u{85}ß"), "a b c d ß");
        let long = clean(&"x".repeat(5_000));
        assert!(long.chars().count() < 620 && long.ends_with("(cut)"));
    }
}
