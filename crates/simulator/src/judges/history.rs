//! What was recorded, asked, called, sent and shown, as data.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Violation;
use crate::{
    clock::Moment,
    world::{HostId, MachineId},
};

/// A record and the world's time when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// The world's time.
    pub at: Moment,
    /// Which muster, where there are several.
    pub by: u8,
    /// The record, as the journal spells it.
    pub record: Value,
}

/// A look that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The world's time.
    pub at: Moment,
    /// By which muster.
    pub by: u8,
    /// `hosts`, `tasks`, `machines` or `pings`.
    pub kind: &'static str,
    /// Of which cluster or place.
    pub of: String,
    /// What was to be looked at.
    pub ids: Vec<String>,
}

/// What one look was told of one thing, re-reads before acts included.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The world's time.
    pub at: Moment,
    /// By which muster.
    pub by: u8,
    /// Container instance ARN or machine id.
    pub id: String,
    /// `hosts`, `machines` or `pings`.
    pub kind: &'static str,
    /// It speaks against the host: its agent is away, its checks fail or it does not run, its ping is lost.
    pub against: bool,
}

/// A call that a remedy made.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The world's time.
    pub at: Moment,
    /// By which muster.
    pub by: u8,
    /// The intent, as the journal spells it.
    pub intent: Value,
    /// A call of the same intent may have been made before.
    pub again: bool,
    /// The truth about its target at that moment.
    pub then: Then,
    /// When its end was seen, and what was said.
    pub ended: Option<(Moment, Value)>,
}

/// The truth about the target of a call, when it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Then {
    /// The container instance.
    pub host: Option<HostId>,
    /// The machine.
    pub machine: Option<MachineId>,
    /// What ECS says: `ACTIVE`, `DRAINING`, …; empty for a machine without a registration.
    pub status: String,
    /// `agentConnected`.
    pub connected: bool,
    /// Since when the machine has a registration that is not INACTIVE.
    pub machine_registered_at: Option<Moment>,
    /// The machine runs.
    pub runs: bool,
    /// The machine is terminated or forgotten.
    pub gone: bool,
    /// EC2's checks fail, the machine does not run, or SSM has lost it.
    pub witnessed: bool,
    /// Tasks that truly run on it, by their groups.
    pub tasks: Vec<String>,
    /// Of those, the groups of the ones that began while muster watched: of older ones no event tells, and no sweep asks.
    pub known_tasks: Vec<String>,
    /// Of those, the ones that a service protects from scale-in.
    pub protected_tasks: usize,
    /// Tags and custom attributes, `name=value`.
    pub marks: Vec<String>,
    /// When it registered.
    pub registered_at: Option<Moment>,
    /// Zone.
    pub zone: String,
    /// Auto Scaling group.
    pub group: String,
    /// Tasks on it that are not over and that no daemon service keeps on every host.
    pub busy: usize,
    /// Its group protects it from scale-in.
    pub scale_in_protected: bool,
    /// What the target's group wants, its least and its most.
    pub group_size: (u32, u32, u32),
    /// ECS manages the size of the target's group.
    pub managed: bool,
}

/// Something that truly happened in the account because somebody called.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// When.
    pub at: Moment,
    /// By which muster.
    pub by: u8,
    /// The token of the intent.
    pub token: String,
    /// The act, `drain`, `terminate-in-group`, ….
    pub act: String,
    /// On which machine.
    pub machine: Option<MachineId>,
    /// The epoch of the lease under which it was called.
    pub epoch: u64,
}

/// A page that a receiver took.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// When.
    pub at: Moment,
    /// From which muster.
    pub by: u8,
    /// The page, as JSON.
    pub page: Value,
}

/// What an operator asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorAct {
    /// When.
    pub at: Moment,
    /// Of which muster.
    pub by: u8,
    /// The request, as JSON.
    pub request: Value,
    /// It was granted.
    pub granted: bool,
}

/// Everything that a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Records in order.
    pub records: Vec<Noted>,
    /// Looks in order.
    pub looks: Vec<Asked>,
    /// What looks were told in order.
    pub seen: Vec<Seen>,
    /// Cases that notices were about, with the world's time and the muster.
    pub notices: Vec<(Moment, u8, u64)>,
    /// Calls in order.
    pub calls: Vec<Call>,
    /// What truly happened, in order.
    pub happened: Vec<Happened>,
    /// Pages in the order of their making.
    pub pages: Vec<Arrived>,
    /// Pages in the order of their arrival.
    pub arrived: Vec<Arrived>,
    /// What operators asked for, in order.
    pub operator: Vec<OperatorAct>,
    /// Crashes in order.
    pub crashes: Vec<(Moment, u8)>,
    /// What the recorder found wrong on the way: the order of journal and effects, rows lost by a crash.
    pub disorder: Vec<Violation>,
}

/// A case's number, with its muster: each has a journal of its own.
pub type CaseKey = (u8, u64);

/// One case, from its records.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseLife {
    /// Its number.
    pub case: u64,
    /// `agent-away`, `doubt`, ….
    pub trouble: String,
    /// ARN, EC2 id or cohort.
    pub subject: String,
    /// Cluster ARN; empty for a doubt wider than a cluster.
    pub cluster: String,
    /// When it was opened.
    pub opened: Moment,
    /// When it was closed, if it was.
    pub closed: Option<Moment>,
    /// Its moves: when, to which stage.
    pub moves: Vec<(Moment, String)>,
}

