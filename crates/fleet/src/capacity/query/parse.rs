//! From text to query.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Check, Node, Pattern, QueryError, Relation, Subject, Value, version};

/// The longest text that is read: ECS takes 2,000 characters.
const MAX_BYTES: usize = 8_000;

/// How deep expressions may be nested.
const MAX_DEPTH: usize = 64;

const SUBJECTS: [&str; 7] = [
    "agentConnected",
    "agentVersion",
    "attribute:",
    "ec2InstanceId",
    "registeredAt",
    "runningTasksCount",
    "task:group",
];

const OPERATORS: [&str; 24] = [
    "==",
    "equals",
    "!=",
    "not_equals",
    ">",
    "greater_than",
    ">=",
    "greater_than_equal",
    "<",
    "less_than",
    "<=",
    "less_than_equal",
    "exists",
    "!exists",
    "not_exists",
    "in",
    "!in",
    "not_in",
    "=~",
    "matches",
    "!~",
    "not_matches",
    "and",
    "or",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Compare(Relation),
    Exists,
    In,
    Matches,
}

/// Reads a query.
pub(super) fn parse(text: &str) -> Result<Node, QueryError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    if text.len() > MAX_BYTES {
        return Err(parser.fault(0, "an expression longer than 8,000 bytes"));
    }
    let node = parser.any()?;
    match parser.peek() {
        None => Ok(node),
        Some(')') => Err(parser.fault(parser.at, "a closing parenthesis that closes nothing")),
        Some(_) => {
            let at = parser.at;
            let found = parser.raw_word();
            Err(parser
                .fault(at, format!("expected `and`, `or` or the end, found `{found}`"))
                .or_rather(&found, &["and", "or"]))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn fault(&self, at: usize, what: impl Into<String>) -> QueryError {
        QueryError::at(self.text, at, what)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    /// Passes over a sign if it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        self.peek();
        let comes = self.rest().starts_with(sign);
        self.at += if comes { sign.len() } else { 0 };
        comes
    }

    /// Passes over a word if it comes next and ends there.
    fn keyword(&mut self, word: &str) -> bool {
        self.peek();
        let comes = self.rest().get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
            && !self.rest()[word.len()..].starts_with(is_word);
        self.at += if comes { word.len() } else { 0 };
        comes
    }

    fn raw_word(&mut self) -> String {
        self.peek();
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest[..end].to_owned()
    }

    fn any(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all()?];
        while self.sign("||") || self.keyword("or") {
            nodes.push(self.all()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.factor()?];
        while self.sign("&&") || self.keyword("and") {
            nodes.push(self.factor()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn factor(&mut self) -> Result<Node, QueryError> {
        self.peek();
        let begin = self.at;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(begin, "nested deeper than 64 levels"));
        }
        let node = if self.sign("(") {
            let node = self.any()?;
            if !self.sign(")") {
                return Err(match self.peek() {
                    None => self.fault(begin, "an opening parenthesis that is not closed"),
                    Some(_) => {
                        let found = self.raw_word();
                        self.fault(self.at, format!("expected `and`, `or` or `)`, found `{found}`"))
                            .or_rather(&found, &["and", "or"])
                    }
                });
            }
            node
        } else if self.sign("!") || self.keyword("not") {
            Node::Not(Box::new(self.factor()?))
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, QueryError> {
        let (subject, subject_name) = self.subject()?;
        self.peek();
        let at = self.at;
        let (operator, not) = self.operator(&subject_name)?;
        if !subject.takes(operator) {
            let operator = &self.text[at..self.at];
            return Err(self.fault(at, format!("`{subject_name}` cannot be asked with `{}`", operator.trim())));
        }
        let check = match operator {
            Operator::Exists => Check::Exists,
            Operator::Compare(relation) => Check::Compare(relation, self.value(&subject)?),
            Operator::In => Check::OneOf(self.list()?),
            Operator::Matches => {
                self.peek();
                let at = self.at;
                let quoted = matches!(self.peek(), Some('\'' | '"'));
                let text = if quoted { self.argument()? } else { self.bare_pattern()? };
                let inside = at + usize::from(quoted);
                Check::Matches(Pattern::parse(&text).map_err(|(place, what)| self.fault(inside + place, what))?)
            }
        };
        Ok(Node::Test(subject, if not { Check::Not(Box::new(check)) } else { check }))
    }

    fn subject(&mut self) -> Result<(Subject, String), QueryError> {
        self.peek();
        let at = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(match self.rest().chars().next() {
                None => self.fault(at, "expected an expression, found the end"),
                Some(found) => self.fault(at, format!("expected a subject, found `{found}`")),
            });
        }
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        let subject = if let Some(name) = strip_attribute(&word) {
            if name.is_empty() {
                return Err(self.fault(self.at, "an attribute without a name"));
            }
            Subject::Attribute(name.to_owned())
        } else if is("agentConnected") {
            Subject::AgentConnected
        } else if is("agentVersion") {
            Subject::AgentVersion
        } else if is("ec2InstanceId") {
            Subject::MachineId
        } else if is("registeredAt") {
            Subject::RegisteredAt
        } else if is("runningTasksCount") {
            Subject::RunningTasks
        } else if is("task:group") {
            Subject::TaskGroup
        } else if let Some((_, name)) = word.split_once(':').filter(|(kind, _)| !kind.eq_ignore_ascii_case("task")) {
            let mut fault = self.fault(at, format!("`{word}` is no subject"));
            fault.suggestion = Some(format!("attribute:{name}"));
            return Err(fault);
        } else {
            return Err(self.fault(at, format!("`{word}` is no subject")).or_rather(&word, &SUBJECTS));
        };
        Ok((subject, word))
    }

    /// The operator, and whether its opposite is meant.
    fn operator(&mut self, subject: &str) -> Result<(Operator, bool), QueryError> {
        let compare = Operator::Compare;
        let signs = [
            ("==", compare(Relation::Equal), false),
            ("!=", compare(Relation::Equal), true),
            (">=", compare(Relation::GreaterOrEqual), false),
            ("<=", compare(Relation::LessOrEqual), false),
            ("=~", Operator::Matches, false),
            ("!~", Operator::Matches, true),
            (">", compare(Relation::Greater), false),
            ("<", compare(Relation::Less), false),
        ];
        for (sign, operator, not) in signs {
            if self.sign(sign) {
                return Ok((operator, not));
            }
        }
        let at = self.at;
        let not = self.sign("!");
        let words = [
            ("exists", Operator::Exists, false),
            ("in", Operator::In, false),
            ("not_exists", Operator::Exists, true),
            ("not_in", Operator::In, true),
            ("equals", compare(Relation::Equal), false),
            ("not_equals", compare(Relation::Equal), true),
            ("greater_than", compare(Relation::Greater), false),
            ("greater_than_equal", compare(Relation::GreaterOrEqual), false),
            ("less_than", compare(Relation::Less), false),
            ("less_than_equal", compare(Relation::LessOrEqual), false),
            ("matches", Operator::Matches, false),
            ("not_matches", Operator::Matches, true),
        ];
        for (word, operator, opposite) in words {
            if not && !matches!(word, "exists" | "in") {
                continue;
            }
            if self.keyword(word) {
                return Ok((operator, not || opposite));
            }
        }
        self.at = at;
        let found = match self.raw_word() {
            found if found.is_empty() => "the end".to_owned(),
            found => format!("`{found}`"),
        };
        let fault = self.fault(at, format!("expected an operator after `{subject}`, found {found}"));
        Err(match found.trim_matches('`') {
            "=" => QueryError { suggestion: Some("==".to_owned()), ..fault },
            "<>" => QueryError { suggestion: Some("!=".to_owned()), ..fault },
            "~" | "~=" => QueryError { suggestion: Some("=~".to_owned()), ..fault },
            other => fault.or_rather(other, &OPERATORS),
        })
    }

    fn value(&mut self, subject: &Subject) -> Result<Value, QueryError> {
        self.peek();
        let at = self.at;
        let text = self.argument()?;
        let wrong = |what: &str| self.fault(at, format!("`{text}` is no {what}"));
        Ok(match subject {
            Subject::RunningTasks => Value::Count(text.parse().map_err(|_| wrong("count"))?),
            Subject::RegisteredAt => Value::Time(time(&text).ok_or_else(|| {
                wrong("time such as 2018-06-18T22:28:28+00:00, 2018-06-18T22:28:28Z, 2018-06-18T22:28:28 or 2018-06-18")
            })?),
            Subject::AgentVersion => Value::Version(version(&text).ok_or_else(|| wrong("version such as 1.105.1"))?),
            Subject::AgentConnected => match text.to_ascii_lowercase() {
                text if text == "true" || text == "false" => Value::Text(text),
                _ => return Err(wrong("true or false")),
            },
            _ => Value::Text(text),
        })
    }

    fn list(&mut self) -> Result<Vec<String>, QueryError> {
        self.peek();
        let begin = self.at;
        if !self.sign("[") {
            return Err(self.fault(begin, "expected a list such as [a, b]"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.argument()?);
            if self.sign("]") {
                return Ok(values);
            }
            self.peek();
            if !self.sign(",") {
                return Err(match self.peek() {
                    None => self.fault(begin, "a list that is not closed"),
                    Some(found) => self.fault(self.at, format!("expected a comma or `]`, found `{found}`")),
                });
            }
        }
    }

    /// A value: quoted, or a word.
    fn argument(&mut self) -> Result<String, QueryError> {
        let begin = self.at;
        match self.peek() {
            Some(quote @ ('\'' | '"')) => {
                let inside = self.at + 1;
                let Some(length) = self.text[inside..].find(quote) else {
                    return Err(self.fault(self.at, "a quotation that does not end"));
                };
                self.at = inside + length + 1;
                Ok(self.text[inside..inside + length].to_owned())
            }
            None => Err(self.fault(begin, "expected a value, found the end")),
            Some(found) => {
                let word = self.word();
                if word.is_empty() {
                    Err(self.fault(self.at, format!("expected a value, found `{found}`")))
                } else {
                    Ok(word)
                }
            }
        }
    }

    /// A pattern without quotes: up to white space, or to a parenthesis that it has not opened itself.
    fn bare_pattern(&mut self) -> Result<String, QueryError> {
        self.peek();
        let rest = self.rest();
        let (mut open, mut escaped, mut in_class, mut end) = (0_usize, false, false, rest.len());
        for (place, char) in rest.char_indices() {
            let was_escaped = escaped;
            escaped = char == '\\' && !was_escaped;
            match char {
                _ if char.is_whitespace() => {
                    end = place;
                    break;
                }
                _ if was_escaped => {}
                '[' => in_class = true,
                ']' => in_class = false,
                '(' if !in_class => open += 1,
                ')' if !in_class && open == 0 => {
                    end = place;
                    break;
                }
                ')' if !in_class => open -= 1,
                _ => {}
            }
        }
        if end == 0 {
            return Err(self.fault(self.at, "expected a pattern"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn word(&mut self) -> String {
        self.peek();
        let rest = self.rest();
        let end = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }
}

impl Subject {
    fn takes(&self, operator: Operator) -> bool {
        let equality = operator == Operator::Compare(Relation::Equal);
        let comparison = matches!(operator, Operator::Compare(_));
        match self {
            Self::Attribute(_) => true,
            Self::AgentVersion | Self::RegisteredAt | Self::RunningTasks => comparison,
            Self::AgentConnected | Self::MachineId | Self::TaskGroup => {
                equality || matches!(operator, Operator::In | Operator::Matches)
            }
        }
    }
}

/// What words are made of: all but space and the signs of the language.
fn is_word(char: char) -> bool {
    !char.is_whitespace() && !"()[],'\"=!<>&|~".contains(char)
}

fn strip_attribute(word: &str) -> Option<&str> {
    let (kind, name) = word.split_once(':')?;
    kind.eq_ignore_ascii_case("attribute").then_some(name)
}

/// A time with a zone, without one (UTC), or a day.
fn time(text: &str) -> Option<Timestamp> {
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(civil)
}
