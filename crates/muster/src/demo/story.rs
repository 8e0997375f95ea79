//! Tells in sentences what muster concludes, for people who see it for the first time.

use std::collections::{BTreeMap, VecDeque};

use fleet::{
    id::CaseId,
    journal::{Record, Stage, Trouble},
    policy::Policy,
    remedy::{Decision, act::Act},
    verdict::Verdict,
};
use jiff::Timestamp;
use owo_colors::Style;

use crate::render::{colour, moment};

/// An agent that has been away for so long is worth a word, though nothing is wrong yet.
const WORTH_A_WORD_SECS: i64 = 45;

/// So many sentences are remembered.
const REMEMBERED: usize = 200;

/// Routine reconnects are told one by one so often; after that they are only counted.
const ROUTINE_TOLD: u32 = 3;

/// Something that was said.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// When, in the time of the story.
    pub at: Timestamp,
    /// What.
    pub text: String,
    /// How loud.
    pub style: Style,
}

/// What has been heard so far.
#[derive(Debug)]
pub struct Story {
    policy: Policy,
    open: BTreeMap<CaseId, Open>,
    routine: u32,
    decided: u32,
    done: u32,
    said: VecDeque<Sentence>,
}

/// A case that is open.
#[derive(Debug)]
struct Open {
    trouble: Trouble,
    who: String,
    cluster: String,
    since: Timestamp,
    stage: Stage,
    told: bool,
}

impl Story {
    /// A story that has not begun, under this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, open: BTreeMap::new(), routine: 0, decided: 0, done: 0, said: VecDeque::new() }
    }

    /// Agents that were away and came back in time, so that nobody was told.
    pub fn routine(&self) -> u32 {
        self.routine
    }

    /// Decisions on the record.
    pub fn decided(&self) -> u32 {
        self.decided
    }

    /// Calls that have done something to a host.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// The last sentences, oldest first.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = &Sentence> + ExactSizeIterator {
        self.said.iter()
    }

    /// Says something; gives it back to be printed.
    pub fn say(&mut self, at: Timestamp, text: impl Into<String>, style: Style) -> Sentence {
        let sentence = Sentence { at, text: text.into(), style };
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(sentence.clone());
        sentence
    }

    /// Hears a conclusion; says something if it is worth a sentence.
    pub fn hear(&mut self, at: Timestamp, record: &Record) -> Option<Sentence> {
        match record {
            Record::CaseOpened { case, trouble, subject, cluster, machine, reasons } => {
                let who = machine.clone().unwrap_or_else(|| last(subject).to_owned());
                let cluster = last(cluster).to_owned();
                let told = *trouble != Trouble::AgentAway;
                let sentence = told.then(|| {
                    let what = format!("{who} in {cluster}: {}. {}", opening(*trouble), sentences(reasons));
                    self.say(at, what, colour::of(Verdict::Suspected))
                });
                let open = Open { trouble: *trouble, who, cluster, since: at, stage: Stage::Suspected, told };
                self.open.insert(*case, open);
                sentence
            }
            Record::CaseMoved { case, to, verdict, reasons, .. } => self.moved(at, *case, *to, *verdict, reasons),
            Record::Decided { case, decision, zombies, .. } => {
                self.decided += 1;
                let who = self.open.get(case).map_or_else(|| format!("case {case}"), |open| open.who.clone());
                let zombies = match zombies.len() {
                    0 => String::new(),
                    1 => " 1 task there has nobody to vouch for it.".to_owned(),
                    many => format!(" {many} tasks there have nobody to vouch for them."),
                };
                let text = match decision {
                    Decision::Would { remedy, because } => format!(
                        "{who}: muster would {}. {}{zombies} It only says so: this is a dry run.",
                        remedy.words(),
                        sentences(because)
                    ),
                    Decision::Ask { remedy, because } => {
                        format!("{who}: muster asks to {}. {}{zombies}", remedy.words(), sentences(because))
                    }
                    Decision::Will { remedy, because } => {
                        format!("{who}: muster will {}. {}{zombies}", remedy.words(), sentences(because))
                    }
                    Decision::Hold { because } => {
                        format!("{who}: muster would do nothing. {}{zombies}", sentences(because))
                    }
                };
                Some(self.say(at, text, colour::remedy()))
            }
            Record::CaseClosed { case, reason, lasted_secs } => {
                let open = self.open.remove(case)?;
                if open.trouble == Trouble::AgentAway && open.stage == Stage::Suspected {
                    return self.came_back_in_time(at, &open, *lasted_secs);
                }
                let text = format!(
                    "{}: case {case} is closed after {}. {}",
                    open.who,
                    moment::lasting(*lasted_secs),
                    sentence(reason)
                );
                Some(self.say(at, text, colour::of(Verdict::Present)))
            }
            Record::Intended { intent } if intent.act == Act::SaveEvidence => None,
            Record::Intended { intent } => {
                let text =
                    format!("First it is written down, then it is done: {}.", crate::render::journal::act(intent));
                Some(self.say(at, text, colour::remedy()))
            }
            Record::Ended { case, result, says, so, .. } => {
                let who = self.open.get(case).map_or_else(|| format!("case {case}"), |open| open.who.clone());
                self.done += u32::from(result == "done");
                let text = format!("{who}: {}", sentences(&[result.clone(), says.clone(), so.clone()]));
                Some(self.say(at, text, colour::remedy()))
            }
            Record::Abandoned { case, remedy, because } => {
                let text = format!("Case {case}: muster gives up to {}. {}", remedy.words(), sentence(because));
                Some(self.say(at, text, colour::alarm()))
            }
            Record::OperatorAsked { .. }
            | Record::Paged { .. }
            | Record::PageLost { .. }
            | Record::NotTold { .. }
            | Record::Led { .. }
            | Record::GapNoted { .. } => None,
        }
    }

    fn came_back_in_time(&mut self, at: Timestamp, open: &Open, lasted_secs: i64) -> Option<Sentence> {
        self.routine += 1;
        if self.routine > ROUTINE_TOLD && !open.told {
            return None;
        }
        let lasted = moment::lasting(lasted_secs.max(1));
        let text = if open.told {
            format!("{} is back after {lasted}, within the grace. Nobody was told.", open.who)
        } else {
            let counted = if self.routine == ROUTINE_TOLD { " From here on they are only counted." } else { "" };
            format!("{}: the agent was away for {lasted} and is back. Routine: nothing is raised.{counted}", open.who)
        };
        Some(self.say(at, text, colour::of(Verdict::Present)))
    }

    fn moved(
        &mut self,
        at: Timestamp,
        case: CaseId,
        to: Stage,
        verdict: Verdict,
        reasons: &[String],
    ) -> Option<Sentence> {
        let grace = moment::lasting(i64::from(self.policy.grace_secs));
        let open = self.open.get_mut(&case)?;
        open.stage = to;
        open.told = true;
        let who = &open.who;
        let text = match to {
            Stage::Confirming => {
                format!("{who}: still away, and the grace of {grace} is over. muster looks again, with fresh eyes.")
            }
            Stage::Confirmed => format!("{who}: {}. {}", verdict.word(), sentences(reasons)),
            Stage::Held => format!("{who}: nothing is decided while a wider doubt lasts. {}", sentences(reasons)),
            // Said when the decision itself is heard, or when the case is closed.
            Stage::Decided | Stage::Acting | Stage::Verifying | Stage::Closed | Stage::Suspected => return None,
        };
        Some(self.say(at, text, colour::of(verdict)))
    }

    /// Time passes: says a word about agents that have been away for a while.
    pub fn watch(&mut self, now: Timestamp) -> Vec<Sentence> {
        let grace = moment::lasting(i64::from(self.policy.grace_secs));
        let mut long = Vec::new();
        for open in self.open.values_mut() {
            let away_secs = now.as_second() - open.since.as_second();
            if !open.told && open.stage == Stage::Suspected && away_secs >= WORTH_A_WORD_SECS {
                open.told = true;
                long.push(format!(
                    "{} in {}: the agent has been away for {}, longer than a routine reconnect. muster waits out the grace \
                     of {grace} before it believes anything.",
                    open.who,
                    open.cluster,
                    moment::lasting(away_secs)
                ));
            }
        }
        long.into_iter().map(|text| self.say(now, text, colour::of(Verdict::Suspected))).collect()
    }
}

