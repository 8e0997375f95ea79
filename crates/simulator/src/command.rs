//! Commands that SSM runs on machines: what each does there, what it says when it ends, and what SSM tells of it
//! meanwhile. Both faces send them and find them again here.

use crate::{
    clock::{MINUTE, Moment, SECOND},
    faults::SsmManner,
    queue::uuid,
    simulation::Simulation,
    world::{MachineId, World},
};

/// From the call to the delivery on the machine.
const DELIVERY_MS: i64 = SECOND;
/// How long a command takes that waits until the agent answers.
const AGENT_MS: i64 = 12 * SECOND;
/// How long a script waits in vain for an agent.
const IN_VAIN_MS: i64 = 40 * SECOND;
/// How long every other command takes.
const SHORT_MS: i64 = 3 * SECOND;
/// A host of ECS Anywhere gives its command the time to end before it goes down.
const BEFORE_REBOOT_MS: i64 = MINUTE;

/// What a command does on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Restarts the agent and waits for its answer.
    RestartAgent,
    /// Restarts Docker, and with it the agent.
    RestartRuntime,
    /// Reboots the machine, in a minute.
    Reboot,
    /// Reads logs.
    SaveEvidence,
    /// Something that makes no difference here.
    Other,
}

impl Errand {
    /// By the word that muster's scripts and documents are given.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "restart-agent" => Self::RestartAgent,
            "restart-runtime" => Self::RestartRuntime,
            "reboot" => Self::Reboot,
            "save-evidence" => Self::SaveEvidence,
            _ => return None,
        })
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::RestartAgent => "restart-agent",
            Self::RestartRuntime => "restart-runtime",
            Self::Reboot => "reboot",
            Self::SaveEvidence => "save-evidence",
            Self::Other => "other",
        }
    }

    /// By the lines of a shell script: muster's own name their errand in the first line, those of others are known by
    /// what they restart.
    pub fn of_script(lines: &[&str]) -> Self {
        let named = lines.first().and_then(|line| line.trim().strip_prefix("action="));
        if let Some(word) = named {
            return Self::parse(word.trim_matches('\'')).unwrap_or(Self::Other);
        }
        let whole = lines.join("\n");
        let has = |words: &[&str]| words.iter().any(|word| whole.contains(word));
        if has(&["restart docker", "restart containerd"]) {
            Self::RestartRuntime
        } else if has(&["restart ecs", "restart amazon-ecs", "start ecs"]) {
            Self::RestartAgent
        } else {
            Self::Other
        }
    }
}

/// How a command will end, decided when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Course {
    /// It never reaches the machine.
    Undelivered,
    /// It reaches the machine, does nothing and never ends.
    Hangs,
    /// It ends by itself.
    Ends { at: Moment, exit: i32, says: String },
}

/// A command on one machine.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Command id: a command sent to several machines has one.
    pub id: String,
    /// Where.
    pub machine: MachineId,
    /// Whoever sent it finds it by this.
    pub comment: String,
    /// The document.
    pub document: String,
    /// When.
    pub at: Moment,
    /// It truly did something.
    pub took_effect: bool,
    deliver_by: Moment,
    run_by: Moment,
    course: Course,
    cancelled_at: Option<Moment>,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// `Pending`, `InProgress`, `Success`, `Failed`, `TimedOut`, `Cancelled`.
    pub status: &'static str,
    /// The finer word.
    pub details: &'static str,
    /// Exit code; -1 before there is one.
    pub exit: i32,
    /// What the script printed.
    pub says: &'a str,
}

impl Progress<'_> {
    /// Nothing more will come.
    pub fn has_ended(&self) -> bool {
        !matches!(self.status, "Pending" | "InProgress")
    }
}

impl Sent {
    /// How far it has come at `now`.
    pub fn progress(&self, now: Moment) -> Progress<'_> {
        let so_far = |status, details| Progress { status, details, exit: -1, says: "" };
        let seen = self.cancelled_at.map_or(now, |at| at.min(now));
        let reached = match &self.course {
            Course::Undelivered if seen < self.deliver_by => so_far("Pending", "Pending"),
            Course::Undelivered => so_far("TimedOut", "Delivery Timed Out"),
            _ if seen < self.at.plus(DELIVERY_MS) => so_far("Pending", "Pending"),
            Course::Ends { at, exit, says } if seen >= *at && *at <= self.run_by => {
                let status = if *exit == 0 { "Success" } else { "Failed" };
                Progress { status, details: status, exit: *exit, says }
            }
            _ if seen < self.run_by => so_far("InProgress", "InProgress"),
            _ => so_far("TimedOut", "Execution Timed Out"),
        };
        match self.cancelled_at {
            Some(at) if at <= now && !reached.has_ended() => so_far("Cancelled", "Cancelled"),
            _ => reached,
        }
    }

    /// When its end is seen, unless somebody cancels it.
    pub fn ends_at(&self) -> Moment {
        match &self.course {
            Course::Undelivered => self.deliver_by,
            Course::Hangs => self.run_by,
            Course::Ends { at, .. } => (*at).min(self.run_by),
        }
    }
}