impl CaseLife {
    /// The case was open at this moment.
    pub fn open_at(&self, at: Moment) -> bool {
        self.opened <= at && self.closed.is_none_or(|closed| closed >= at)
    }

    /// The stage it stood at at this moment.
    pub fn stage_at(&self, at: Moment) -> &str {
        let before = self.moves.iter().take_while(|(moved, _)| *moved <= at).last();
        before.map_or("suspected", |(_, stage)| stage)
    }
}

/// A text field of a record; empty when it is not there.
pub fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The case number of a record.
pub fn case(record: &Value) -> Option<u64> {
    record.get("case").and_then(Value::as_u64)
}

/// The remedy of a decision to act, in a dry run, after approval or at once; `None` for a decision to hold, or another
/// record.
pub fn would(record: &Value) -> Option<&str> {
    chosen(record).map(|(_, remedy)| remedy)
}

/// How and what a decision chose: (`would`, `ask` or `will`, remedy).
pub fn chosen(record: &Value) -> Option<(&'static str, &str)> {
    let decision = record.get("decision")?;
    ["would", "ask", "will"].into_iter().find_map(|how| Some((how, decision.get(how)?.get("remedy")?.as_str()?)))
}

/// The word of an act, as an intent spells it: a word, or a word with its details.
pub fn act_word(intent: &Value) -> &str {
    match intent.get("act") {
        Some(Value::String(word)) => word,
        Some(Value::Object(fields)) => fields.keys().next().map_or("", String::as_str),
        _ => "",
    }
}

/// The word of a result, `done`, `unfit`, ….
pub fn result_word(result: &Value) -> &str {
    match result {
        Value::String(word) => word,
        Value::Object(fields) => fields.keys().next().map_or("", String::as_str),
        _ => "",
    }
}

impl Noted {
    /// The kind of record.
    pub fn kind(&self) -> &str {
        text(&self.record, "kind")
    }

    /// The case it is about.
    pub fn case(&self) -> Option<CaseKey> {
        let case = case(&self.record).or_else(|| self.record.get("intent")?.get("case")?.as_u64());
        case.map(|case| (self.by, case))
    }
}

impl Call {
    /// `drain`, `terminate-in-group`, ….
    pub fn act(&self) -> &str {
        act_word(&self.intent)
    }

    /// `restart-agent`, `replace`, ….
    pub fn remedy(&self) -> &str {
        text(&self.intent, "remedy")
    }

    /// On behalf of which case.
    pub fn case(&self) -> CaseKey {
        (self.by, case(&self.intent).unwrap_or(0))
    }

    /// Its token.
    pub fn token(&self) -> &str {
        text(&self.intent, "token")
    }

    /// A field of its target; empty when it is not there.
    pub fn target(&self, field: &str) -> &str {
        self.intent.get("target").map_or("", |target| text(target, field))
    }

    /// The shell kept it from being made, or a second reading did.
    pub fn was_made(&self) -> bool {
        let word = self.ended.as_ref().map_or("", |(_, result)| result_word(result));
        !matches!(word, "unfit" | "withheld" | "denied")
    }

    /// The other side cannot do it, and has changed nothing.
    pub fn was_impossible(&self) -> bool {
        self.ended.as_ref().is_some_and(|(_, result)| result_word(result) == "impossible")
    }

    /// It follows from a declared headroom.
    pub fn keeps_room(&self) -> bool {
        matches!(self.remedy(), "scale-out" | "scale-in")
    }

    /// Ends the machine.
    pub fn ends_machine(&self) -> bool {
        matches!(self.act(), "terminate-in-group" | "mark-unhealthy" | "terminate")
    }

    /// Disturbs what runs on the host. Reading disturbs nothing, nor does undoing; a ghost has nothing left to disturb,
    /// and the size of a group is not the host's.
    pub fn disturbs(&self) -> bool {
        let spared = matches!(self.act(), "save-evidence" | "undrain" | "set-desired" | "execute-policy");
        let ghost = self.act() == "deregister" && self.remedy() == "deregister";
        !(spared || ghost)
    }
}

impl History {
    /// All cases of all musters.
    pub fn cases(&self) -> BTreeMap<CaseKey, CaseLife> {
        let mut cases: BTreeMap<CaseKey, CaseLife> = BTreeMap::new();
        for noted in &self.records {
            let Some(key) = noted.case() else { continue };
            match noted.kind() {
                "case-opened" => {
                    let life = CaseLife {
                        case: key.1,
                        trouble: text(&noted.record, "trouble").to_owned(),
                        subject: text(&noted.record, "subject").to_owned(),
                        cluster: text(&noted.record, "cluster").to_owned(),
                        opened: noted.at,
                        closed: None,
                        moves: Vec::new(),
                    };
                    cases.insert(key, life);
                }
                "case-moved" => {
                    if let Some(life) = cases.get_mut(&key) {
                        life.moves.push((noted.at, text(&noted.record, "to").to_owned()));
                    }
                }
                "case-closed" => {
                    if let Some(life) = cases.get_mut(&key) {
                        life.closed = Some(noted.at);
                    }
                }
                _ => {}
            }
        }
        cases
    }

    /// The records of one kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Noted> {
        self.records.iter().filter(move |noted| noted.kind() == kind)
    }
}