fn opening(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::AgentAway => "the agent does not answer",
        Trouble::Flapping => "the agent comes and goes too often",
        Trouble::Runtime => "the container runtime is sick",
        Trouble::HostImpaired => "EC2's status checks fail",
        Trouble::NeverRegistered => "a machine of the group never joined the cluster",
        Trouble::RegistrationFailed => "the registration failed",
        Trouble::DrainStuck => "draining takes too long",
        Trouble::NoRoom => "there is less room than declared",
        Trouble::MuchRoom => "there has long been more room than declared",
        Trouble::Doubt => "too many are missing at once, so muster doubts its own eyes",
    }
}

/// Reasons as sentences: a capital letter, a full stop.
fn sentences(reasons: &[String]) -> String {
    let said = reasons.iter().map(|reason| sentence(reason)).filter(|sentence| !sentence.is_empty());
    said.collect::<Vec<_>>().join(" ")
}

fn sentence(reason: &str) -> String {
    let mut letters = reason.trim().trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_790_928_000 + secs).unwrap()
    }

    fn opened(case: u32) -> Record {
        Record::CaseOpened {
            case: CaseId(case),
            trouble: Trouble::AgentAway,
            subject: "arn:aws:ecs:r:1:container-instance/prod-a/0f3a".into(),
            cluster: "arn:aws:ecs:r:1:cluster/prod-a".into(),
            machine: Some("i-1".into()),
            reasons: vec!["agent disconnected".into()],
        }
    }

    fn closed(case: u32, lasted_secs: i64) -> Record {
        Record::CaseClosed { case: CaseId(case), reason: "the agent is back".into(), lasted_secs }
    }

    #[test]
    fn routine_reconnects_are_told_three_times_and_then_counted() {
        let mut story = Story::new(Policy::default());
        let mut told = 0;
        for case in 1..=10 {
            assert!(story.hear(at(0), &opened(case)).is_none(), "an agent that just left is no news");
            told += u32::from(story.hear(at(4), &closed(case, 4)).is_some());
        }
        assert_eq!((story.routine(), told), (10, 3));
    }

    #[test]
    fn an_agent_that_stays_away_is_told_at_each_step() {
        let mut story = Story::new(Policy::default());
        story.hear(at(0), &opened(1));
        assert!(story.watch(at(30)).is_empty());
        assert_eq!(story.watch(at(50)).len(), 1);
        assert!(story.watch(at(60)).is_empty(), "once is enough");
        let moved = Record::CaseMoved {
            case: CaseId(1),
            from: Stage::Suspected,
            to: Stage::Confirming,
            verdict: Verdict::Suspected,
            confidence: fleet::verdict::Confidence::Low,
            reasons: vec![],
        };
        assert!(story.hear(at(180), &moved).unwrap().text.contains("the grace of 3 min is over"));
        assert!(story.hear(at(900), &closed(1, 900)).unwrap().text.contains("closed after 15 min"));
        assert_eq!(story.routine(), 0, "that was no routine reconnect");
    }
}
