//! EventBridge: the default event bus, its rules and their targets (spec A.3).

use serde_json::Value;
use wire::error::ServiceError;

use crate::pattern::Pattern;

/// Targets a rule may have.
pub const MOST_TARGETS: usize = 5;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Text of the pattern as given.
    pub pattern_text: Option<String>,
    /// The pattern, compiled once.
    pub pattern: Option<Pattern>,
    /// `ScheduleExpression` as given; nothing runs by it.
    pub schedule: Option<String>,
    /// Description as given.
    pub description: Option<String>,
    /// ENABLED.
    pub enabled: bool,
    /// Where matching events go.
    pub targets: Vec<Target>,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Id within the rule.
    pub id: String,
    /// ARN of a queue or a topic.
    pub arn: String,
    /// A constant to be sent instead of the event.
    pub input: Option<String>,
    /// The part of the event to be sent: `$.detail`.
    pub input_path: Option<String>,
}

impl Target {
    /// What this target gets of an event.
    pub fn body(&self, text: &str, event: &Value) -> String {
        if let Some(input) = &self.input {
            return input.clone();
        }
        match self.input_path.as_deref().and_then(|path| path.strip_prefix("$.")) {
            Some(path) => {
                let part = path.split('.').try_fold(event, |value, key| value.get(key));
                part.map_or_else(|| "null".to_owned(), Value::to_string)
            }
            None => text.to_owned(),
        }
    }
}

/// The rules of a bus.
#[derive(Debug, Default)]
pub struct Bus {
    /// In the order of their making.
    pub rules: Vec<Rule>,
}

fn no_rule(name: &str) -> ServiceError {
    ServiceError::new("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus default."))
}

impl Bus {
    /// A rule by name.
    ///
    /// # Errors
    /// ResourceNotFoundException.
    pub fn rule(&self, name: &str) -> Result<&Rule, ServiceError> {
        self.rules.iter().find(|rule| rule.name == name).ok_or_else(|| no_rule(name))
    }

    /// A rule by name, to change it.
    ///
    /// # Errors
    /// ResourceNotFoundException.
    pub fn rule_mut(&mut self, name: &str) -> Result<&mut Rule, ServiceError> {
        self.rules.iter_mut().find(|rule| rule.name == name).ok_or_else(|| no_rule(name))
    }

