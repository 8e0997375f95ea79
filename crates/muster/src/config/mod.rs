//! The configuration file: TOML, one section a file, every option documented, defaulted and checked.
//!
//! | to learn | read |
//! |---|---|
//! | where AWS is and how much of its rate muster may use | [`aws`] |
//! | which clusters are watched | [`clusters`] |
//! | where events come from, how often everything is looked at | [`events`], [`sweep`] |
//! | how much is waited and tolerated, how far muster goes | [`policy`], [`preset`] |
//! | which remedies are tried, for which clusters and troubles | [`ladder`], [`custom`], [`replace`] |
//! | how much may be disturbed, when, and what never | [`budget`], [`window`], [`protect`] |
//! | what room is always kept | [`headroom`] |
//! | who is told what, and where pages go | [`notices`], [`receivers`] |
//! | what room is left, told to CloudWatch | [`publish`] |
//! | records and logs, kept and queried; what AWS asks for them | [`telemetry`], [`prices`] |
//! | who may ask for what; where secrets lie | [`operators`], [`secret`] |
//! | who acts, where several musters watch | [`lease`] |
//! | where the record is kept | [`journal`] |
//! | where muster listens, what it logs | [`http`], [`log`] |
//! | words that several sections use | [`words`] |
//! | how a mistake is shown | [`mistake`] |
//! | what is allowed and still worth a word | [`warnings`] |
//! | how `muster config example` is written | [`example`] |

pub mod aws;
pub mod budget;
pub mod clusters;
pub mod custom;
pub mod events;
pub mod example;
pub mod headroom;
pub mod http;
pub mod journal;
pub mod ladder;
pub mod lease;
pub mod log;
pub mod mistake;
pub mod notices;
pub mod operators;
pub mod policy;
pub mod preset;
pub mod prices;
pub mod protect;
pub mod publish;
pub mod receivers;
pub mod replace;
pub mod secret;
pub mod sweep;
pub mod telemetry;
pub mod warnings;
pub mod window;
pub mod words;

use std::path::Path;

use fleet::{
    notice::route::Routing,
    policy::{Mode, Policy, budget::default_budgets},
};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use mistake::{Mistake, Mistakes, Wrong};

/// The whole file. Every section and every option may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "muster configuration")]
pub struct Config {
    /// Where AWS is and how muster gets in. Everything left out is taken from the environment, as any AWS tool does.
    pub aws: aws::AwsSection,
    /// Which clusters are watched. Names, globs and the tag add up; with none of them, clusters carrying the tag are
    /// watched.
    pub clusters: clusters::ClustersSection,
    /// Where events come from. Without a queue muster still works, by sweeps alone, and learns of trouble later.
    pub events: events::EventsSection,
    /// How often muster looks at everything, to find what events missed.
    pub sweep: sweep::SweepSection,
    /// How much is waited and tolerated before muster speaks, and how far it goes. Nothing is touched unless a mode says
    /// approve or act.
    pub policy: policy::PolicySection,
    /// How far muster goes for some clusters and troubles, how long it waits, and which remedies it tries. Of all entries that
    /// fit, the last one that says something wins, option by option.
    pub ladder: Vec<ladder::LadderEntry>,
    /// How much may be disturbed; all limits that fit hold at once. Yours take the place of the usual ones: one host at a time
    /// in each cluster, and no more than 10% of it.
    pub budget: Vec<budget::BudgetEntry>,
    /// When muster may act. Without windows: always.
    pub window: Vec<window::WindowEntry>,
    /// What muster leaves alone, whatever its trouble.
    pub protect: protect::ProtectSection,
    /// How a machine is replaced.
    pub replace: replace::ReplaceSection,
    /// What room is always kept. Nothing is done unless an entry's mode says approve or act.
    pub headroom: Vec<headroom::HeadroomEntry>,
    /// Actions of your own, for rungs with remedy = "custom".
    pub custom: Vec<custom::CustomEntry>,
    /// Who is told what, when, and how often. Without routes notices go to the log alone.
    pub notices: notices::NoticesSection,
    /// Where pages go: Slack, PagerDuty, Teams, e-mail, SNS, or a webhook of yours.
    pub receiver: Vec<receivers::ReceiverEntry>,
    /// Telling CloudWatch what room is left.
    pub publish: publish::PublishSection,
    /// Performance records and logs, kept and queried by muster itself.
    pub telemetry: telemetry::TelemetrySection,
    /// What AWS asks for metrics and logs, for `muster insights` to tell the bill before anything is switched on.
    pub prices: prices::PricesSection,
    /// Who may ask for what over HTTP. Without tokens whoever is on this machine may look and act, and nobody else may do
    /// anything.
    pub operators: operators::OperatorsSection,
    /// Who acts, where several musters watch the same clusters.
    pub lease: lease::LeaseSection,
    /// Where the record is kept: audit, recovery and replay in one.
    pub journal: journal::JournalSection,
    /// Where `muster serve` answers.
    pub http: http::HttpSection,
    /// What muster writes to standard error.
    pub log: log::LogSection,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration file {path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was read, and holds mistakes.
    #[error(transparent)]
    Mistaken(#[from] Mistakes),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or holds mistakes: all that could be found, each with its place.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&shown, &text)?),
            Err(source) => Err(ConfigError::Unreadable { path: shown, source }),
        }
    }

