//! Patterns of JSON: `{ $.a.b = "x" && $.c[0] > 1 }`.

use crate::{
    error::{ErrorKind, Fault, Outcome},
    limits::HEIGHT_MAX,
    rules::Rules,
    span::Span,
    value::{Value, json_of_text},
};

use super::{Extracted, condition::Condition, cursor::Cursor};

/// The most wildcards in the selectors of one pattern.
const WILDCARDS_MAX: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct JsonPattern {
    node: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Test(Selector, Check),
}

#[derive(Clone, Debug)]
enum Check {
    Compare(Condition),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
}

/// The way to a value.
#[derive(Clone, Debug)]
struct Selector {
    typed: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Index(usize),
    /// `.*`, `[*]`
    Every,
}

impl JsonPattern {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let mut reader = Reader { cursor: Cursor::new(text), depth: 0, wildcards: 0 };
        reader.cursor.sign("{");
        let node = reader.any()?;
        if !reader.cursor.sign("}") {
            return Err(reader.cursor.unexpected("`&&`, `||` or `}`"));
        }
        if reader.cursor.peek().is_some() {
            return Err(reader.cursor.unexpected("the end"));
        }
        reader.cursor.regexes_within_bounds()?;
        if reader.wildcards > WILDCARDS_MAX {
            let message = format!("more than {WILDCARDS_MAX} wildcards in the selectors of one pattern");
            return Err(Fault::new(ErrorKind::Limit, Span::new(0, text.len()), message));
        }
        Ok(Self { node })
    }

    pub(super) fn is_match(&self, message: &str) -> bool {
        self.met(message).is_some()
    }

    pub(super) fn test(&self, message: &str) -> Option<Extracted> {
        let value = self.met(message)?;
        let mut extracted = Extracted::new();
        self.node.extract(&value, &mut extracted);
        Some(extracted)
    }

    /// The message as a value, if the conditions hold for it.
    fn met(&self, message: &str) -> Option<Value> {
        if !message.trim_start().starts_with(['{', '[']) {
            return None;
        }
        json_of_text(message).filter(|value| self.node.holds(value))
    }
}

impl Node {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(value)),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(value)),
            Self::Test(selector, Check::NotExists) => selector.found(value).is_empty(),
            // One of the values suffices; where there is none, nothing holds, `!=` included [U].
            Self::Test(selector, check) => selector.found(value).into_iter().any(|found| check.holds(found)),
        }
    }

    fn extract(&self, value: &Value, extracted: &mut Extracted) {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().for_each(|node| node.extract(value, extracted)),
            Self::Test(selector, check) => {
                let found = selector.found(value);
                let met = found.iter().find(|found| check.holds(found)).or(found.first());
                if let Some(text) = met.and_then(|value| printed(value)) {
                    extracted.insert(selector.typed.clone(), text);
                }
            }
        }
    }
}

/// A plain value as extracted: `true` is not 1 here, and numbers have all their digits, but no more.
fn printed(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        other => other.text(&Rules { booleans_as_numbers: false, ..Rules::default() }),
    }
}

impl Check {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::IsNull, Value::Null) => true,
            (Self::IsTrue, Value::Boolean(truth)) => *truth,
            (Self::IsFalse, Value::Boolean(truth)) => !truth,
            (Self::Compare(condition), Value::Text(text)) => condition.is_met_by_text(text),
            (Self::Compare(condition), Value::Number(number)) => {
                condition.is_met_by_number(*number, &printed(value).unwrap_or_default())
            }
            _ => false,
        }
    }
}

impl Selector {
    /// Every value at the end of the way; `null` counts as one.
    fn found<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut values = vec![value];
        for step in &self.steps {
            values = values.into_iter().flat_map(|value| step.from(value)).collect();
        }
        values
    }
}

