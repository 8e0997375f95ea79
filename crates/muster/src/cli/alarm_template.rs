//! `muster capacity alarm-template`: a CloudWatch alarm that goes off when room runs out, and not while all is well.
//!
//! The alarm that users of monitor-ecs-cluster-enis are told to make fires while *more* than two interfaces are left, and
//! looks into a namespace where nothing is published (seed-behaviour §1g). This one compares the other way round.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::output::{Exit, Failure, Output};
use crate::{
    config::publish::is_namespace,
    publish::figures::{LEGACY_DIMENSION, LegacyName, NAMESPACE},
};

/// `muster capacity alarm-template`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster capacity alarm-template --cluster prod-a > alarm.yaml\n  \
    muster capacity alarm-template --cluster prod-a --form cli --threshold 4 --action arn:aws:sns:eu-central-1:210987654321:muster-pages\n  \
    muster capacity alarm-template --cluster prod-a --legacy      (names of monitor-ecs-cluster-enis)\n\n\
    The metrics come from `muster serve` with a section [publish] in its configuration.")]
pub struct AlarmTemplateArgs {
    /// Name of the cluster.
    #[arg(long, value_name = "NAME", value_parser = cluster_name)]
    cluster: String,
    /// What runs out.
    #[arg(long, value_name = "WHAT", default_value = "eni-slots")]
    metric: Metric,
    /// Goes off when so much is left, or less [default: 2 ENI slots, 10 percent].
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// What the alarm does: ARN of a scaling policy or a topic; may be repeated.
    #[arg(long, value_name = "ARN")]
    action: Vec<String>,
    /// A CloudFormation template, or a command of the AWS CLI.
    #[arg(long, value_name = "FORM", default_value = "cloud-formation")]
    form: Form,
    /// The metric names and the dimension of monitor-ecs-cluster-enis.
    #[arg(long)]
    legacy: bool,
    /// Namespace, as in the section [publish].
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE, value_parser = namespace)]
    namespace: String,
    /// Seconds that one point of the alarm covers.
    #[arg(long, value_name = "SECS", default_value_t = 300, value_parser = period)]
    period_secs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// Interfaces for tasks.
    EniSlots,
    /// CPU, in percent.
    Cpu,
    /// Memory, in percent.
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// YAML for CloudFormation.
    CloudFormation,
    /// A command of the AWS CLI.
    Cli,
}

/// ECS's own rule (CreateCluster): letters, digits, hyphens and underscores, 255 at most.
fn cluster_name(text: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    match !text.is_empty() && text.len() <= 255 && text.chars().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err("expected the name of one cluster: letters, digits, `-` and `_`".to_owned()),
    }
}

fn namespace(text: &str) -> Result<String, String> {
    match is_namespace(text) {
        true => Ok(text.to_owned()),
        false => Err("expected 1 to 255 letters, digits, `.`, `_`, `-`, `/`, `#` and `:`".to_owned()),
    }
}

fn period(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(secs) if secs >= 60 && secs % 60 == 0 && secs <= 86_400 => Ok(secs),
        _ => Err("expected whole minutes in seconds: 60, 120, … up to 86400".to_owned()),
    }
}

/// An alarm, in CloudWatch's own words.
struct Alarm<'a> {
    name: String,
    description: String,
    namespace: &'a str,
    metric: &'static str,
    dimension: (&'static str, &'a str),
    threshold: u32,
    period_secs: u32,
    actions: &'a [String],
}

impl AlarmTemplateArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let text = match self.form {
            Form::CloudFormation => self.alarm().yaml(),
            Form::Cli => self.alarm().command(),
        };
        out.answer().write_all(text.as_bytes())?;
        Ok(Exit::DONE)
    }

    fn alarm(&self) -> Alarm<'_> {
        let (slug, clean, legacy, default, what) = match self.metric {
            Metric::EniSlots => ("eni-slots", "FreeEniSlots", LegacyName::Enis, 2, "ENI slots for tasks"),
            Metric::Cpu => ("cpu", "FreeCpuPercent", LegacyName::Cpu, 10, "percent of the CPU"),
            Metric::Memory => ("memory", "FreeMemoryPercent", LegacyName::Memory, 10, "percent of the memory"),
        };
        let threshold = self.threshold.unwrap_or(default);
        let dimension = if self.legacy { LEGACY_DIMENSION } else { "ClusterName" };
        Alarm {
            name: format!("muster-{}-{slug}", self.cluster),
            description: format!(
                "{threshold} or fewer {what} are left on the hosts of {} that take tasks",
                self.cluster
            ),
            namespace: &self.namespace,
            metric: if self.legacy { legacy.word() } else { clean },
            dimension: (dimension, &self.cluster),
            threshold,
            period_secs: self.period_secs,
            actions: &self.action,
        }
    }
}

/// Less than or equal: the alarm is for what runs out.
const COMPARISON: &str = "LessThanOrEqualToThreshold";
/// The least of each period: room that was gone for a while was gone.
const STATISTIC: &str = "Minimum";
/// Without data nothing is known, and nothing should be scaled: a muster that has stopped is another alarm's affair.
const MISSING: &str = "missing";

