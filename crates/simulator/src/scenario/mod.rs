//! Stories in files that a person can read and write. The shipped ones are in `scenarios/`, one comment line on top of
//! each saying what it shows.

pub mod file;
mod furnish;
mod plan;
mod wanted;
mod words;

use std::{ops::Range, path::Path};

use file::File;
pub use file::{At, Cluster, Group, Habits, Managed, ManagedScaling, Network, Policy, Service, Subnet};

use crate::{clock::Moment, simulation::Simulation, timeline::Planned, world::World};

/// A scenario, read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    file: File,
    /// Name for messages: the path it was read from, or the name it is shipped under.
    pub name: String,
    /// The comment on top: what it shows.
    pub shows: String,
}

/// Something wrong in a file, and where: byte positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) span: Range<usize>,
    pub(crate) what: String,
}

/// A scenario could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("could not read the scenario {path}")]
    Unreadable {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No scenario of this name is shipped.
    #[error("no scenario `{name}` is shipped and there is no such file; shipped are: {shipped}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        shipped: String,
    },
    /// A mistake in the file.
    #[error("{name}, line {line}, column {column}: {what}")]
    Wrong {
        /// The file.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong, and what to write instead.
        what: String,
    },
}

macro_rules! shipped {
    ($($name:literal)*) => {
        /// The shipped scenarios: name and text.
        pub const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*];
    };
}

shipped! {
    "quiet-day" "demo" "agent-stays-away" "zone-loss" "control-plane-blip" "bad-ami" "flapping" "ghosts"
    "never-registered" "external" "storm-5000" "day-300-hosts" "throttled" "poison" "stuck-on-eni"
    "lab"
}

impl Scenario {
    /// Reads a scenario's text. `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let wrong = |mistake: Mistake| {
            let before = text.get(..mistake.span.start.min(text.len())).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            ScenarioError::Wrong { name: name.to_owned(), line, column, what: mistake.what }
        };
        let file: File = toml::from_str(text)
            .map_err(|error| wrong(Mistake { span: error.span().unwrap_or(0..0), what: error.message().to_owned() }))?;
        let comment =
            text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect::<Vec<_>>().join(" ");
        let scenario = Self { file, name: name.to_owned(), shows: comment };
        // A mistake is told when the file is read, not when the story gets there.
        scenario.furnish(scenario.file.seed).map_err(wrong)?;
        Ok(scenario)
    }

    /// A shipped scenario by name, or a file by path.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, text);
        }
        if !Path::new(name_or_path).exists() && !name_or_path.contains(['/', '.']) {
            let shipped = SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(ScenarioError::Unknown { name: name_or_path.to_owned(), shipped });
        }
        let text = std::fs::read_to_string(name_or_path)
            .map_err(|source| ScenarioError::Unreadable { path: name_or_path.to_owned(), source })?;
        Self::parse(name_or_path, &text)
    }

    /// Reads more lines of a timeline, one table without its heading, for a simulation begun from this scenario. Its
    /// moments count from now; without `time` it happens now.
    ///
    /// # Errors
    /// The mistake, with its line and column.
    pub fn plan_now(&self, simulation: &Simulation, text: &str) -> Result<Vec<Planned>, ScenarioError> {
        const HEADING: &str = "[[at]]\n";
        let wrong = |span: Range<usize>, what: String| {
            let before = text.get(..span.start.saturating_sub(HEADING.len()).min(text.len())).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            ScenarioError::Wrong { name: "the request".to_owned(), line, column, what }
        };
        let mut lines: File = toml::from_str(&format!("{HEADING}{text}"))
            .map_err(|error| wrong(error.span().unwrap_or(0..0), error.message().to_owned()))?;
        for line in &mut lines.at {
            line.get_mut().time.get_or_insert_with(|| toml::Spanned::new(0..0, "0s".to_owned()));
        }
        let file = File { at: lines.at, ..self.file.clone() };
        plan::timeline(&file, &simulation.world, simulation.now()).map_err(|mistake| wrong(mistake.span, mistake.what))
    }

    /// The seed the file names.
    pub fn seed(&self) -> u64 {
        self.file.seed
    }

    /// Furnishes the world and plans the story, for a seed (the file's own when `None`).
    pub fn begin(&self, seed: Option<u64>) -> Simulation {
        self.begin_at(seed, None)
    }

    /// The same with another beginning: `now` for a story that is lived in real time.
    pub fn begin_at(&self, seed: Option<u64>, start: Option<Moment>) -> Simulation {
        let seed = seed.unwrap_or(self.file.seed);
        match self.furnish_at(seed, start) {
            Ok(simulation) => simulation,
            // `parse` furnished it already; a seed and a start change no name.
            Err(_) => Simulation::new(
                seed,
                World::new(seed, Moment::DEFAULT_START),
                Default::default(),
                Vec::new(),
                Moment::DEFAULT_START,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_read_and_says_what_it_shows() {
        for (name, text) in SHIPPED {
            let scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(scenario.shows.len() > 20, "{name} says nothing about itself");
            let lines = text.lines().take_while(|line| line.starts_with('#')).count();
            assert_eq!(lines, 1, "{name}: one comment line says what it shows");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_column_and_a_suggestion() {
        let text = "[[cluster]]\nname = \"prod-a\"\nhosts = 3\n\n[[at]]\ntime = \"10m\"\ndo = \"agent-stp\"\nhost = \"prod-a/1\"\n";
        let error = Scenario::parse("mine.toml", text).unwrap_err().to_string();
        assert_eq!(
            error,
            "mine.toml, line 7, column 6: there is no thing to do `agent-stp`; did you mean `agent-stop`?"
        );
        let too_far = text.replace("agent-stp", "agent-stop").replace("prod-a/1", "prod-a/9");
        let error = Scenario::parse("mine.toml", &too_far).unwrap_err().to_string();
        assert_eq!(error, "mine.toml, line 8, column 8: cluster `prod-a` begins with 3 hosts; there is no number 9");
        let typo = text.replace("hosts = 3", "host = 3");
        let error = Scenario::parse("mine.toml", &typo).unwrap_err().to_string();
        assert!(error.starts_with("mine.toml, line 3, column 1: unknown field `host`"), "{error}");
    }

    #[test]
    fn a_name_that_is_not_shipped_lists_those_that_are() {
        let error = Scenario::load("zone-los").unwrap_err().to_string();
        assert!(error.contains("zone-loss"), "{error}");
    }
}
