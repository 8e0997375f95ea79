//! Which fields exist after a command.

use crate::{
    ast::{Name, Part, Path},
    error::{ErrorKind, Fault, Outcome},
    function::Kind,
    span::Span,
};

use super::Reads;

/// The fields that exist, and those of records that were read so far.
#[derive(Debug)]
pub(super) struct Scope {
    /// What made the fields of records disappear, if they have.
    closed_by: Option<&'static str>,
    defined: Vec<Defined>,
    /// How a join calls its two sides.
    sides: Option<(String, String)>,
    pub(super) reads: Reads,
}

/// A field that the query made.
#[derive(Clone, Debug)]
pub(super) struct Defined {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The number of the command that made it.
    command: usize,
    /// Whether another one of the same name may be made: what `display` names is shown, not kept.
    fleeting: bool,
}

impl Scope {
    pub(super) fn records() -> Self {
        Self { closed_by: None, defined: Vec::new(), sides: None, reads: Reads::default() }
    }

    /// Whether rows are records, so that fields may exist of which the query says nothing.
    pub(super) fn is_open(&self) -> bool {
        self.closed_by.is_none()
    }

    /// From here on only these fields exist.
    pub(super) fn close(
        &mut self,
        by: &'static str,
        outputs: impl IntoIterator<Item = (String, Kind)>,
        command: usize,
    ) {
        self.closed_by = Some(by);
        self.sides = None;
        let define = |(name, kind)| Defined { name, kind, command, fleeting: false };
        self.defined = outputs.into_iter().map(define).collect();
    }

    pub(super) fn join(&mut self, left: &str, right: &str) {
        self.sides = Some((left.to_owned(), right.to_owned()));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.defined.iter().map(|defined| defined.name.as_str())
    }

    /// Makes a field.
    pub(super) fn define(&mut self, name: &Name, kind: Kind, command: usize) -> Outcome<()> {
        if self.defined.iter().any(|defined| defined.name == name.it && !defined.fleeting) {
            let message = format!("`{}` is defined already; give the new field another name", name.it);
            return Err(Fault::new(ErrorKind::Redefined, name.span, message));
        }
        self.set(&name.it, kind, command);
        Ok(())
    }

    /// Makes a field, or puts it in the place of another one.
    pub(super) fn set(&mut self, name: &str, kind: Kind, command: usize) {
        self.defined.retain(|defined| defined.name != name);
        self.defined.push(Defined { name: name.to_owned(), kind, command, fleeting: false });
    }

    /// Makes a field of the same command's output, which later ones may replace.
    pub(super) fn show(&mut self, name: &str, kind: Kind, command: usize) {
        if !self.defined.iter().any(|defined| defined.name == name) {
            self.defined.push(Defined { name: name.to_owned(), kind, command, fleeting: true });
        }
    }

    /// What sort of value is at the end of a path.
    pub(super) fn field(&mut self, path: &Path, span: Span, command: usize) -> Outcome<Kind> {
        let flat = path.flat();
        if let Some(defined) = self.defined.iter().find(|defined| defined.name == flat) {
            return Ok(defined.kind);
        }
        if path.parts.len() > 1 {
            if let Some(defined) = self.defined.iter().find(|defined| defined.name == path.root()) {
                if defined.command == command && defined.kind == Kind::Structure {
                    let message = format!("what is inside of `{}` can be read in a later command only", defined.name);
                    return Err(Fault::new(ErrorKind::UnknownField, span, message));
                }
                return Ok(Kind::Any);
            }
            if let Some((left, right)) = &self.sides {
                if path.root() == right {
                    return Ok(Kind::Any);
                }
                if path.root() == left
                    && let Some(Part::Name(_)) = path.parts.get(1)
                {
                    let own = Path { parts: path.parts[1..].to_vec() };
                    return self.field(&own, span, command);
                }
            }
        }
        if let Some(by) = self.closed_by {
            let known: Vec<&str> = self.names().collect();
            let listed: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
            let message = format!("`{flat}` does not exist: after `{by}` there are only {}", listed.join(", "));
            return Err(Fault::new(ErrorKind::UnknownField, span, message).or_nearest(&flat, known));
        }
        self.reads.fields.insert(flat);
        Ok(kind_of_record_field(path))
    }

    /// Whether a field exists, without reading it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.is_open() || self.names().any(|known| known == name)
    }
}

/// What sort of value a field of a record has.
fn kind_of_record_field(path: &Path) -> Kind {
    match path.single() {
        Some("@timestamp" | "@ingestionTime") => Kind::Time,
        Some("@message" | "@logStream" | "@log" | "@ptr") => Kind::Text,
        _ => Kind::Any,
    }
}