impl Alarm<'_> {
    fn yaml(&self) -> String {
        let mut text = String::new();
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let _ = write!(
            text,
            "# Goes off when room runs out; OK while there is more.\n\
             AWSTemplateFormatVersion: \"2010-09-09\"\n\
             Description: Room for tasks in an ECS cluster, as muster publishes it\n\
             Resources:\n  RoomRunsOut:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      \
             AlarmName: {}\n      AlarmDescription: {}\n      Namespace: {}\n      MetricName: {}\n      \
             Dimensions:\n        - Name: {}\n          Value: {}\n      \
             Statistic: {STATISTIC}\n      Period: {}\n      EvaluationPeriods: 1\n      DatapointsToAlarm: 1\n      \
             Threshold: {}\n      ComparisonOperator: {COMPARISON}\n      TreatMissingData: {MISSING}\n",
            quoted(&self.name),
            quoted(&self.description),
            quoted(self.namespace),
            quoted(self.metric),
            quoted(self.dimension.0),
            quoted(self.dimension.1),
            self.period_secs,
            self.threshold,
        );
        if !self.actions.is_empty() {
            text.push_str("      AlarmActions:\n");
            for action in self.actions {
                let _ = writeln!(text, "        - {}", quoted(action));
            }
        }
        text
    }

    fn command(&self) -> String {
        let dimension = format!("Name={},Value={}", self.dimension.0, self.dimension.1);
        let mut words = vec![
            ("alarm-name", self.name.clone()),
            ("alarm-description", self.description.clone()),
            ("namespace", self.namespace.to_owned()),
            ("metric-name", self.metric.to_owned()),
            ("dimensions", dimension),
            ("statistic", STATISTIC.to_owned()),
            ("period", self.period_secs.to_string()),
            ("evaluation-periods", "1".to_owned()),
            ("datapoints-to-alarm", "1".to_owned()),
            ("threshold", self.threshold.to_string()),
            ("comparison-operator", COMPARISON.to_owned()),
            ("treat-missing-data", MISSING.to_owned()),
        ];
        if !self.actions.is_empty() {
            let actions: Vec<String> = self.actions.iter().map(|action| shell(action)).collect();
            words.push(("alarm-actions", actions.join(" ")));
        }
        let mut text = "aws cloudwatch put-metric-alarm".to_owned();
        for (option, value) in &words {
            let value = if *option == "alarm-actions" { value.clone() } else { shell(value) };
            let _ = write!(text, " \\\n  --{option} {value}");
        }
        text.push('\n');
        text
    }
}

/// One word of a POSIX shell.
fn shell(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(legacy: bool) -> AlarmTemplateArgs {
        AlarmTemplateArgs {
            cluster: "prod-a".into(),
            metric: Metric::EniSlots,
            threshold: None,
            action: vec!["arn:aws:sns:eu-central-1:210987654321:muster-pages".into()],
            form: Form::Cli,
            legacy,
            namespace: NAMESPACE.into(),
            period_secs: 300,
        }
    }

    #[test]
    fn it_goes_off_when_little_is_left_and_names_the_metric_that_is_published() {
        for text in [args(false).alarm().yaml(), args(false).alarm().command()] {
            for says in ["LessThanOrEqualToThreshold", "FreeEniSlots", "Muster/Capacity", "ClusterName", "missing"] {
                assert!(text.contains(says), "{says}: {text}");
            }
            assert!(!text.contains("Greater"), "{text}");
        }
    }

    #[test]
    fn the_apostrophe_of_the_legacy_name_survives_yaml_and_shell() {
        assert!(args(true).alarm().yaml().contains("MetricName: \"ecs-remaining-eni's\"\n"));
        let command = args(true).alarm().command();
        assert!(command.contains("--metric-name 'ecs-remaining-eni'\\''s'"), "{command}");
        assert!(command.contains("--dimensions Name=ecs-autoscaling,Value=prod-a"), "{command}");
    }

    #[test]
    fn a_period_is_whole_minutes() {
        assert_eq!(period("120"), Ok(120));
        assert!(["0", "30", "90", "x", "86460"].iter().all(|text| period(text).is_err()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(cluster_name("prod-a_1"), Ok("prod-a_1".to_owned()));
        assert!(["", "prod-*", "a\nb", "a'b", "arn:aws:ecs:x"].iter().all(|text| cluster_name(text).is_err()));
        assert!(namespace("Muster/Capacity").is_ok() && namespace("a\u{9b}b").is_err() && namespace("a b").is_err());
    }

    #[test]
    fn no_name_leaves_its_word_in_a_shell() {
        assert_eq!(shell("a'; rm -rf /"), "'a'\\''; rm -rf /'");
        assert_eq!((shell(""), shell("prod-a")), ("''".to_owned(), "prod-a".to_owned()));
    }
}
