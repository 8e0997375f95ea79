//! The cluster query language (spec C.4): filters of ListContainerInstances.
//!
//! `subject operator [argument]`, joined with `and`/`&&`, `or`/`||`, `not`/`!` and parentheses. Patterns of `=~` are read
//! as literal text with `.*` for anything, `.` for any one character and the anchors: what such filters use in practice.

use crate::world::{HostId, HostState, World};

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test(Subject, Operator),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operator {
    /// `==`, `!=`, `<`, …: how the value must compare with the argument.
    Compare(Comparison, String),
    Exists(bool),
    In(bool, Vec<String>),
    Like(bool, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { words: words(text)?, at: 0, depth: 0 };
        let filter = reader.any()?;
        match reader.words.get(reader.at) {
            None => Ok(filter),
            Some(word) => Err(format!("\"{word}\" was not expected")),
        }
    }

    /// Whether a host fits.
    pub(crate) fn accepts(&self, world: &World, host: HostId, state: &HostState) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.accepts(world, host, state)),
            Self::Any(parts) => parts.iter().any(|part| part.accepts(world, host, state)),
            Self::Not(part) => !part.accepts(world, host, state),
            Self::Test(Subject::TaskGroup, operator) => {
                let mut groups = world.host_tasks(host).filter_map(|(_, task)| {
                    let service = world.service(task.service?)?;
                    task.said.desired_running.then(|| format!("service:{}", service.name))
                });
                groups.any(|group| operator.accepts(Some(&group)))
            }
            Self::Test(subject, operator) => operator.accepts(subject.value(world, host, state).as_deref()),
        }
    }
}

impl Subject {
    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "agentConnected" => Self::AgentConnected,
            "agentVersion" => Self::AgentVersion,
            "ec2InstanceId" => Self::Ec2InstanceId,
            "registeredAt" => Self::RegisteredAt,
            "runningTasksCount" => Self::RunningTasksCount,
            "task:group" => Self::TaskGroup,
            other => match other.strip_prefix("attribute:") {
                Some(name) if !name.is_empty() => Self::Attribute(name.to_owned()),
                _ => return Err(format!("\"{other}\" is no subject")),
            },
        })
    }

    fn value(&self, world: &World, host: HostId, state: &HostState) -> Option<String> {
        let found = world.host(host)?;
        match self {
            Self::AgentConnected => Some(state.connected.to_string()),
            Self::AgentVersion => world.machine(found.machine).map(|m| world.text(m.agent.version).to_owned()),
            Self::Ec2InstanceId => Some(world.machine_id(found.machine)),
            Self::RegisteredAt => Some(found.registered_at.iso_secs()),
            Self::RunningTasksCount => Some(state.running.to_string()),
            Self::TaskGroup => None,
            Self::Attribute(wanted) => {
                let mut value = None;
                world.attributes(host, |name, found| {
                    if name == wanted {
                        value = Some(found.unwrap_or_default().to_owned());
                    }
                });
                value
            }
        }
    }
}

impl Operator {
    fn accepts(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => value.is_some() == *wanted,
            // A comparison with what is not there holds only when it is a negative one.
            (Self::Compare(Comparison::NotEqual, _) | Self::In(false, _) | Self::Like(false, _), None) => true,
            (_, None) => false,
            (Self::Compare(comparison, argument), Some(value)) => comparison.holds(order(value, argument)),
            (Self::In(wanted, list), Some(value)) => list.iter().any(|element| element == value) == *wanted,
            (Self::Like(wanted, pattern), Some(value)) => like(pattern, value) == *wanted,
        }
    }
}

impl Comparison {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

/// Numbers and versions part by part, everything else as text; times are text that sorts like time.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| text.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    match (parts(a), parts(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

fn like(pattern: &str, text: &str) -> bool {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    let mut pieces = pattern.split(".*");
    let matches_at = |piece: &str, text: &str| {
        let mut characters = text.char_indices();
        for wanted in piece.chars() {
            match characters.next() {
                Some((_, found)) if wanted == '.' || wanted == found => {}
                _ => return None,
            }
        }
        Some(characters.next().map_or(text.len(), |(at, _)| at))
    };
    let Some(mut rest) = pieces.next().and_then(|first| matches_at(first, text)).map(|end| &text[end..]) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        let found =
            starts.filter_map(|at| Some(at + matches_at(piece, &rest[at..])?)).find(|end| !last || *end == rest.len());
        match found {
            Some(end) => rest = &rest[end..],
            None => return false,
        }
    }
    true
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let symbols = ["&&", "||", "==", "!=", "=~", "!~", ">=", "<=", ">", "<", "(", ")", "[", "]", ",", "!"];
        let taken = if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or("a quote is not closed")?;
            words.push(rest[1..=end].to_owned());
            end + 2
        } else if let Some(symbol) = symbols.iter().find(|symbol| rest.starts_with(**symbol)) {
            words.push((*symbol).to_owned());
            symbol.len()
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "()[],=!<>&|".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("\"{first}\" was not expected"));
            }
            words.push(rest[..end].to_owned());
            end
        };
        rest = rest[taken..].trim_start();
    }
    Ok(words)
}

