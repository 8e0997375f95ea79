//! Patterns of fields between blanks: `[ip, user, ..., status = 4*, bytes]`.

use crate::error::{ErrorKind, Fault, Outcome};

use super::{Extracted, condition::Condition, cursor::Cursor};

#[derive(Clone, Debug)]
pub(super) struct SpacePattern {
    before: Vec<Slot>,
    /// Whether `...` stands between both.
    gap: bool,
    after: Vec<Slot>,
}

/// A named field and its conditions: any of these, each all of those.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    any: Vec<Vec<Condition>>,
}

impl SpacePattern {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let mut cursor = Cursor::new(text);
        cursor.sign("[");
        let mut pattern = Self { before: Vec::new(), gap: false, after: Vec::new() };
        if cursor.sign("]") {
            pattern.gap = true;
        } else {
            loop {
                cursor.blanks();
                let start = cursor.at;
                if cursor.sign("...") {
                    if pattern.gap {
                        return Err(cursor.fault(start, "a second `...`").or("a name"));
                    }
                    pattern.gap = true;
                } else {
                    let slot = slot(&mut cursor)?;
                    if pattern.gap { &mut pattern.after } else { &mut pattern.before }.push(slot);
                }
                if cursor.sign("]") {
                    break;
                }
                if !cursor.sign(",") {
                    return Err(cursor.unexpected("`,`, a condition or `]`"));
                }
            }
        }
        if cursor.peek().is_some() {
            return Err(cursor.unexpected("the end"));
        }
        cursor.regexes_within_bounds()?;
        Ok(pattern)
    }

    pub(super) fn is_match(&self, message: &str) -> bool {
        self.met(message, &fields(message)).is_some()
    }

    pub(super) fn test(&self, message: &str) -> Option<Extracted> {
        let fields = fields(message);
        let met = self.met(message, &fields)?;
        let mut extracted: Extracted =
            met.into_iter().map(|(slot, text)| (format!("${}", slot.name), text.to_owned())).collect();
        if self.gap {
            let behind = fields.len() - self.after.len();
            for (index, field) in fields.iter().enumerate().take(behind).skip(self.before.len()) {
                extracted.insert(format!("${}", index + 1), field.text.to_owned());
            }
        }
        Some(extracted)
    }

    /// The named fields with their texts, if there are as many and each meets its conditions.
    fn met<'p, 'm>(&'p self, message: &'m str, fields: &[Field<'m>]) -> Option<Vec<(&'p Slot, &'m str)>> {
        let slots = self.before.len() + self.after.len();
        let behind = fields.len().checked_sub(self.after.len()).filter(|behind| *behind >= self.before.len())?;
        let mut met: Vec<(&Slot, &str)> = self.before.iter().zip(fields.iter().map(|field| field.text)).collect();
        if let Some((_, text)) = met.last_mut()
            && !self.gap
            && fields.len() > slots
        {
            // The last of the names takes all that is left.
            *text = message[fields[slots - 1].start..].trim_end();
        }
        met.extend(self.after.iter().zip(fields[behind..].iter().map(|field| field.text)));
        met.iter().all(|(slot, text)| slot.is_met(text)).then_some(met)
    }
}

impl Slot {
    fn is_met(&self, text: &str) -> bool {
        self.any.is_empty() || self.any.iter().any(|all| all.iter().all(|condition| condition.is_met_by_text(text)))
    }
}

fn slot(cursor: &mut Cursor<'_>) -> Outcome<Slot> {
    let name = name(cursor)?;
    let Some(first) = cursor.condition()? else {
        return Ok(Slot { name, any: Vec::new() });
    };
    let mut any = vec![vec![first]];
    loop {
        let or = cursor.sign("||");
        if !or && !cursor.sign("&&") {
            return Ok(Slot { name, any });
        }
        cursor.blanks();
        let start = cursor.at;
        let again = self::name(cursor)?;
        if again != name {
            let message = format!("the conditions of one field are all of `{name}`");
            let span = crate::span::Span::new(start, cursor.at);
            return Err(Fault::new(ErrorKind::Syntax, span, message).or(name));
        }
        let Some(condition) = cursor.condition()? else {
            return Err(cursor.unexpected("a comparison"));
        };
        if or {
            any.push(vec![condition]);
        } else if let Some(all) = any.last_mut() {
            all.push(condition);
        }
    }
}

fn name(cursor: &mut Cursor<'_>) -> Outcome<String> {
    cursor.blanks();
    let name = cursor.take_while(|char| char.is_alphanumeric() || matches!(char, '_' | '-')).to_owned();
    if name.is_empty() { Err(cursor.unexpected("the name of a field or `...`")) } else { Ok(name) }
}

/// A field of a message.
struct Field<'m> {
    /// Without the brackets or quotes around it.
    text: &'m str,
    /// Where it begins, brackets and quotes included.
    start: usize,
}

/// The fields of a message: words, and what stands in brackets or quotes.
fn fields(message: &str) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut at = 0;
    // Whether a bracket and a quote are still closed further on; what is not closed once is not closed later either.
    let (mut brackets, mut quotes) = (true, true);
    loop {
        let rest = &message[at..];
        let start = at + (rest.len() - rest.trim_start().len());
        let rest = &message[start..];
        let closing = match rest.chars().next() {
            None => return fields,
            Some('[') if brackets => Some(']'),
            Some('"') if quotes => Some('"'),
            Some(_) => None,
        };
        // Brackets that are not closed are plain characters.
        let end = closing.and_then(|closing| rest[1..].find(closing)).map(|end| end + 1);
        if end.is_none() {
            brackets &= closing != Some(']');
            quotes &= closing != Some('"');
        }
        let (text, length) = match end {
            Some(end) => (&rest[1..end], end + 1),
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        fields.push(Field { text, start });
        at = start + length;
    }
}