    /// Makes a rule, or sets what an old one of the name matches; its targets stay.
    ///
    /// # Errors
    /// ValidationException for a bad name or neither pattern nor schedule; InvalidEventPatternException.
    pub fn put(&mut self, mut rule: Rule) -> Result<(), ServiceError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if rule.name.is_empty() || rule.name.len() > 64 || !rule.name.chars().all(allowed) {
            return Err(ServiceError::new("ValidationException", format!("\"{}\" is no name of a rule.", rule.name)));
        }
        rule.pattern = match &rule.pattern_text {
            Some(text) => Some(
                Pattern::parse(text)
                    .map_err(|error| ServiceError::new("InvalidEventPatternException", error.to_string()))?,
            ),
            None if rule.schedule.is_some() => None,
            None => {
                let what = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
                return Err(ServiceError::new("ValidationException", what));
            }
        };
        match self.rules.iter_mut().find(|known| known.name == rule.name) {
            Some(known) => {
                rule.targets = std::mem::take(&mut known.targets);
                *known = rule;
            }
            None => self.rules.push(rule),
        }
        Ok(())
    }

    /// Adds targets to a rule; one of a known id is replaced.
    ///
    /// # Errors
    /// ResourceNotFoundException; LimitExceededException beyond [`MOST_TARGETS`].
    pub fn put_targets(&mut self, rule: &str, targets: Vec<Target>) -> Result<(), ServiceError> {
        let rule = self.rule_mut(rule)?;
        let mut together = rule.targets.clone();
        for target in targets {
            match together.iter_mut().find(|known| known.id == target.id) {
                Some(known) => *known = target,
                None => together.push(target),
            }
        }
        if together.len() > MOST_TARGETS {
            let what = format!("A rule has at most {MOST_TARGETS} targets.");
            return Err(ServiceError::new("LimitExceededException", what));
        }
        rule.targets = together;
        Ok(())
    }

    /// Deletes a rule; one that is not there is no error.
    ///
    /// # Errors
    /// ValidationException while it has targets.
    pub fn delete(&mut self, name: &str) -> Result<(), ServiceError> {
        if self.rules.iter().any(|rule| rule.name == name && !rule.targets.is_empty()) {
            let what = "Rule can't be deleted since it has targets.";
            return Err(ServiceError::new("ValidationException", what));
        }
        self.rules.retain(|rule| rule.name != name);
        Ok(())
    }

    /// The targets an event goes to, with what each of them gets.
    pub fn route(&self, text: &str, event: &Value) -> Vec<(String, String)> {
        let matching = self
            .rules
            .iter()
            .filter(|rule| rule.enabled && rule.pattern.as_ref().is_some_and(|pattern| pattern.matches(event)));
        matching
            .flat_map(|rule| rule.targets.iter())
            .map(|target| (target.arn.clone(), target.body(text, event)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(name: &str, pattern: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            arn: format!("arn:aws:events:eu-central-1:210987654321:rule/{name}"),
            pattern_text: Some(pattern.to_owned()),
            pattern: None,
            schedule: None,
            description: None,
            enabled: true,
            targets: Vec::new(),
        }
    }

    fn target(id: &str, input_path: Option<&str>) -> Target {
        Target { id: id.to_owned(), arn: format!("arn:{id}"), input: None, input_path: input_path.map(str::to_owned) }
    }

    #[test]
    fn an_event_goes_to_the_targets_of_every_rule_it_matches() {
        let mut bus = Bus::default();
        bus.put(rule("all", r#"{"source":[{"prefix":"aws."}]}"#)).unwrap();
        bus.put(rule("lost", r#"{"detail":{"agentConnected":[false]}}"#)).unwrap();
        bus.put_targets("all", vec![target("a", None)]).unwrap();
        bus.put_targets("lost", vec![target("b", Some("$.detail"))]).unwrap();
        let event = json!({"source": "aws.ecs", "detail": {"agentConnected": false}});
        let text = event.to_string();
        let routed = bus.route(&text, &event);
        assert_eq!(
            routed,
            [("arn:a".to_owned(), text.clone()), ("arn:b".to_owned(), r#"{"agentConnected":false}"#.to_owned())]
        );
        bus.rule_mut("all").unwrap().enabled = false;
        assert_eq!(bus.route(&text, &event).len(), 1);
    }

    #[test]
    fn a_rule_put_again_keeps_its_targets_and_cannot_go_while_it_has_some() {
        let mut bus = Bus::default();
        bus.put(rule("r", r#"{"a":[1]}"#)).unwrap();
        bus.put_targets("r", vec![target("a", None)]).unwrap();
        bus.put(rule("r", r#"{"a":[2]}"#)).unwrap();
        assert_eq!(bus.route("", &json!({"a": 2})).len(), 1);
        assert_eq!(bus.delete("r").unwrap_err().code, "ValidationException");
        bus.rule_mut("r").unwrap().targets.clear();
        bus.delete("r").unwrap();
        bus.delete("r").unwrap();
        assert_eq!(bus.rule("r").unwrap_err().code, "ResourceNotFoundException");
    }

    #[test]
    fn bad_rules_are_refused() {
        let mut bus = Bus::default();
        assert_eq!(bus.put(rule("r", "{}")).unwrap_err().code, "InvalidEventPatternException");
        assert_eq!(bus.put(rule("a b", r#"{"a":[1]}"#)).unwrap_err().code, "ValidationException");
        assert_eq!(bus.put(Rule { pattern_text: None, ..rule("r", "") }).unwrap_err().code, "ValidationException");
        bus.put(rule("r", r#"{"a":[1]}"#)).unwrap();
        let six = (0..6).map(|n| target(&n.to_string(), None)).collect();
        assert_eq!(bus.put_targets("r", six).unwrap_err().code, "LimitExceededException");
    }
}
