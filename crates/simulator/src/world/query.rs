//! The cluster query language (spec C.4): filters of ListContainerInstances, and `memberOf` constraints.
//!
//! `subject operator [argument]`, joined with `and`/`&&`, `or`/`||`, `not`/`!` and parentheses. A pattern of `=~` must
//! match the whole value. Several tasks on a host make `task:group` a set: `==`, `in` and `=~` ask for one of them, their
//! negations for none.

use regex_lite::Regex;

use super::{HostId, HostState, TaskStatus, World};

/// An expression that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// All of these.
    All(Vec<Query>),
    /// Any of these.
    Any(Vec<Query>),
    /// Not this.
    Not(Box<Query>),
    /// One comparison.
    Test(Subject, Operator),
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the language's")]
pub enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

/// How it is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// `==`, `!=`, `<`, …: how the value must compare with the argument.
    Compare(Comparison, String),
    /// `exists` or `!exists`.
    Exists(bool),
    /// `in` or `!in`.
    In(bool, Vec<String>),
    /// `=~` or `!~`.
    Matches(bool, Pattern),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// A pattern that must match the whole value.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    fn parse(text: String) -> Result<Self, String> {
        match Regex::new(&format!("^(?:{text})$")) {
            Ok(regex) => Ok(Self { text, regex }),
            Err(_) => Err(format!("\"{text}\" is no pattern")),
        }
    }
}

impl Query {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim_start(), depth: 0 };
        let query = reader.any()?;
        match reader.peek()? {
            None => Ok(query),
            Some(word) => Err(format!("\"{}\" was not expected", word.text)),
        }
    }

    /// Whether a host in a given state fits.
    pub fn accepts(&self, world: &World, host: HostId, state: &HostState) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.accepts(world, host, state)),
            Self::Any(parts) => parts.iter().any(|part| part.accepts(world, host, state)),
            Self::Not(part) => !part.accepts(world, host, state),
            Self::Test(Subject::TaskGroup, operator) => operator.accepts_one_of(&groups(world, host)),
            Self::Test(subject, operator) => operator.accepts(subject, subject.value(world, host, state).as_deref()),
        }
    }
}

/// The groups of the tasks that are on a host.
fn groups(world: &World, host: HostId) -> Vec<String> {
    let there = world.host_tasks(host).filter(|(_, task)| task.present && task.said.last != TaskStatus::Stopped);
    let mut groups: Vec<String> = there.map(|(_, task)| world.task_group(task)).collect();
    groups.sort();
    groups.dedup();
    groups
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
            Self::Attribute(wanted) => world.attribute(host, wanted).map(|value| value.unwrap_or_default()),
        }
    }

    /// How two values of it compare: times as times, versions and numbers part by part, everything else as text.
    fn order(&self, value: &str, argument: &str) -> std::cmp::Ordering {
        if *self == Self::RegisteredAt
            && let (Some(value), Some(argument)) = (moment(value), moment(argument))
        {
            return value.cmp(&argument);
        }
        order(value, argument)
    }
}

/// A time in one of the documented forms: with an offset, with `Z`, without a zone, or the date alone.
fn moment(text: &str) -> Option<i64> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    whole.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

