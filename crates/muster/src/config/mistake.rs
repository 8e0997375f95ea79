//! A mistake in the configuration, shown where it stands: file, line, column, the line itself, and what was meant.

use std::{fmt, ops::Range};

use toml::de::{DeTable, DeValue};

/// An option whose value is of the right type and still cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where to point: the first of these dotted paths (`policy.grace_secs`) that the file holds.
    pub paths: Vec<&'static str>,
    /// A sentence saying what is expected.
    pub what: String,
}

impl Wrong {
    /// One option that is wrong by itself.
    pub fn at(path: &'static str, what: impl Into<String>) -> Self {
        Self { paths: vec![path], what: what.into() }
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
        Self {
            origin: origin.to_owned(),
            place: error.span().map(|span| Place::of(text, span)),
            what: message.replace('\n', ", "),
            meant: meant_by_message(message),
        }
    }

    /// A value that a check refused.
    pub fn at_option(origin: &str, text: &str, table: &DeTable<'_>, wrong: &Wrong) -> Self {
        let span = wrong.paths.iter().find_map(|path| span_of(table, path));
        Self {
            origin: origin.to_owned(),
            place: span.map(|span| Place::of(text, span)),
            what: wrong.what.clone(),
            meant: None,
        }
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
    let mut found = Vec::new();
    unknown_in(origin, text, table, schema, "", &mut found);
    found.sort_by_key(|mistake| mistake.place.as_ref().map(|place| (place.line, place.column)));
    found
}

fn unknown_in(
    origin: &str,
    text: &str,
    table: &DeTable<'_>,
    schema: &serde_json::Value,
    section: &str,
    found: &mut Vec<Mistake>,
) {
    let Some(known) = schema.get("properties").and_then(serde_json::Value::as_object) else { return };
    for (key, value) in table {
        let name: &str = key.get_ref();
        match (known.get(name), value.get_ref()) {
            (Some(inner), DeValue::Table(inner_table)) => {
                let section = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
                unknown_in(origin, text, inner_table, inner, &section, found);
            }
            (Some(_), _) => {}
            (None, _) => found.push(Mistake {
                origin: origin.to_owned(),
                place: Some(Place::of(text, key.span())),
                what: if section.is_empty() {
                    format!("there is no section `{name}`")
                } else {
                    format!("[{section}] has no option `{name}`")
                },
                meant: nearest(name, known.keys().map(String::as_str)).map(str::to_owned),
            }),
        }
    }
}

/// The known word nearest to `word`, if one is near enough to have been meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(word, known), known))
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

fn span_of(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (section, option) = path.split_once('.')?;
    let section = table.iter().find(|(key, _)| key.get_ref() == section)?.1;
    let option = section.get_ref().as_table()?.iter().find(|(key, _)| key.get_ref() == option)?.1;
    Some(option.span())
}