    /// Reads and checks `text`; `origin` is the name shown in mistakes.
    ///
    /// # Errors
    /// All mistakes that could be found, each with its place.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Mistakes> {
        let table = match toml::de::DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => return Err(Mistakes(vec![Mistake::of_toml(origin, text, &error)])),
        };
        let unknown = mistake::unknown_keys(origin, text, table.get_ref(), Self::schema().as_value());
        if !unknown.is_empty() {
            return Err(Mistakes(unknown));
        }
        let config: Self =
            toml::from_str(text).map_err(|error| Mistakes(vec![Mistake::of_toml(origin, text, &error)]))?;
        let wrong = config.check();
        if wrong.is_empty() {
            return Ok(config);
        }
        Err(Mistakes(wrong.iter().map(|wrong| Mistake::at_option(origin, text, table.get_ref(), wrong)).collect()))
    }

    /// What no type can say: ranges, and options that must agree with each other.
    fn check(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        self.aws.check(&mut wrong);
        self.clusters.check(&mut wrong);
        self.events.check(&mut wrong);
        self.sweep.check(&mut wrong);
        self.policy.check(&mut wrong);
        ladder::check(self, &mut wrong);
        budget::check(&self.budget, &mut wrong);
        window::check(&self.window, &mut wrong);
        self.protect.check(&mut wrong);
        self.replace.check(&mut wrong);
        headroom::check(&self.headroom, &mut wrong);
        custom::check(&self.custom, &mut wrong);
        self.notices.check(&self.receiver_names(), &mut wrong);
        receivers::check(&self.receiver, self.notices.heartbeat.as_ref(), &mut wrong);
        self.publish.check(&mut wrong);
        self.telemetry.check(&mut wrong);
        self.prices.check(&mut wrong);
        self.operators.check(&mut wrong);
        self.lease.check(&mut wrong);
        self.journal.check(&mut wrong);
        self.http.check(&self.operators, &mut wrong);
        self.log.check(&mut wrong);
        wrong
    }

    /// Whether sweeps look at all tasks: what they hold is wanted where room is published, and each where records are made.
    pub fn audits_tasks(&self) -> bool {
        let records = self.telemetry.enabled && self.telemetry.records;
        self.sweep.audit_tasks || self.publish.to != publish::To::Nowhere || records
    }

    /// The names of the receivers there are.
    fn receiver_names(&self) -> Vec<&str> {
        self.receiver.iter().map(|receiver| receiver.name.as_str()).collect()
    }

    /// What the core decides by.
    pub fn policy(&self) -> Policy {
        let own = &self.policy;
        let mut rules = own.preset.map_or_else(Vec::new, preset::Preset::rules);
        rules.extend(self.ladder.iter().map(ladder::LadderEntry::rule));
        Policy {
            grace_secs: own.grace_secs,
            act_after_secs: own.act_after_secs,
            fail_after: own.preset.map_or(own.fail_after, |preset| preset.looks(own.fail_after)),
            flapping_per_hour: own.flapping_per_hour,
            launch_grace_secs: own.launch_grace_secs,
            drain_stuck_secs: own.drain_stuck_secs,
            doubt_share: own.doubt_share,
            doubt_min_hosts: own.doubt_min_hosts,
            doubt_after_secs: own.doubt_after_secs,
            stale_after_secs: own.stale_after_secs,
            fresh_secs: own.fresh_secs,
            gap_look_secs: own.gap_look_secs,
            mode: own.mode,
            rules,
            budgets: if self.budget.is_empty() {
                default_budgets()
            } else {
                self.budget.iter().map(budget::BudgetEntry::budget).collect()
            },
            windows: self.window.iter().map(window::WindowEntry::window).collect(),
            protection: self.protect.protection(),
            replacement: self.replace.replacement(),
            routing: self.notices.routing(),
            headroom: self.headroom.iter().map(headroom::HeadroomEntry::keep).collect(),
        }
    }

    /// The same for whoever only looks, `muster scan` and `muster replay`: nothing is done, nobody is paged, and what would be
    /// done is said.
    pub fn watching_policy(&self) -> Policy {
        let mut policy = self.policy();
        policy.mode = policy.mode.min(Mode::DryRun);
        for mode in policy.rules.iter_mut().filter_map(|rule| rule.mode.as_mut()) {
            *mode = (*mode).min(Mode::DryRun);
        }
        for mode in policy.headroom.iter_mut().filter_map(|keep| keep.mode.as_mut()) {
            *mode = (*mode).min(Mode::DryRun);
        }
        policy.routing = Routing::default();
        policy
    }

    /// Whether any cluster is one that muster may touch, by itself or on approval.
    pub fn may_act(&self) -> bool {
        let acts = |mode: Mode| matches!(mode, Mode::Approve | Mode::Act);
        acts(self.policy.mode)
            || self.ladder.iter().any(|entry| entry.mode.is_some_and(acts))
            || self.headroom.iter().any(|entry| acts(entry.mode))
    }

    /// The JSON Schema of the file.
    pub fn schema() -> Schema {
        schemars::generate::SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        Config::parse("muster.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_default_configuration() {
        assert_eq!(Config::parse("muster.toml", "").unwrap(), Config::default());
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert!(Config::default().check().is_empty());
    }

    #[test]
    fn an_unknown_option_is_shown_in_its_line_with_the_nearest_known_one() {
        assert_eq!(
            mistakes("[policy]\ngrace_sec = 60\n"),
            "muster.toml:2:1: [policy] has no option `grace_sec`\n  |\n2 | grace_sec = 60\n  | ^^^^^^^^^\n  = did you mean `grace_secs`?"
        );
    }

    #[test]
    fn every_unknown_option_of_a_file_is_shown_at_once() {
        let text = mistakes("[swep]\nevery_secs = 1\n[htpp]\n");
        assert!(text.contains("did you mean `sweep`?") && text.contains("did you mean `http`?"), "{text}");
    }

    #[test]
    fn a_word_that_is_no_choice_is_shown_with_the_nearest_choice() {
        let text = mistakes("[log]\nformat = \"jsn\"\n");
        assert!(text.starts_with("muster.toml:2:10: "), "{text}");
        assert!(text.contains("did you mean `json`?"), "{text}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_shown_where_it_stands() {
        let text = mistakes("[policy]\ngrace_secs = \"soon\"\n");
        assert!(text.starts_with("muster.toml:2:14: ") && text.contains("^^^^^^"), "{text}");
    }

    #[test]
    fn a_share_beyond_one_is_refused() {
        let text = mistakes("[policy]\ndoubt_share = 20.0\n");
        assert!(text.contains("muster.toml:2:15:") && text.contains("between 0 and 1"), "{text}");
    }

    #[test]
    fn options_that_contradict_each_other_are_shown_at_the_one_that_was_written() {
        let text = mistakes("[policy]\nact_after_secs = 60\n");
        assert!(text.contains("muster.toml:2:18:") && text.contains("grace_secs (180)"), "{text}");
    }

    #[test]
    fn the_default_file_is_the_default_policy_of_the_core() {
        assert_eq!(Config::default().policy(), Policy::default());
        assert!(!Config::default().may_act());
    }

    #[test]
    fn everything_that_is_written_reaches_the_core() {
        let text = r#"
            [policy]
            mode = "approve"
            [[ladder]]
            clusters = ["prod-*"]
            troubles = ["agent-away", "runtime"]
            mode = "act"
            grace_secs = 61
            act_after_secs = 62
            fail_after = 63
            rungs = [{ remedy = "restart-agent", deadline_secs = 64 }, { remedy = "custom", custom = "fix" }]
            [[custom]]
            name = "fix"
            lambda = "fix-host"
            [[budget]]
            per = "zone"
            at_once = 2
            [[budget]]
            clusters = ["prod-*"]
            per = "group"
            per_hour = "12.5%"
            [[window]]
            clusters = ["prod-*"]
            opens = "0 9 * * MON-FRI"
            lasts = "8h"
            time_zone = "Europe/Berlin"
            [protect]
            marks = ["keep", "team=a"]
            tasks = ["service:ledger-*"]
            launch_secs = 65
            [replace]
            drain_secs = 66
            scale_up_first = true
            outside_groups = true
            arrival_secs = 67
            [notices]
            wait_secs = 68
            interval_secs = 69
            repeat_secs = 70
        "#;
        let config = Config::parse("muster.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let told = serde_json::to_string(&config.policy()).unwrap();
        for number in (61..=70).map(|number| number.to_string()) {
            assert!(told.contains(&number), "{number} is lost: {told}");
        }
        let policy = config.policy();
        assert!(config.may_act());
        let watching = config.watching_policy();
        assert_eq!(
            (watching.mode, watching.terms("prod-a", fleet::journal::Trouble::Runtime).mode),
            (Mode::DryRun, Mode::DryRun)
        );
        let terms = policy.terms("prod-a", fleet::journal::Trouble::Runtime);
        assert_eq!((terms.mode, terms.ladder.len(), terms.grace_secs), (Mode::Act, 2, 61));
        assert_eq!(policy.budgets[0].at_once, Some(fleet::policy::Limit::Hosts(2)));
        assert_eq!(policy.budgets[1].per_hour, Some(fleet::policy::Limit::Percent(12.5)));
        assert_eq!((policy.windows[0].lasts_secs, policy.windows[0].check()), (8 * 3600, Ok(())));
        assert_eq!(policy.protection.marks, ["keep", "team=a"]);
        assert!(policy.replacement.scale_up_first && policy.replacement.outside_groups);
    }

    #[test]
    fn text_that_is_no_toml_is_shown_where_it_breaks() {
        let text = mistakes("[policy\ngrace_secs = 1\n");
        assert!(text.starts_with("muster.toml:1:8: "), "{text}");
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = mistakes("[clusters]\nnames = [\"ÄÖÜ\"]\nnamse = []\n");
        assert!(text.contains("muster.toml:3:1:"), "{text}");
        let text = mistakes("[log]\nlevel = \"äö\" \"x\"\n");
        assert!(text.starts_with("muster.toml:2:"), "{text}");
    }

    #[test]
    fn what_could_never_work_is_shown_where_it_stands_with_what_to_do() {
        let mut surprises = Vec::new();
        for (text, place, says) in [
            ("[[budget]]\nat_once = 0\n", "2:11", "mode = \"dry-run\""),
            ("[[budget]]\nat_once = \"101%\"\n", "2:11", "more than all hosts"),
            ("[[budget]]\nat_once = \"0%\"\n", "2:11", "lets nothing ever happen"),
            ("[[budget]]\nat_once = \"some\"\n", "2:11", "\"10%\""),
            ("[[budget]]\nat_once = -1\n", "2:11", "no number of hosts"),
            ("[[budget]]\nper = \"zone\"\n", "1:1", "limits nothing"),
            ("[[budget]]\nclusters = [\"a\"]\nat_once = 1\n", "1:1", "no budget covers the other clusters"),
            ("[[budget]]\nper = \"zon\"\nat_once = 1\n", "2:7", "did you mean `zone`?"),
            ("[[window]]\nopens = \"0 0 31 2 *\"\nlasts = \"8h\"\n", "2:9", "never opens"),
            ("[[window]]\nopens = \"0 9 * *\"\nlasts = \"8h\"\n", "2:9", "five"),
            ("[[window]]\nopens = \"0 9 * * *\"\nlasts = \"15d\"\n", "3:9", "two weeks"),
            ("[[window]]\nopens = \"0 9 * * *\"\nlasts = \"soon\"\n", "3:9", "90s, 15m, 2h"),
            (
                "[[window]]\nopens = \"0 9 * * *\"\nlasts = \"8h\"\ntime_zone = \"Europe/Bielefeld\"\n",
                "4:13",
                "no time zone",
            ),
            ("[[ladder]]\nclusters = [\"a\"]\n", "1:1", "says nothing"),
            ("[[ladder]]\nmode = \"act\"\nrungs = []\n", "3:9", "does nothing"),
            ("[[ladder]]\nmode = \"atc\"\n", "2:8", "did you mean `act`?"),
            ("[[ladder]]\nmode = \"act\"\ntroubles = [\"flapping\"]\n", "3:12", "no usual ladder for flapping"),
            ("[[ladder]]\nmode = \"act\"\ntroubles = [\"agent-awey\"]\n", "3:13", "did you mean `agent-away`?"),
            ("[[ladder]]\nrungs = [{ remedy = \"restart-agnet\" }]\n", "2:21", "did you mean `restart-agent`?"),
            ("[[ladder]]\nrungs = [{ remedy = \"custom\" }]\n", "2:21", "needs a name"),
            (
                "[[ladder]]\nrungs = [{ remedy = \"custom\", custom = \"fxi\" }]\n[[custom]]\nname = \"fix\"\nlambda = \"x\"\n",
                "2:40",
                "did you mean `fix`?",
            ),
            ("[[ladder]]\nrungs = [{ remedy = \"reboot\", custom = \"fix\" }]\n", "2:40", "write remedy = \"custom\""),
            ("[[ladder]]\nrungs = [{ remedy = \"tell-someone\" }, { remedy = \"reboot\" }]\n", "2:21", "never reached"),
            ("[[ladder]]\nrungs = [{ remedy = \"reboot\", deadline = 5 }]\n", "2:31", "did you mean `deadline_secs`?"),
            ("[[ladder]]\nrungs = [{ remedy = \"reboot\", deadline_secs = 0 }]\n", "2:47", "out of range"),
            ("[[ladder]]\nact_after_secs = 100\n", "2:18", "must be more than grace_secs (180)"),
            (
                "[[ladder]]\ngrace_secs = 100\n[[ladder]]\nclusters = [\"a\"]\nact_after_secs = 90\n",
                "5:18",
                "grace_secs (100)",
            ),
            ("[[ladder]]\nclusters = [\"a\"]\nmode = \"act\"\n[[ladder]]\nmode = \"dry-run\"\n", "1:1", "never heard"),
            ("[[ladder]]\nclusters = [\"prod.*\"]\nmode = \"act\"\n", "2:12", "fits no cluster"),
            ("[protect]\nmarks = [\"aws:ec2:x\"]\n", "2:9", "AWS's own"),
            ("[clusters]\ntag_key = \"team*\"\n", "2:11", "no `*`"),
            ("[clusters]\ntag_value = \"a\\u001B[2J\"\n", "2:13", "can be no tag"),
            ("[clusters]\ntag_kye = \"team\"\n", "2:1", "did you mean `tag_key`?"),
            ("[aws]\nact_roles = [\"muster-act\"]\n", "2:14", "arn:aws:iam::ACCOUNT:role/NAME"),
            (
                "[aws]\nact_roles = [\"arn:aws:iam::210987654321:role/a\", \"arn:aws:iam::210987654321:role/b\"]\n",
                "2:50",
                "take one out",
            ),
            (
                "[aws]\nroles = [\"arn:aws:iam::210987654321:role/a\"]\nact_roles = [\"arn:aws:iam::210987654321:role/a\"]\n",
                "3:14",
                "give acting a role of its own",
            ),
            ("[[budget]]\nat_once = \"0.0%\"\n", "2:11", "lets nothing ever happen"),
            ("[[budget]]\nat_once = 1\nper_hour = \"250%\"\n", "3:12", "more than all hosts"),
            ("[[window]]\nopens = \"0 9 30 2 *\"\nlasts = \"8h\"\n", "2:9", "never opens"),
            ("[[window]]\nopens = \"60 9 * * *\"\nlasts = \"8h\"\n", "2:9", ""),
            ("[protect]\ntasks = [\"ledger\"]\n", "2:9", "service:NAME"),
            ("[notices]\nfallback = \"team\"\n", "2:12", "no [[receiver]] called `team`"),
            (
                "[[receiver]]\nname = \"team\"\nurl = \"env:A\"\n[notices]\nroutes = [{ receivers = [\"taem\"] }]\n",
                "5:25",
                "did you mean `team`?",
            ),
            ("[notices]\nroutes = [{ clusters = [\"a\"] }]\n", "2:11", "names no receiver"),
            ("[[notices.routes]]\nrecievers = [\"a\"]\n", "2:1", "did you mean `receivers`?"),
            (
                "[[notices.routes]]\nclusters = [\"a\"]\n[[notices.routes.routes]]\ntrubles = []\n",
                "4:1",
                "did you mean `troubles`?",
            ),
            ("[[custom]]\nname = \"fix\"\n", "1:1", "give it command"),
            ("[[custom]]\nname = \"fix\"\ncommand = [\"fix\"]\n", "3:11", "no absolute path"),
            ("[[custom]]\nname = \"fix\"\nlambda = \"a\"\nssm_document = \"b\"\n", "4:16", "one action does one thing"),
            (
                "[operators]\ntokens = [{ name = \"a\", role = \"act\", secret = \"hunter2-hunter2\" }]\n",
                "2:",
                "env:NAME",
            ),
            (
                "[operators]\ntokens = [{ name = \"a\", role = \"rot\", secret = \"env:A\" }]\n",
                "2:",
                "unknown variant `rot`",
            ),
            ("[lease]\nname = \"a\"\n", "2:8", "without a table"),
            ("[http]\ncert_file = \"/c\"\n", "2:13", "key_file"),
            ("[replace]\nby_health = true\nscale_up_first = true\n", "2:13", "choose one"),
            ("[policy]\npreset = \"agent-moniter\"\n", "2:10", "did you mean `agent-monitor`?"),
        ] {
            let told = mistakes(text);
            if !told.starts_with(&format!("muster.toml:{place}")) || !told.contains(says) {
                surprises.push(format!("expected {place} and {says}\n{text}{told}"));
            }
        }
        assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
    }

    #[test]
    fn a_secret_that_is_written_into_the_file_is_not_shown_again() {
        let told = mistakes("[operators]\ntokens = [{ name = \"a\", role = \"act\", secret = \"hunter2-hunter2\" }]\n");
        assert!(told.contains("muster.toml:2:48") && told.contains("env:NAME"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