impl Operator {
    fn accepts(&self, subject: &Subject, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => value.is_some() == *wanted,
            // A comparison with what is not there holds only when it is a negative one.
            (Self::Compare(Comparison::NotEqual, _) | Self::In(false, _) | Self::Matches(false, _), None) => true,
            (_, None) => false,
            // Equal is what is spelled alike: 1.0 is not 1.00. Times are spelled in many ways.
            (Self::Compare(comparison @ (Comparison::Equal | Comparison::NotEqual), argument), Some(value)) => {
                let same =
                    value == argument || *subject == Subject::RegisteredAt && subject.order(value, argument).is_eq();
                same == (*comparison == Comparison::Equal)
            }
            (Self::Compare(comparison, argument), Some(value)) => comparison.holds(subject.order(value, argument)),
            (Self::In(wanted, list), Some(value)) => list.iter().any(|element| element == value) == *wanted,
            (Self::Matches(wanted, pattern), Some(value)) => pattern.regex.is_match(value) == *wanted,
        }
    }

    /// The same of a set: a positive test asks for one element, a negative one for none.
    fn accepts_one_of(&self, values: &[String]) -> bool {
        let one = |operator: &Self| values.iter().any(|value| operator.accepts(&Subject::TaskGroup, Some(value)));
        match self {
            Self::Exists(wanted) => values.is_empty() != *wanted,
            Self::Compare(Comparison::NotEqual, argument) => !one(&Self::Compare(Comparison::Equal, argument.clone())),
            Self::In(false, list) => !one(&Self::In(true, list.clone())),
            Self::Matches(false, pattern) => !one(&Self::Matches(true, pattern.clone())),
            positive => one(positive),
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

/// Numbers and versions part by part, everything else as text.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |text: &str| text.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    match (parts(a), parts(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// One word of an expression. A quoted one is an argument whatever it says.
struct Word {
    text: String,
    quoted: bool,
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

const SYMBOLS: [&str; 16] = ["&&", "||", "==", "!=", "=~", "!~", ">=", "<=", ">", "<", "(", ")", "[", "]", ",", "!"];

impl Reader<'_> {
    /// The next word and how many bytes it takes.
    fn look(&self) -> Result<Option<(Word, usize)>, String> {
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        if first == '\'' || first == '"' {
            let end = self.rest[1..].find(first).ok_or("a quote is not closed")?;
            return Ok(Some((Word { text: self.rest[1..=end].to_owned(), quoted: true }, end + 2)));
        }
        let plain = |text: &str| Word { text: text.to_owned(), quoted: false };
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol)) {
            return Ok(Some((plain(symbol), symbol.len())));
        }
        let ends = |c: char| c.is_whitespace() || "()[],=!<>&|".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(format!("\"{first}\" was not expected"));
        }
        Ok(Some((plain(&self.rest[..end]), end)))
    }

    fn peek(&self) -> Result<Option<Word>, String> {
        Ok(self.look()?.map(|(word, _)| word))
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default().trim_start();
    }

    fn take(&mut self, what: &str) -> Result<Word, String> {
        let (word, bytes) = self.look()?.ok_or_else(|| format!("{what} is missing at the end"))?;
        self.skip(bytes);
        Ok(word)
    }

    /// Takes the next word if it is one of these.
    fn takes(&mut self, wanted: [&str; 2]) -> Result<bool, String> {
        let Some((word, bytes)) = self.look()? else { return Ok(false) };
        let is = !word.quoted && wanted.contains(&word.text.as_str());
        if is {
            self.skip(bytes);
        }
        Ok(is)
    }

    fn any(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.all()?];
        while self.takes(["or", "||"])? {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::Any(parts) })
    }

    fn all(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.one()?];
        while self.takes(["and", "&&"])? {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::All(parts) })
    }

    fn one(&mut self) -> Result<Query, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("it is nested too deep".to_owned());
        }
        let query = match self.take("an expression")?.text.as_str() {
            "not" | "!" => Query::Not(Box::new(self.one()?)),
            "(" => {
                let inside = self.any()?;
                match self.take("a closing parenthesis")?.text.as_str() {
                    ")" => inside,
                    other => return Err(format!("a closing parenthesis was expected, not \"{other}\"")),
                }
            }
            subject => Query::Test(Subject::parse(subject)?, self.operator()?),
        };
        self.depth -= 1;
        Ok(query)
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let mut word = self.take("an operator")?.text;
        if word == "!" {
            word = format!("!{}", self.take("an operator")?.text);
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
            "=~" | "matches" => return Ok(Operator::Matches(true, self.pattern()?)),
            "!~" | "not_matches" => return Ok(Operator::Matches(false, self.pattern()?)),
            other => return Err(format!("\"{other}\" is no operator")),
        };
        Ok(Operator::Compare(comparison, self.argument()?))
    }

    fn argument(&mut self) -> Result<String, String> {
        let word = self.take("an argument")?;
        if !word.quoted && SYMBOLS.contains(&word.text.as_str()) {
            return Err(format!("an argument was expected, not \"{}\"", word.text));
        }
        Ok(word.text)
    }

    /// A pattern goes on to the next space or `&&` or `||`, or to the parenthesis that closes what surrounds it.
    fn pattern(&mut self) -> Result<Pattern, String> {
        if self.rest.starts_with(['\'', '"']) {
            return Pattern::parse(self.take("a pattern")?.text);
        }
        let (mut open, mut end, mut escaped) = (0, self.rest.len(), false);
        for (at, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '(' | '[' => open += 1,
                ')' if open == 0 => {
                    end = at;
                    break;
                }
                '&' | '|' if open == 0 && (self.rest[at..].starts_with("&&") || self.rest[at..].starts_with("||")) => {
                    end = at;
                    break;
                }
                ')' | ']' => open -= 1,
                c if c.is_whitespace() && open <= 0 => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        if end == 0 {
            return Err("a pattern is missing".to_owned());
        }
        let text = self.rest[..end].trim_end().to_owned();
        self.skip(end);
        Pattern::parse(text)
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        if self.take("a list")?.text != "[" {
            return Err("a list begins with [".to_owned());
        }
        let mut list = Vec::new();
        loop {
            let word = self.take("the end of a list")?;
            match word.text.as_str() {
                "]" if !word.quoted => return Ok(list),
                "," if !word.quoted => {}
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
            Query::Test(subject, Operator::Compare(comparison, argument.to_owned()))
        };
        let disconnected = test(Subject::AgentConnected, Comparison::Equal, "false");
        for text in ["agentConnected==false", "agentConnected == false", " agentConnected equals 'false' "] {
            assert_eq!(Query::parse(text), Ok(disconnected.clone()), "{text}");
        }
        let trunk = Subject::Attribute("ecs.awsvpc-trunk-id".to_owned());
        assert_eq!(
            Query::parse("attribute:ecs.awsvpc-trunk-id !exists"),
            Ok(Query::Test(trunk, Operator::Exists(false)))
        );
        assert_eq!(
            Query::parse("ec2InstanceId in ['i-0aaa', 'i-0bbb']"),
            Ok(Query::Test(Subject::Ec2InstanceId, Operator::In(true, vec!["i-0aaa".into(), "i-0bbb".into()])))
        );
        let busy = test(Subject::RunningTasksCount, Comparison::Greater, "0");
        assert_eq!(
            Query::parse("not (agentConnected==false or runningTasksCount > 0) && runningTasksCount>0"),
            Ok(Query::All(vec![Query::Not(Box::new(Query::Any(vec![disconnected, busy.clone()]))), busy]))
        );
        assert_eq!(
            Query::parse("task:group == service:web"),
            Ok(test(Subject::TaskGroup, Comparison::Equal, "service:web"))
        );
    }

    #[test]
    fn mistakes_are_told() {
        for text in [
            "agentConnected",
            "agentConnected ==",
            "colour == red",
            "(agentConnected == true",
            "a'b",
            "&",
            "",
            "attribute: exists",
            "attribute:a =~ [",
            "attribute:a == )",
            "attribute:a in b",
            "attribute:a in [b",
            "attribute:a exists attribute:b exists",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        assert!(Query::parse(&"not ".repeat(10_000)).is_err());
    }

    #[test]
    fn a_pattern_matches_the_whole_value_and_may_hold_parentheses() {
        let like = |pattern: &str, value: &str| {
            let text = format!("(attribute:x =~ {pattern})");
            let Ok(Query::Test(subject, operator)) = Query::parse(&text) else { panic!("{text}") };
            operator.accepts(&subject, Some(value))
        };
        assert!(like("m6i.*", "m6i.large") && like("^m6i\\.large$", "m6i.large"));
        assert!(!like("m6i", "m6i.large") && like(".*large", "m6i.large") && !like("m5.*", "m6i.large"));
        assert!(like("(m5|m6i)\\.[a-z]+", "m6i.large") && !like("(m5|m6i)\\.[a-z]+", "c5.large"));
        assert!(like("'m6i .*'", "m6i large"));
        assert_eq!(
            Query::parse("agentVersion =~ 1.*&&agentConnected == true").map(|query| match query {
                Query::All(parts) => parts.len(),
                _ => 0,
            }),
            Ok(2)
        );
    }

    #[test]
    fn versions_and_times_compare_as_what_they_are() {
        assert!(order("1.105.1", "1.99.0").is_gt() && order("7", "12").is_lt());
        let order = |a: &str, b: &str| Subject::RegisteredAt.order(a, b);
        assert!(order("2026-10-02T08:00:00Z", "2026-10-03").is_lt());
        assert!(order("2026-10-02T08:00:00Z", "2026-10-02T10:00:00+02:00").is_eq());
        assert!(order("2026-10-02T08:00:00Z", "2026-10-02T08:00:00").is_eq());
    }

    #[test]
    fn a_test_of_a_set_asks_for_one_of_it_and_its_negation_for_none() {
        let accepts = |text: &str, groups: &[&str]| {
            let Ok(Query::Test(_, operator)) = Query::parse(text) else { panic!("{text}") };
            operator.accepts_one_of(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>())
        };
        assert!(accepts("task:group == service:a", &["service:a", "service:b"]));
        assert!(!accepts("task:group != service:a", &["service:a", "service:b"]));
        assert!(accepts("task:group != service:a", &["service:b"]) && accepts("task:group != service:a", &[]));
        assert!(accepts("task:group in [service:b, service:c]", &["service:a", "service:b"]));
        assert!(accepts("task:group !~ service:.*", &["family:batch"]) && accepts("task:group !exists", &[]));
    }
}