/// Why a command is not sent to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// SSM does not know the machine.
    Unknown,
    /// SSM has lost it.
    Lost,
}

/// A command to be sent.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// To which machine.
    pub machine: MachineId,
    /// To do what.
    pub errand: Errand,
    /// The document's name.
    pub document: &'a str,
    /// To be found again by.
    pub comment: &'a str,
    /// How long SSM tries to deliver it.
    pub delivery_ms: i64,
    /// How long it may run.
    pub execution_ms: i64,
}

/// Commands that were sent, oldest first.
#[derive(Debug, Default)]
pub struct Commands {
    sent: Vec<Sent>,
    ids: u64,
}

impl Commands {
    /// An id for a new command.
    pub fn fresh_id(&mut self) -> String {
        self.ids += 1;
        uuid(0x636f_6d6d, self.ids)
    }

    /// All of them, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().rev()
    }

    /// A command on a machine.
    pub fn find(&self, id: &str, machine: MachineId) -> Option<&Sent> {
        self.sent.iter().rev().find(|sent| sent.id == id && sent.machine == machine)
    }

    /// The newest command with this comment on a machine.
    pub fn with_comment(&self, comment: &str, machine: MachineId) -> Option<&Sent> {
        self.sent.iter().rev().find(|sent| sent.comment == comment && sent.machine == machine)
    }

    /// Gives a command up, on these machines or on all it was sent to. What runs already is ended where it stands.
    /// False when there is no such command.
    pub fn cancel(&mut self, id: &str, machines: &[MachineId], now: Moment) -> bool {
        let mut known = false;
        for sent in self.sent.iter_mut().filter(|sent| sent.id == id) {
            known = true;
            if machines.is_empty() || machines.contains(&sent.machine) {
                sent.cancelled_at.get_or_insert(now);
            }
        }
        known
    }
}

impl Simulation {
    /// Whether SSM takes a command for this machine: with the time of its last ping, as long as it does.
    ///
    /// # Errors
    /// Why not.
    pub fn can_be_sent(&self, machine: MachineId) -> Result<(), NotSent> {
        let found = self.world.machine(machine).filter(|found| found.state != crate::world::MachineState::Terminated);
        match found.and_then(|found| found.ping(self.world.now)) {
            None => Err(NotSent::Unknown),
            Some(ping) if !ping.online => Err(NotSent::Lost),
            Some(_) => Ok(()),
        }
    }

    /// Sends a command to a machine that SSM knows, under an id of [`Commands::fresh_id`].
    pub fn send(&mut self, id: String, order: &Order<'_>) -> &Sent {
        let manner = self.faults.ssm.clone().draw(self.errors());
        let now = self.world.now;
        let silent = self.world.machine(order.machine).is_none_or(|found| found.ping_lost_at.is_some());
        let ends = |after_ms, exit, says: String| Course::Ends { at: now.plus(after_ms), exit, says };
        // Its ping is not called lost yet, but nothing reaches it.
        let (course, took_effect) = if silent {
            (Course::Undelivered, false)
        } else {
            match manner {
                SsmManner::Hangs => (Course::Hangs, false),
                SsmManner::Lies => (ends(AGENT_MS, 0, "the agent answers on the host".to_owned()), false),
                SsmManner::Honest => {
                    let (after_ms, exit, says, took_effect) = run(&mut self.world, order.machine, order.errand);
                    (ends(after_ms, exit, says), took_effect)
                }
            }
        };
        let sent = Sent {
            id,
            machine: order.machine,
            comment: order.comment.to_owned(),
            document: order.document.to_owned(),
            at: now,
            took_effect,
            deliver_by: now.plus(order.delivery_ms),
            run_by: now.plus(DELIVERY_MS + order.execution_ms),
            course,
            cancelled_at: None,
        };
        let at = self.commands.sent.len();
        self.commands.sent.push(sent);
        &self.commands.sent[at]
    }
}

