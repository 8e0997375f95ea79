//! What a page says. Names and reasons come from outside and are taken for hostile: control characters are taken out,
//! long texts are cut, and both is done here, once, for all receivers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::page::{Page, PageHost, PageId, PageKind};
use crate::{
    case::{Case, Subject, duration_words},
    effect::{Effect, Severity},
    id::CaseId,
    journal::{Record, Trouble},
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
    pub(crate) severity: Severity,
    pub(crate) clusters: Vec<String>,
    pub(crate) hosts: u32,
    pub(crate) samples: Vec<PageHost>,
    pub(crate) trouble: String,
    pub(crate) cases: Vec<CaseId>,
}

impl Fleet {
    /// Makes the next page of a group.
    pub(crate) fn page_group(&mut self, number: u32, kind: PageKind, heard: &[CaseId], effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(group) = self.notices.groups.get(&number) else { return };
        let (receiver, key, since) = (group.receiver.clone(), group.key.clone(), group.since);
        let before = group.said.clone();
        let lasted_secs = (group.over_at - since).max(0) / 1000;
        let (said, lines, decision) = match (kind, before) {
            (PageKind::Resolved, Some(said)) => {
                let line = format!("over after {}", duration_words(lasted_secs));
                let title = clean(&format!("over after {}: {}", duration_words(lasted_secs), said.title));
                (Said { title, severity: Severity::Info, ..said }, vec![line], None)
            }
            (PageKind::Resolved, None) => return,
            _ => {
                let (said, lines, decision) = self.words_of(heard);
                if let Some(group) = self.notices.groups.get_mut(&number) {
                    group.said = Some(said.clone());
                    group.fired = true;
                    group.changed = false;
                    group.paged_at = now;
                }
                (said, lines, decision)
            }
        };
        self.notices.last_page += 1;
        let page = Page {
            id: PageId(self.notices.last_page),
            receiver,
            kind,
            key,
            severity: said.severity,
            title: said.title,
            lines,
            clusters: said.clusters,
            hosts: said.hosts,
            samples: said.samples,
            trouble: said.trouble,
            cases: said.cases,
            since: stamp(since),
            at: stamp(now),
            repaired_after_secs: (kind == PageKind::Resolved).then_some(lasted_secs),
            decision,
        };
        self.hand_out_page(page, effects);
    }

    /// One page that no other follows.
    pub(crate) fn page_once(
        &mut self,
        case: CaseId,
        receiver: String,
        cluster: &str,
        text: String,
        effects: &mut Vec<Effect>,
    ) {
        self.notices.last_page += 1;
        let id = PageId(self.notices.last_page);
        let page = Page {
            id,
            receiver,
            kind: PageKind::Firing,
            key: format!("muster/once/{id}-{}", self.now / 1000),
            severity: Severity::Critical,
            title: clean(&text),
            lines: Vec::new(),
            clusters: vec![cluster.to_owned()],
            hosts: 1,
            samples: Vec::new(),
            trouble: String::new(),
            cases: vec![case],
            since: stamp(self.now),
            at: stamp(self.now),
            repaired_after_secs: None,
            decision: None,
        };
        self.hand_out_page(page, effects);
    }

