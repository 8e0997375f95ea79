//! The demonstration: a pretend fleet lives faster than real time, and the code that watches real clusters watches it.
//!
//! | to learn | read |
//! |---|---|
//! | what is said, and when | [`story`] |
//! | the picture | [`view`] |
//! | its records, and who is answered | [`records`] |

pub mod records;
pub mod story;
pub mod view;

use std::{
    io::{self, IsTerminal as _, Write},
    thread,
    time::{Duration, Instant},
};

use engine::{Arrival, Taken, Turn, journal::MemoryJournal, ports::Look};
use fleet::{
    census::ClusterCensus,
    policy::{self, Policy},
    view::{CaseView, RollCall},
};
use jiff::Timestamp;
use owo_colors::{OwoColorize as _, Style};
use simulator::{
    clock::{MINUTE, Moment},
    direct::{Drive, Mode, Watcher, answers, drive},
    scenario::Scenario,
    simulation::Simulation,
};
use tokio_util::sync::CancellationToken;

use self::{
    records::Keeping,
    story::{Sentence, Story},
    view::{Canvas, Scene, picture},
};
use crate::{
    cli::output::Failure,
    render::{colour, moment},
};

/// The scenario that is shown unless told otherwise.
pub const USUAL: &str = "demo";

/// The usual story is told after so many minutes of its own time: an agent has stayed away and was decided on.
const STORY_MS: i64 = 17 * MINUTE + MINUTE / 2;

/// Without a picture, a line of figures so often.
const FIGURES_EVERY_MS: i64 = 4 * MINUTE;

/// Pictures a second: ten.
const FRAME: Duration = Duration::from_millis(100);

/// A story that is told as fast as it goes lets whoever asks the account in so often, and for so long.
const LET_IN_EVERY: Duration = Duration::from_millis(200);
const LET_IN_FOR: Duration = Duration::from_millis(10);

/// Entries of the journal in memory; nobody recovers from it.
const JOURNAL_ENTRIES: usize = 1000;

/// How it is shown.
#[derive(Clone, Debug)]
pub struct Show {
    /// Seconds of the story in one real second.
    pub speed: f64,
    /// Lines instead of a picture, whatever standard output is.
    pub plain: bool,
    /// Colours are wanted.
    pub coloured: bool,
    /// Seed of the fleet and of chance.
    pub seed: u64,
    /// Go on after the story until stopped.
    pub keep_going: bool,
}

/// Shows it, until the story is told or `stop` is cancelled. Keeps its thread busy.
///
/// # Errors
/// When the answer cannot be written, or the pretend fleet cannot be made.
pub fn run(
    show: &Show,
    scenario: &Scenario,
    keeping: Keeping,
    stop: &CancellationToken,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let account = keeping.account();
    let mut simulation = scenario.begin_at(Some(show.seed), Some(keeping.start()));
    let told = perform(show, scenario, &mut simulation, keeping, stop, out);
    // Whoever is still waiting for an answer gets it.
    account.show_for_good(&mut simulation);
    told
}

fn perform(
    show: &Show,
    scenario: &Scenario,
    simulation: &mut Simulation,
    keeping: Keeping,
    stop: &CancellationToken,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // Nobody's fleet: here muster may do what it would only say elsewhere.
    let policy = Policy { mode: policy::Mode::Act, ..Policy::default() };
    let start = simulation.now();
    let journal = Box::new(MemoryJournal::with_limit(JOURNAL_ENTRIES));
    let mut turn = engine::recover(journal, policy.clone(), crate::VERSION, start.timestamp())?.turn;
    writeln!(out, "listening on http://{}", keeping.address())?;
    out.flush()?;
    let live = !show.plain && io::stdout().is_terminal();
    let stage = if live {
        Stage::Picture(Canvas::new(io::stdout(), show.coloured).map_err(Failure::from)?)
    } else {
        Stage::Lines { out: &mut *out, figures_at: start.plus(FIGURES_EVERY_MS) }
    };
    let mut audience = Audience {
        show,
        stop,
        stage,
        start,
        began: Instant::now(),
        let_in: Instant::now(),
        keeping,
        census: Vec::new(),
        story: Story::new(policy),
        roll: turn.fleet().roll_call(start.timestamp(), None),
        cases: Vec::new(),
        events: 0,
        failed: None,
    };
    audience.introduce(scenario);
    audit_tasks(simulation, &mut turn, &mut audience)?;
    let how = Drive { mode: Mode::Wire, ..Drive::default() };
    let length_ms = if scenario.name == USUAL { STORY_MS } else { simulation.ends().since(start) };
    let mut until = start.plus(length_ms);
    loop {
        drive(simulation, &mut turn, until, &how, &mut audience)?;
        audience.tell(until);
        if !show.keep_going || audience.is_over() {
            break;
        }
        until = until.plus(15 * MINUTE);
    }
    let Audience { stage, story, events, failed, .. } = audience;
    // Gives the cursor back before anything else is written.
    drop(stage);
    if let Some(error) = failed {
        return Err(error.into());
    }
    if stop.is_cancelled() {
        writeln!(out, "\nstopped.")?;
    }
    farewell(out, &story, events)
}

