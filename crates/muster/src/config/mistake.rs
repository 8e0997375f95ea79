//! A mistake in the configuration, shown where it stands: file, line, column, the line itself, and what was meant.

use std::{fmt, ops::Range};

use toml::de::{DeTable, DeValue};

use super::secret::NoReference;

/// An option whose value is of the right type and still cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where to point: the first of these dotted paths (`policy.grace_secs`, `ladder.0.rungs`) that the file holds.
    pub paths: Vec<String>,
    /// A sentence saying what is expected.
    pub what: String,
    /// The value may hold a secret and is not shown.
    pub hidden: bool,
}

impl Wrong {
    /// One option that is wrong by itself.
    pub fn at(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::at_any(vec![path.into()], what)
    }

    /// What several options have to do with: shown at the first of these places that is written.
    pub fn at_any(paths: Vec<String>, what: impl Into<String>) -> Self {
        Self { paths, what: what.into(), hidden: false }
    }

    /// The same of a value that may hold a secret.
    pub fn hidden_at(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { hidden: true, ..Self::at(path, what) }
    }

    /// An option of an entry of a list of tables: at the option, or at the entry when the option is not written.
    pub fn of(entry: &str, option: &str, what: impl Into<String>) -> Self {
        Self::at_any(vec![format!("{entry}.{option}"), entry.to_owned()], what)
    }
}

/// All mistakes found in a file.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    origin: String,
    place: Option<Place>,
    what: String,
    meant: Option<String>,
}

/// A place in a file, as an editor counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    width: usize,
    text: String,
}

impl Place {
    fn of(text: &str, span: Range<usize>) -> Self {
        let start = floor(text, span.start);
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let stop = floor(text, span.end.clamp(start, end));
        Self {
            line: text[..begin].matches('\n').count() + 1,
            column: text[begin..start].chars().count() + 1,
            width: text[start..stop].chars().count().max(1),
            // One column a character, whatever the character: the caret must stand below what it means.
            text: text[begin..end].trim_end_matches('\r').replace(char::is_control, " "),
        }
    }
}

impl Place {
    /// Shows nothing of the line from here on: what stands there may be a secret.
    fn hide(&mut self) {
        self.text = self.text.chars().take(self.column - 1).chain(['…']).collect();
        self.width = 1;
    }
}

/// The character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl Mistake {
    /// What the TOML reader or a section's types refused.
    pub fn of_toml(origin: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().trim();
        let mut place = error.span().map(|span| Place::of(text, span));
        if message.contains(&NoReference.to_string())
            && let Some(place) = &mut place
        {
            place.hide();
        }
        Self { origin: origin.to_owned(), place, what: message.replace('\n', ", "), meant: meant_by_message(message) }
    }

    /// A value that a check refused.
    pub fn at_option(origin: &str, text: &str, table: &DeTable<'_>, wrong: &Wrong) -> Self {
        let span = wrong.paths.iter().find_map(|path| span_of(table, path));
        let mut place = span.map(|span| Place::of(text, span));
        if wrong.hidden
            && let Some(place) = &mut place
        {
            place.hide();
        }
        Self { origin: origin.to_owned(), place, what: wrong.what.clone(), meant: None }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "{}: {}", self.origin, self.what);
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}:{}:{}: {}", self.origin, place.line, place.column, self.what)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", place.text)?;
        write!(f, "{gutter} | {}{}", " ".repeat(place.column - 1), "^".repeat(place.width))?;
        if let Some(meant) = &self.meant {
            write!(f, "\n{gutter} = did you mean `{meant}`?")?;
        }
        Ok(())
    }
}

/// Every key of the file that the schema does not know, with the nearest that it does.
pub fn unknown_keys(origin: &str, text: &str, table: &DeTable<'_>, schema: &serde_json::Value) -> Vec<Mistake> {
    let mut search = Search { origin, text, schema, found: Vec::new() };
    search.table(table, schema, "");
    search.found.sort_by_key(|mistake| mistake.place.as_ref().map(|place| (place.line, place.column)));
    search.found
}

struct Search<'a> {
    origin: &'a str,
    text: &'a str,
    schema: &'a serde_json::Value,
    found: Vec<Mistake>,
}

impl<'a> Search<'a> {
    fn table(&mut self, table: &DeTable<'_>, schema: &'a serde_json::Value, section: &str) {
        let Some(known) = self.resolved(schema).get("properties").and_then(serde_json::Value::as_object) else {
            return;
        };
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some(inner) = known.get(name) else {
                self.found.push(Mistake {
                    origin: self.origin.to_owned(),
                    place: Some(Place::of(self.text, key.span())),
                    what: if section.is_empty() {
                        format!("there is no section `{name}`")
                    } else {
                        format!("[{section}] has no option `{name}`")
                    },
                    meant: nearest(name, known.keys().map(String::as_str)).map(str::to_owned),
                });
                continue;
            };
            let section = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
            self.value(value.get_ref(), inner, &section);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, schema: &'a serde_json::Value, section: &str) {
        match value {
            DeValue::Table(table) => self.table(table, schema, section),
            DeValue::Array(items) => {
                let Some(schema) = self.resolved(schema).get("items") else { return };
                for item in items.iter() {
                    self.value(item.get_ref(), schema, section);
                }
            }
            _ => {}
        }
    }

    /// A schema without the detours: references of types that hold themselves, and `or nothing`.
    fn resolved(&self, schema: &'a serde_json::Value) -> &'a serde_json::Value {
        let mut schema = schema;
        // No chain of detours is longer; a circle of them would be a fault of the schema.
        for _ in 0..8 {
            let referred = schema
                .get("$ref")
                .and_then(serde_json::Value::as_str)
                .and_then(|path| self.schema.pointer(path.trim_start_matches('#')));
            let something = || {
                let choices = schema.get("anyOf")?.as_array()?;
                choices.iter().find(|choice| choice.get("type").and_then(serde_json::Value::as_str) != Some("null"))
            };
            match referred.or_else(something) {
                Some(inner) => schema = inner,
                None => break,
            }
        }
        schema
    }
}

/// The known word nearest to `word`, if one is near enough to have been meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| {
            // Of short words one letter is a large part: `atc` for `act`.
            let one_slip = word.len() > 2 && strsim::damerau_levenshtein(word, known) == 1;
            (strsim::jaro_winkler(word, known).max(if one_slip { 0.8 } else { 0.0 }), known)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// serde words an unknown choice as "unknown variant `x`, expected one of `a`, `b`".
fn meant_by_message(message: &str) -> Option<String> {
    message.starts_with("unknown ").then_some(())?;
    let mut quoted = message.split('`').skip(1).step_by(2);
    let word = quoted.next()?;
    nearest(word, quoted).map(str::to_owned)
}

/// Where the value of a dotted path stands; a number means an entry of a list.
fn span_of(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (first, rest) = path.split_once('.').map_or((path, ""), |(first, rest)| (first, rest));
    let mut value = table.iter().find(|(key, _)| key.get_ref() == first)?.1;
    for segment in rest.split('.').filter(|segment| !segment.is_empty()) {
        value = match value.get_ref() {
            DeValue::Table(table) => table.iter().find(|(key, _)| key.get_ref() == segment)?.1,
            DeValue::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value.span())
}