    fn hand_out_page(&mut self, page: Page, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(Record::Paged {
            page: page.id,
            receiver: page.receiver.clone(),
            page_kind: page.kind,
            key: page.key.clone(),
            title: page.title.clone(),
            hosts: page.hosts,
        }));
        self.notices.owed.insert(page.id, page.clone());
        effects.push(Effect::Page(page));
    }

    /// What is said of some alerts: title, lines, and the decision where there is but one.
    fn words_of(&self, heard: &[CaseId]) -> (Said, Vec<String>, Option<String>) {
        let cases: Vec<&Case> = heard
            .iter()
            .filter_map(|id| self.notices.alerts.get(id).and_then(|alert| self.cases.get(alert.slot)))
            .collect();
        let mut clusters: Vec<String> = Vec::new();
        let mut samples = Vec::new();
        let mut lines = Vec::new();
        let mut verdicts: BTreeMap<Verdict, u32> = BTreeMap::new();
        let mut hosts: u32 = 0;
        let mut severity = Severity::Info;
        for case in &cases {
            let (subject, cluster, machine) = self.subject_texts(case.subject);
            let alert_severity = self.notices.alerts.get(&case.id).map_or(Severity::Info, |alert| alert.severity);
            severity = severity.max(alert_severity);
            if !cluster.is_empty() && !clusters.contains(&cluster) {
                clusters.push(cluster.clone());
            }
            if let Subject::Cohort(key) = case.subject {
                let tally = self.cohorts.tally(key);
                hosts += tally.away;
                for name in self.clusters_of_doubt(key) {
                    let text = self.names.text(name).to_owned();
                    if !clusters.contains(&text) {
                        clusters.push(text);
                    }
                }
                self.sample_doubt(key, &mut samples);
            } else {
                hosts += 1;
            }
            if lines.len() >= NAMED {
                continue;
            }
            let judgement = self.judge_subject(case.subject, None, self.now);
            *verdicts.entry(judgement.verdict).or_default() += 1;
            let who = machine.clone().unwrap_or_else(|| last(&subject).to_owned());
            let decided = case.decision.as_ref().map(decision_words);
            let decided = decided.map_or(String::new(), |words| format!("; {words}"));
            let reasons = judgement.reasons.join("; ");
            let line = match case.trouble {
                Trouble::Doubt => reasons.clone(),
                _ => format!("{who} is {}: {reasons}{decided}", judgement.verdict),
            };
            lines.push(clean(&line));
            if case.trouble != Trouble::Doubt && samples.len() < NAMED {
                let zone = self.names.owned(self.locality(case.subject).zone);
                samples.push(PageHost {
                    subject,
                    machine,
                    cluster,
                    zone,
                    says: clean(&format!("{}: {reasons}", judgement.verdict)),
                });
            }
        }
        let more = cases.len().saturating_sub(lines.len());
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        let names: Vec<&str> = clusters.iter().take(3).map(|arn| last(arn)).collect();
        let place = match clusters.len() {
            0 => String::new(),
            1..=3 => format!("{}: ", names.join(", ")),
            many => format!("{} and {} more clusters: ", names.join(", "), many - 3),
        };
        let title = match (&cases[..], lines.first()) {
            ([one], Some(_)) if one.trouble != Trouble::Doubt => {
                let (subject, _, machine) = self.subject_texts(one.subject);
                let who = machine.unwrap_or_else(|| last(&subject).to_owned());
                let verdict = self.judge_subject(one.subject, None, self.now).verdict;
                let lasts = duration_words((self.now - one.since).max(0) / 1000);
                let decided = one.decision.as_ref().map(decision_words);
                let decided = decided.map_or(String::new(), |words| format!("; {words}"));
                format!("{place}{who} is {verdict} for {lasts}{decided}")
            }
            ([_], Some(line)) => format!("{place}{line}"),
            _ => {
                let counted: Vec<String> =
                    verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
                let among = if more > 0 { format!(" (among the first {NAMED})") } else { String::new() };
                format!("{place}{hosts} hosts in trouble: {}{among}", counted.join(", "))
            }
        };
        let decision = match &cases[..] {
            [one] => one.decision.as_ref().map(decision_words),
            _ => None,
        };
        let said = Said {
            title: clean(&title),
            severity,
            clusters,
            hosts,
            samples,
            trouble: cases.first().map_or(String::new(), |case| case.trouble.word().to_owned()),
            cases: heard.iter().take(NAMED).copied().collect(),
        };
        (said, lines, decision)
    }

    /// Names some hosts of a doubted cohort.
    fn sample_doubt(&self, key: crate::cohort::CohortKey, samples: &mut Vec<PageHost>) {
        let away = self
            .hosts
            .iter()
            .filter(|(_, host)| host.is_away() && self.cohort_values(host)[key.0 as usize] == Some(key.1))
            .take(NAMED - samples.len().min(NAMED));
        for (slot, host) in away {
            let (subject, cluster, machine) = self.subject_texts(Subject::Host(slot));
            let away_secs = (self.now - host.agent_since).max(0) / 1000;
            let zone = self.names.owned(self.locality(Subject::Host(slot)).zone);
            let says = format!("away for {}", duration_words(away_secs));
            samples.push(PageHost { subject, machine, cluster, zone, says });
        }
    }
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

/// Without control characters, line breaks and the marks that turn the direction of text, and no longer than a line.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len().min(LINE * 2));
    for (count, letter) in text.chars().enumerate() {
        if count == LINE {
            cleaned.push_str(" … (cut)");
            break;
        }
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        cleaned.push(if letter.is_control() || turns { ' ' } else { letter });
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_escapes_and_line_breaks_do_not_reach_a_page() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{202e}d"), "a [31mb  c d");
        let long = clean(&"x".repeat(5_000));
        assert!(long.chars().count() < 620 && long.ends_with("(cut)"));
    }
}