/// What `sweep.audit_tasks` does on a real fleet: the tasks of every host are known before any event tells of them.
fn audit_tasks(simulation: &mut Simulation, turn: &mut Turn, audience: &mut Audience<'_>) -> Result<(), Failure> {
    let mut looks = Vec::new();
    for cluster in &simulation.world.clusters {
        let mut arns = Vec::new();
        for host in &cluster.hosts {
            let Some(id) = simulation.world.host(*host).map(|found| found.cluster) else { continue };
            arns.extend(simulation.world.host_tasks(*host).map(|(task, _)| simulation.world.task_arn(id, task)));
        }
        looks.extend(arns.chunks(100).map(|arns| Look::Tasks { cluster: cluster.arn.clone(), arns: arns.to_vec() }));
    }
    // Clusters and hosts first: a task belongs to a host that is known.
    let mut found = Vec::new();
    answers::sweep(simulation, &mut |answer| found.push(answer));
    found.extend(looks.iter().map(|look| answers::look(simulation, look)));
    let arrivals = found.into_iter().map(|answer| match answer {
        Ok(sweep) => Arrival::Swept(sweep),
        Err(failure) => Arrival::LookFailed(failure),
    });
    let now = simulation.now();
    let taken = turn.take(now.timestamp(), arrivals)?;
    audience.turned(now, simulation, turn, &taken);
    Ok(())
}

/// Where it is shown.
enum Stage<'a> {
    Picture(Canvas<io::Stdout>),
    Lines { out: &'a mut dyn Write, figures_at: Moment },
}

/// Sits between the story's time and real time: holds each turn back until it is due.
struct Audience<'a> {
    show: &'a Show,
    stop: &'a CancellationToken,
    stage: Stage<'a>,
    start: Moment,
    began: Instant,
    /// When whoever asks the account was last let in.
    let_in: Instant,
    keeping: Keeping,
    census: Vec<ClusterCensus>,
    story: Story,
    roll: RollCall,
    cases: Vec<CaseView>,
    events: u64,
    failed: Option<io::Error>,
}