impl Step {
    fn from<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Name(name), Value::Map(map)) => {
                map.iter().rfind(|(key, _)| key == name).map(|(_, value)| value).into_iter().collect()
            }
            (Self::Index(index), Value::List(list)) => list.get(*index).into_iter().collect(),
            (Self::Every, Value::Map(map)) => map.iter().map(|(_, value)| value).collect(),
            (Self::Every, Value::List(list)) => list.iter().collect(),
            _ => Vec::new(),
        }
    }
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    depth: u16,
    wildcards: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Outcome<Node> {
        let mut nodes = vec![self.all()?];
        while self.cursor.sign("||") {
            nodes.push(self.all()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self) -> Outcome<Node> {
        let mut nodes = vec![self.one()?];
        while self.cursor.sign("&&") {
            nodes.push(self.one()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self) -> Outcome<Node> {
        if !self.cursor.sign("(") {
            return self.test();
        }
        self.depth += 1;
        if self.depth > HEIGHT_MAX {
            let place = Span::new(self.cursor.at - 1, self.cursor.at);
            return Err(Fault::new(ErrorKind::Limit, place, format!("nested deeper than {HEIGHT_MAX} levels")));
        }
        let node = self.any()?;
        self.depth -= 1;
        if !self.cursor.sign(")") {
            return Err(self.cursor.unexpected("`&&`, `||` or `)`"));
        }
        Ok(node)
    }

    fn test(&mut self) -> Outcome<Node> {
        let selector = self.selector()?;
        if self.cursor.word("IS") {
            let check = if self.cursor.word("NULL") {
                Check::IsNull
            } else if self.cursor.word("TRUE") {
                Check::IsTrue
            } else if self.cursor.word("FALSE") {
                Check::IsFalse
            } else if self.cursor.word("NOT") {
                let end = self.cursor.at;
                return Err(self.cursor.fault(end - 3, "there is no `IS NOT`").or("NOT EXISTS"));
            } else {
                return Err(self.cursor.unexpected("`NULL`, `TRUE` or `FALSE`"));
            };
            return Ok(Node::Test(selector, check));
        }
        if self.cursor.word("NOT") {
            if !self.cursor.word("EXISTS") {
                return Err(self.cursor.unexpected("`EXISTS`"));
            }
            return Ok(Node::Test(selector, Check::NotExists));
        }
        if self.cursor.word("EXISTS") {
            let end = self.cursor.at;
            return Err(self.cursor.fault(end - 6, "there is no `EXISTS` without `NOT`").or("= \"*\""));
        }
        match self.cursor.condition()? {
            Some(condition) => Ok(Node::Test(selector, Check::Compare(condition))),
            None => Err(self.cursor.unexpected("`=`, `!=`, `<`, `<=`, `>`, `>=`, `IS` or `NOT EXISTS`")),
        }
    }

    fn selector(&mut self) -> Outcome<Selector> {
        self.cursor.blanks();
        let start = self.cursor.at;
        if !self.cursor.sign("$") {
            return Err(self.cursor.unexpected("a selector such as `$.name`"));
        }
        let mut steps = Vec::new();
        let mut wildcards = 0;
        loop {
            let rest = self.cursor.rest();
            if rest.starts_with("['") || rest.starts_with(".['") {
                self.cursor.at += if rest.starts_with('.') { 3 } else { 2 };
                let name = self.cursor.take_while(|char| char != '\'').to_owned();
                if !self.cursor.rest().starts_with("']") {
                    return Err(self.cursor.fault(start, "a name in brackets that is not closed with `']`"));
                }
                self.cursor.at += 2;
                steps.push(Step::Name(name));
            } else if rest.starts_with(".*") || rest.starts_with("[*]") {
                self.cursor.at += if rest.starts_with('.') { 2 } else { 3 };
                wildcards += 1;
                steps.push(Step::Every);
            } else if rest.starts_with('[') {
                self.cursor.at += 1;
                let digits = self.cursor.take_while(|char| char.is_ascii_digit());
                let Ok(index) = digits.parse() else {
                    return Err(self.cursor.unexpected("an index, `*` or a name in single quotes"));
                };
                if !self.cursor.rest().starts_with(']') {
                    return Err(self.cursor.unexpected("`]`"));
                }
                self.cursor.at += 1;
                steps.push(Step::Index(index));
            } else if rest.starts_with('.') {
                self.cursor.at += 1;
                let name =
                    self.cursor.take_while(|char| char.is_alphanumeric() || matches!(char, '_' | '-')).to_owned();
                if name.is_empty() {
                    return Err(self.cursor.unexpected("a name; other characters stand in `['…']`"));
                }
                steps.push(Step::Name(name));
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Err(self.cursor.unexpected("`.` and a name after `$`"));
        }
        if wildcards > 1 {
            return Err(Fault::new(
                ErrorKind::Limit,
                Span::new(start, self.cursor.at),
                "more than one wildcard in a selector",
            ));
        }
        self.wildcards += wildcards;
        Ok(Selector { typed: self.cursor.text[start..self.cursor.at].to_owned(), steps })
    }
}