/// Does it: after how long it ends, with what exit code, what it says, and whether it changed anything.
fn run(world: &mut World, machine: MachineId, errand: Errand) -> (i64, i32, String, bool) {
    let agent_answers = |starts: bool| {
        if starts {
            (AGENT_MS, 0, "the agent answers on the host".to_owned(), true)
        } else {
            (IN_VAIN_MS, 1, "the agent does not answer on the host after its restart".to_owned(), true)
        }
    };
    match errand {
        Errand::RestartAgent => {
            let starts = world.agent_would_start(machine);
            world.restart_agent(machine);
            agent_answers(starts)
        }
        Errand::RestartRuntime => {
            world.restart_runtime(machine);
            agent_answers(world.agent_would_start(machine))
        }
        Errand::Reboot => {
            world.later(BEFORE_REBOOT_MS, crate::world::agenda::Deed::Reboot(machine));
            (SHORT_MS, 0, "the host reboots within a minute".to_owned(), true)
        }
        Errand::SaveEvidence => (SHORT_MS, 0, evidence(world, machine), false),
        Errand::Other => (SHORT_MS, 0, String::new(), false),
    }
}

/// What the logs of a machine say, in the parts that muster's script prints.
fn evidence(world: &World, machine: MachineId) -> String {
    let Some(found) = world.machine(machine) else { return String::new() };
    let now = world.now.iso_secs();
    let docker = if found.agent.docker_sick { "docker does not answer" } else { "CONTAINER ID   IMAGE   STATUS" };
    let agent = match found.agent.process {
        crate::world::Process::Alive => "level=info msg=\"Connected to ACS endpoint\"",
        crate::world::Process::Hung => "level=warn msg=\"no message for a long time\"",
        _ => "level=critical msg=\"the agent has exited\"",
    };
    format!(
        "\n=== muster: agent log ===\ntime={now} {agent}\n\n=== muster: docker state ===\n{docker}\n\n=== muster: machine \
         state ===\nup since {}\n",
        found.launched_at.iso_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_is_told_by_its_name_or_by_what_a_script_restarts() {
        let long = "docker restart ecs-agent # and much more";
        for (lines, errand) in [
            (&["action=save-evidence", long][..], Errand::SaveEvidence),
            (&["action=restart-agent", long][..], Errand::RestartAgent),
            (&["action=nonsense", long][..], Errand::Other),
            (&["sudo systemctl restart ecs"][..], Errand::RestartAgent),
            (&["service docker restart || systemctl restart docker"][..], Errand::RestartRuntime),
            (&["uptime"][..], Errand::Other),
        ] {
            assert_eq!(Errand::of_script(lines), errand, "{lines:?}");
        }
    }

    #[test]
    fn a_command_is_told_of_as_far_as_it_has_come() {
        let at = |secs: i64| Moment(secs * SECOND);
        let sent = |course| Sent {
            id: "c".into(),
            machine: MachineId(0),
            comment: String::new(),
            document: String::new(),
            at: at(0),
            took_effect: false,
            deliver_by: at(60),
            run_by: at(120),
            course,
            cancelled_at: None,
        };
        let status = |sent: &Sent, secs| sent.progress(at(secs)).details;
        let ends = sent(Course::Ends { at: at(12), exit: 1, says: "no".into() });
        assert_eq!([0, 5, 12].map(|secs| status(&ends, secs)), ["Pending", "InProgress", "Failed"]);
        assert_eq!((ends.progress(at(12)).exit, ends.progress(at(11)).exit, ends.ends_at()), (1, -1, at(12)));
        let undelivered = sent(Course::Undelivered);
        assert_eq!([59, 60].map(|secs| status(&undelivered, secs)), ["Pending", "Delivery Timed Out"]);
        let mut hangs = sent(Course::Hangs);
        assert_eq!([119, 120].map(|secs| status(&hangs, secs)), ["InProgress", "Execution Timed Out"]);
        hangs.cancelled_at = Some(at(30));
        assert_eq!([29, 30, 300].map(|secs| status(&hangs, secs)), ["InProgress", "Cancelled", "Cancelled"]);
        let too_late = Sent { cancelled_at: Some(at(20)), ..ends };
        assert_eq!(status(&too_late, 21), "Failed", "what has ended is not cancelled any more");
    }
}