impl Audience<'_> {
    fn is_over(&self) -> bool {
        self.failed.is_some() || self.stop.is_cancelled()
    }

    /// The story's time at this real moment. It never is ahead of the real time: where it has caught up, both go at one pace.
    fn now(&self) -> Moment {
        let told = self.start.plus((self.began.elapsed().as_secs_f64() * self.show.speed * 1000.0) as i64);
        told.min(Moment(Timestamp::now().as_millisecond()))
    }

    fn introduce(&mut self, scenario: &Scenario) {
        let at = self.start.timestamp();
        let usual = [
            "Every host of an ECS cluster runs an agent that keeps a connection to AWS. Agents reconnect by design, on real \
             fleets about twice an hour, here more often so that you can watch. muster lets that pass.",
            "In a few minutes of this story one agent will stop, and stay away. Its machine and its tasks go on running, \
             but ECS can neither see nor place anything there.",
            "This fleet is a pretence, so muster may mend it. Of yours it only says what it would do, until you say otherwise.",
        ];
        let other = [scenario.shows.as_str()];
        let texts = if scenario.name == USUAL { &usual[..] } else { &other[..] };
        let records = format!(
            "What its containers use is kept, and can be asked for while this runs: muster query --saved cpu-by-family \
             --server http://{0}, or any AWS client with AWS_ENDPOINT_URL=http://{0}.",
            self.keeping.address()
        );
        for text in texts.iter().copied().chain([records.as_str()]) {
            let sentence = self.story.say(at, text, Style::new());
            self.print(&sentence);
        }
    }

    /// Tells what is known at this time of the story.
    fn tell(&mut self, now: Moment) {
        if self.is_over() {
            return;
        }
        for sentence in self.story.watch(now.timestamp()) {
            self.print(&sentence);
        }
        self.draw(now);
    }

    /// Draws the picture, or writes a line of figures if it is time for one.
    fn draw(&mut self, now: Moment) {
        let written = match &mut self.stage {
            Stage::Picture(canvas) => {
                let (width, height) = terminal_size::terminal_size()
                    .map_or((100, 30), |(width, height)| (usize::from(width.0), usize::from(height.0)));
                let scene = Scene {
                    now: now.timestamp(),
                    speed: self.show.speed,
                    roll: &self.roll,
                    cases: &self.cases,
                    events: self.events,
                    story: &self.story,
                };
                // The last column stays free: some terminals wrap when it is written.
                let width = width.saturating_sub(1).max(20);
                canvas.draw(&picture(&scene, width, height.saturating_sub(1).clamp(5, 48)), width)
            }
            Stage::Lines { out, figures_at } if now >= *figures_at => {
                *figures_at = figures_at.plus(FIGURES_EVERY_MS);
                let text = figures(&self.roll, self.events, &self.story);
                let time = moment::clock(now.timestamp(), now.timestamp());
                writeln!(out, "{time}  {}", text.style(colour::quiet()))
            }
            Stage::Lines { .. } => Ok(()),
        };
        self.note(written);
    }

    /// Writes a sentence, where sentences are written one below the other.
    fn print(&mut self, sentence: &Sentence) {
        if let Stage::Lines { out, .. } = &mut self.stage {
            let time = moment::clock(sentence.at, sentence.at);
            let text = crate::render::escape::clean(&sentence.text);
            let written = writeln!(out, "{time}  {}", text.style(sentence.style)).and_then(|()| out.flush());
            self.note(written);
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

impl Watcher for Audience<'_> {
    /// Holds time back until it is due, and lets whoever asks into the account meanwhile.
    fn pace(&mut self, simulation: &mut Simulation, target: Moment) -> Moment {
        if self.is_over() || target <= simulation.now() {
            return target;
        }
        let (reached, clock) = (simulation.now(), self.now().min(target));
        self.keeping.minute(reached, &self.census);
        if clock > reached && self.let_in.elapsed() < LET_IN_EVERY {
            return clock;
        }
        self.tell(clock.max(reached));
        let left = if clock > reached {
            LET_IN_FOR
        } else {
            let secs = target.since(clock) as f64 / 1000.0 / self.show.speed;
            Duration::from_secs_f64(secs.clamp(0.0, 1.0)).clamp(LET_IN_FOR, FRAME)
        };
        self.keeping.account().show(simulation, || thread::sleep(left));
        self.let_in = Instant::now();
        self.now().min(target)
    }

    fn turned(&mut self, now: Moment, _: &Simulation, turn: &Turn, taken: &Taken) {
        if self.is_over() {
            return;
        }
        self.tell(now);
        let at: Timestamp = now.timestamp();
        self.census = turn.fleet().census();
        self.roll = turn.fleet().roll_call(at, None);
        self.cases = turn.fleet().cases(at, false);
        self.events = turn.counters().received;
        for record in &taken.records {
            if let Some(sentence) = self.story.hear(at, record) {
                self.print(&sentence);
            }
        }
    }
}

/// `12 hosts: 11 present, 1 suspected; 310 events read, 14 routine reconnects, none of which raised anything`.
fn figures(roll: &RollCall, events: u64, story: &Story) -> String {
    let mut counts: std::collections::BTreeMap<_, usize> = std::collections::BTreeMap::new();
    for host in roll.clusters.iter().flat_map(|cluster| &cluster.hosts) {
        *counts.entry(host.verdict).or_default() += 1;
    }
    let hosts: usize = counts.values().sum();
    let counts: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    format!(
        "{hosts} hosts in {} clusters: {}; {events} events read, {} routine reconnects, none of which raised anything",
        roll.clusters.len(),
        counts.join(", "),
        story.routine()
    )
}

/// The door to the real thing.
fn farewell(out: &mut dyn Write, story: &Story, events: u64) -> Result<(), Failure> {
    writeln!(out)?;
    writeln!(
        out,
        "That was {events} events, {} routine reconnects that raised nothing, {} on the record, and {}. Nothing was \
         done that was not written down first.",
        story.routine(),
        match story.decided() {
            1 => "1 decision".to_owned(),
            many => format!("{many} decisions"),
        },
        match story.done() {
            1 => "1 call that mended something".to_owned(),
            many => format!("{many} calls that mended something"),
        }
    )?;
    writeln!(
        out,
        "On a real fleet muster starts in dry run: it says what it would do, and touches nothing until its configuration \
         says mode = \"approve\" or \"act\"."
    )?;
    writeln!(
        out,
        "The records of its containers were kept meanwhile: `muster demo --keep-going` goes on, and whoever asks is answered."
    )?;
    writeln!(out, "Now yours. This only reads, with the AWS credentials of your shell:")?;
    writeln!(out)?;
    writeln!(out, "  {}", "muster scan --cluster NAME".style(colour::remedy()))?;
    writeln!(out, "  {}", "muster scan --tag ecs-agent-monitoring".style(colour::remedy()))?;
    out.flush()?;
    Ok(())
}