struct Reader {
    words: Vec<String>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn take(&mut self, what: &str) -> Result<String, String> {
        let word = self.words.get(self.at).cloned().ok_or_else(|| format!("{what} is missing at the end"))?;
        self.at += 1;
        Ok(word)
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while matches!(self.peek(), Some("or" | "||")) {
            self.at += 1;
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while matches!(self.peek(), Some("and" | "&&")) {
            self.at += 1;
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("it is nested too deep".to_owned());
        }
        let filter = match self.take("an expression")?.as_str() {
            "not" | "!" => Filter::Not(Box::new(self.one()?)),
            "(" => {
                let inside = self.any()?;
                match self.take("a closing parenthesis")?.as_str() {
                    ")" => inside,
                    other => return Err(format!("a closing parenthesis was expected, not \"{other}\"")),
                }
            }
            subject => Filter::Test(Subject::parse(subject)?, self.operator()?),
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let mut word = self.take("an operator")?;
        if word == "!" {
            word = format!("!{}", self.take("an operator")?);
        }
        let comparison = match word.as_str() {
            "==" | "equals" => Comparison::Equal,
            "!=" | "not_equals" => Comparison::NotEqual,
            ">" | "greater_than" => Comparison::Greater,
            ">=" | "greater_than_equal" => Comparison::GreaterEqual,
            "<" | "less_than" => Comparison::Less,
            "<=" | "less_than_equal" => Comparison::LessEqual,
            "exists" => return Ok(Operator::Exists(true)),
            "!exists" | "not_exists" => return Ok(Operator::Exists(false)),
            "in" => return Ok(Operator::In(true, self.list()?)),
            "!in" | "not_in" => return Ok(Operator::In(false, self.list()?)),
            "=~" | "matches" => return Ok(Operator::Like(true, self.take("a pattern")?)),
            "!~" | "not_matches" => return Ok(Operator::Like(false, self.take("a pattern")?)),
            other => return Err(format!("\"{other}\" is no operator")),
        };
        Ok(Operator::Compare(comparison, self.take("an argument")?))
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        if self.take("a list")? != "[" {
            return Err("a list begins with [".to_owned());
        }
        let mut list = Vec::new();
        loop {
            match self.take("the end of a list")?.as_str() {
                "]" => return Ok(list),
                "," => {}
                element => list.push(element.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms_are_read() {
        let test = |subject, comparison, argument: &str| {
            Filter::Test(subject, Operator::Compare(comparison, argument.to_owned()))
        };
        let disconnected = test(Subject::AgentConnected, Comparison::Equal, "false");
        for text in ["agentConnected==false", "agentConnected == false", " agentConnected equals 'false' "] {
            assert_eq!(Filter::parse(text), Ok(disconnected.clone()), "{text}");
        }
        let trunk = Subject::Attribute("ecs.awsvpc-trunk-id".to_owned());
        assert_eq!(
            Filter::parse("attribute:ecs.awsvpc-trunk-id !exists"),
            Ok(Filter::Test(trunk, Operator::Exists(false)))
        );
        assert_eq!(
            Filter::parse("ec2InstanceId in ['i-0aaa', 'i-0bbb']"),
            Ok(Filter::Test(Subject::Ec2InstanceId, Operator::In(true, vec!["i-0aaa".into(), "i-0bbb".into()])))
        );
        let busy = test(Subject::RunningTasksCount, Comparison::Greater, "0");
        assert_eq!(
            Filter::parse("not (agentConnected==false or runningTasksCount > 0) && runningTasksCount>0"),
            Ok(Filter::All(vec![Filter::Not(Box::new(Filter::Any(vec![disconnected, busy.clone()]))), busy]))
        );
    }

    #[test]
    fn mistakes_are_told() {
        for text in ["agentConnected", "agentConnected ==", "colour == red", "(agentConnected == true", "a'b", "&"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&"not ".repeat(10_000)).is_err());
    }

    #[test]
    fn patterns_and_versions_compare_as_expected() {
        assert!(like("m6i.*", "m6i.large") && like("^m6i\\.large$".replace('\\', "").as_str(), "m6i.large"));
        assert!(!like("m6i", "m6i.large") && like(".*large", "m6i.large") && !like("m5.*", "m6i.large"));
        assert!(order("1.105.1", "1.99.0").is_gt() && order("7", "12").is_lt());
        assert!(order("2026-10-02T08:00:00Z", "2026-10-03").is_lt());
    }
}
