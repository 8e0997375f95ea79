//! XML as the Query protocols use it: elements and text, no attributes that matter. A small tree to read answers, a
//! writer to make them.

use quick_xml::{
    Reader,
    escape::escape,
    events::{BytesStart, Event},
};

/// How deep an answer may be nested; AWS's deepest stays below a dozen.
pub const MAX_DEPTH: usize = 64;

/// An answer that is no XML. Its text never quotes the answer itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not UTF-8.
    #[error("the answer is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where.
        offset: usize,
    },
    /// Not well formed.
    #[error("the answer is not well-formed XML at byte {offset}: {what}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the answer is nested deeper than {MAX_DEPTH} elements")]
    TooDeep,
    /// No element at all, or not closed.
    #[error("the answer ends before its XML does")]
    Truncated,
}

/// An element: its name without namespace prefix, its own text, its children in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without prefix.
    pub name: String,
    /// Text directly inside, entities resolved, outer white space cut off.
    pub text: String,
    /// Children.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document. Attributes, comments and processing instructions are skipped.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::NotUtf8 { offset: error.valid_up_to() })?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        loop {
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    return Err(XmlError::Malformed { offset: reader.error_position(), what: error.to_string() });
                }
            };
            let finished = match event {
                Event::Start(start) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::TooDeep);
                    }
                    open.push(named(&start));
                    None
                }
                Event::Empty(start) => Some(named(&start)),
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    add_text(&mut open, &text.xml10_content());
                    None
                }
                Event::CData(text) => {
                    add_text(&mut open, &text.xml10_content());
                    None
                }
                Event::GeneralRef(reference) => {
                    let resolved = match &*reference {
                        "amp" => Some('&'),
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "quot" => Some('"'),
                        "apos" => Some('\''),
                        _ => reference.resolve_char_ref().ok().flatten(),
                    };
                    let Some(character) = resolved else {
                        let what = format!("unknown entity &{};", &*reference);
                        return Err(XmlError::Malformed { offset: reader.buffer_position(), what });
                    };
                    add_text(&mut open, character.encode_utf8(&mut [0; 4]));
                    None
                }
                Event::Eof => return Err(XmlError::Truncated),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
            };
            if let Some(mut element) = finished {
                let trimmed = element.text.trim();
                if trimmed.len() != element.text.len() {
                    element.text = trimmed.to_owned();
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
        }
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child along a path, `instanceState/name`.
    pub fn at(&self, path: &str) -> Option<&Element> {
        path.split('/').try_fold(self, |element, name| element.child(name))
    }

    /// The text at a path; `None` when it is missing or empty.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(|element| element.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The members of a list: `item` in EC2's answers, `member` in Query's. Empty when the list is missing.
    pub fn items<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a Element> + use<'a> {
        self.at(path)
            .into_iter()
            .flat_map(|list| list.children.iter().filter(|child| child.name == "item" || child.name == "member"))
    }
}

fn named(start: &BytesStart<'_>) -> Element {
    let name = start.name();
    Element { name: name.local_name().as_ref().to_owned(), ..Element::default() }
}

fn add_text(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Writes a document without tree or indentation.
#[derive(Clone, Debug)]
pub struct Writer {
    out: String,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Begins with the XML declaration.
    pub fn new() -> Self {
        Self { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    /// An element with what `inside` writes.
    pub fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    /// The outermost element with its namespace.
    pub fn root(&mut self, name: &str, xmlns: &str, inside: impl FnOnce(&mut Self)) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xmlns=\"");
        self.out.push_str(&escape(xmlns));
        self.out.push_str("\">");
        inside(self);
        self.close(name);
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.open(name);
        self.value(value);
        self.close(name);
    }

    /// Text alone: the inside of a list's member that is no structure.
    pub fn value(&mut self, value: &str) {
        // Control characters cannot stand in XML 1.0 at all, not even escaped.
        if value.chars().any(is_forbidden) {
            let clean: String = value.chars().map(|c| if is_forbidden(c) { '\u{FFFD}' } else { c }).collect();
            self.out.push_str(&escape(clean));
        } else {
            self.out.push_str(&escape(value));
        }
    }

    /// A list: `each` writes the inside of one member, called `item` (EC2) or `member` (Query).
    pub fn list<T>(
        &mut self,
        name: &str,
        member: &str,
        values: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.open(name);
        for value in values {
            self.open(member);
            each(self, value);
            self.close(member);
        }
        self.close(name);
    }

    /// The document.
    pub fn finish(self) -> String {
        self.out
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

fn is_forbidden(c: char) -> bool {
    (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = Writer::new();
        writer.root("DescribeInstanceStatusResponse", "http://ec2.amazonaws.com/doc/2016-11-15/", |w| {
            w.text("requestId", "r-1");
            w.list("instanceStatusSet", "item", ["i-1", "i-<2>&\"'"], |w, id| {
                w.text("instanceId", id);
                w.element("instanceState", |w| w.text("name", "running"));
            });
        });
        let tree = Element::parse(writer.finish().as_bytes()).unwrap();
        assert_eq!(tree.name, "DescribeInstanceStatusResponse");
        let ids: Vec<_> = tree.items("instanceStatusSet").filter_map(|item| item.text_at("instanceId")).collect();
        assert_eq!(ids, ["i-1", "i-<2>&\"'"]);
        let first = tree.items("instanceStatusSet").next().unwrap();
        assert_eq!(first.text_at("instanceState/name"), Some("running"));
    }

    #[test]
    fn prefixes_entities_and_cdata_are_understood() {
        let tree =
            Element::parse(b"<a:r xmlns:a='x'>\n <a:v>1 &lt; &#50; &amp; <![CDATA[<3>]]></a:v><e/></a:r>").unwrap();
        assert_eq!((tree.name.as_str(), tree.text.as_str()), ("r", ""));
        assert_eq!(tree.text_at("v"), Some("1 < 2 & <3>"));
        assert_eq!(tree.text_at("e"), None);
        assert!(tree.child("e").is_some());
    }

    #[test]
    fn nonsense_is_an_error_and_never_a_panic() {
        assert_eq!(Element::parse(b""), Err(XmlError::Truncated));
        assert_eq!(Element::parse(b"<a><b></b>"), Err(XmlError::Truncated));
        assert!(matches!(Element::parse(b"<a></b>"), Err(XmlError::Malformed { .. })));
        assert!(matches!(Element::parse(b"<a>&nbsp;</a>"), Err(XmlError::Malformed { .. })));
        assert_eq!(Element::parse(b"<a>\xff</a>"), Err(XmlError::NotUtf8 { offset: 3 }));
        assert_eq!(Element::parse("<a>".repeat(70).as_bytes()), Err(XmlError::TooDeep));
        assert_eq!(Element::parse(b"{\"not\": \"xml\"}"), Err(XmlError::Truncated));
    }

    #[test]
    fn control_characters_are_replaced_when_written() {
        let mut writer = Writer::new();
        writer.text("a", "x\u{1}y");
        assert_eq!(Element::parse(writer.finish().as_bytes()).unwrap().text, "x\u{FFFD}y");
    }
}
