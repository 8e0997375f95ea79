//! One value of an XML text, by a path of names: `/order/item[2]/@id`, `//name`.

use std::collections::BTreeMap;

/// How deep elements may be nested; what is deeper is not found.
const DEPTH_MAX: usize = 256;

/// A path into XML: names or `*`, each perhaps with a number from 1, and perhaps an attribute at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPath {
    /// Whether the first step may be at any depth.
    anywhere: bool,
    steps: Vec<Step>,
    attribute: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    /// Which of the siblings of this name, counted from 1.
    number: Option<u32>,
}

impl XmlPath {
    /// Reads a path; nothing for what is more than a path of names.
    pub fn read(text: &str) -> Option<Self> {
        let (anywhere, rest) = match text.strip_prefix("//") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('/')?),
        };
        let mut pieces: Vec<&str> = rest.split('/').collect();
        let attribute = match pieces.last()?.strip_prefix('@') {
            Some(name) if is_name(name) => {
                pieces.pop();
                Some(name.to_owned())
            }
            Some(_) => return None,
            None => None,
        };
        if pieces.last() == Some(&"text()") {
            pieces.pop();
        }
        let steps: Option<Vec<Step>> = pieces.into_iter().map(Step::read).collect();
        Some(Self { anywhere, steps: steps.filter(|steps| !steps.is_empty())?, attribute })
    }

    /// The attribute, or all the text inside, of the first element at the end of the path.
    pub fn find(&self, text: &str) -> Option<String> {
        let mut open: Vec<Element<'_>> = vec![Element::default()];
        let mut found: Option<(usize, String)> = None;
        let mut rest = text;
        loop {
            let at = rest.find('<')?;
            if let Some((_, inside)) = &mut found {
                inside.push_str(&unescaped(&rest[..at]));
            }
            let markup = &rest[at..];
            if let Some(data) = markup.strip_prefix("<![CDATA[") {
                let end = data.find("]]>")?;
                if let Some((_, inside)) = &mut found {
                    inside.push_str(&data[..end]);
                }
                rest = &data[end + 3..];
                continue;
            }
            if let Some(passed) = passed_over(markup) {
                rest = passed?;
                continue;
            }
            let (tag, after) = tag(markup)?;
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                if open.len() < 2 || open.last()?.name != name.trim() {
                    return None;
                }
                open.pop();
                if found.as_ref().is_some_and(|(depth, _)| *depth > open.len()) {
                    return found.map(|(_, inside)| inside);
                }
                continue;
            }
            let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = tag.split(char::is_whitespace).next().unwrap_or_default();
            let number = open.last_mut()?.count(name);
            open.push(Element { name, number, children: BTreeMap::new() });
            if open.len() > DEPTH_MAX {
                return None;
            }
            if found.is_none() && self.leads_to(&open[1..]) {
                match &self.attribute {
                    Some(attribute) => return attribute_of(&tag[name.len()..], attribute),
                    None if closed => return Some(String::new()),
                    None => found = Some((open.len(), String::new())),
                }
            }
            if closed {
                open.pop();
            }
        }
    }

    fn leads_to(&self, open: &[Element<'_>]) -> bool {
        let fits = open.len() == self.steps.len() || (self.anywhere && open.len() > self.steps.len());
        let last = open.len().saturating_sub(self.steps.len());
        fits && self.steps.iter().zip(&open[last..]).all(|(step, element)| {
            (step.name == "*" || step.name == element.name) && step.number.is_none_or(|number| number == element.number)
        })
    }
}

impl Step {
    fn read(text: &str) -> Option<Self> {
        let (name, number) = match text.split_once('[') {
            Some((name, number)) => (name, Some(number.strip_suffix(']')?.parse().ok()?)),
            None => (text, None),
        };
        (name == "*" || is_name(name)).then(|| Self { name: name.to_owned(), number })
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_alphabetic() || char == '_')
        && text.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | ':'))
}

/// An element that is open.
#[derive(Default)]
struct Element<'t> {
    name: &'t str,
    number: u32,
    children: BTreeMap<&'t str, u32>,
}

impl<'t> Element<'t> {
    /// Which of the children of this name the next one is.
    fn count(&mut self, name: &'t str) -> u32 {
        let count = self.children.entry(name).or_insert(0);
        *count += 1;
        *count
    }
}

/// What follows a comment, a declaration or an instruction, if the markup is one and ends.
fn passed_over(markup: &str) -> Option<Option<&str>> {
    let end = if markup.starts_with("<!--") {
        "-->"
    } else if markup.starts_with("<?") {
        "?>"
    } else if markup.starts_with("<!") {
        ">"
    } else {
        return None;
    };
    Some(markup.find(end).map(|at| &markup[at + end.len()..]))
}

/// What stands between `<` and `>`, quotes respected, and what follows.
fn tag(markup: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, char) in markup.char_indices().skip(1) {
        match (quote, char) {
            (None, '>') => return Some((&markup[1..at], &markup[at + 1..])),
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
    }
    None
}

fn attribute_of(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        let (value, left) = after[1..].split_once(quote)?;
        if name.trim() == wanted {
            return Some(unescaped(value));
        }
        rest = left;
    }
}

/// With the five named entities and those by number replaced; others stay as they are.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        // Only so far is its end looked for: a text may be full of `&`.
        let entity = rest.bytes().skip(1).take(9).position(|byte| byte == b';').map(|end| &rest[1..=end]);
        let char = match entity {
            Some("lt") => Some('<'),
            Some("gt") => Some('>'),
            Some("amp") => Some('&'),
            Some("quot") => Some('"'),
            Some("apos") => Some('\''),
            Some(number) => number.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
                None => number.parse().ok().and_then(char::from_u32),
            }),
            None => None,
        };
        match (char, entity) {
            (Some(char), Some(entity)) => {
                plain.push(char);
                rest = &rest[entity.len() + 2..];
            }
            _ => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"got <?xml version="1.0"?><!-- x < y --><order id="7" note='a > b'>
        <item n="1">nut &amp; bolt</item><item n="2"><b>w</b>ing<![CDATA[<s>]]></item><none/>
        <deep><name>inner</name></deep></order> trailing"#;

    #[test]
    fn values_are_found_by_paths_of_names() {
        for (path, found) in [
            ("/order/item", Some("nut & bolt")),
            ("/order/item[2]", Some("wing<s>")),
            ("/order/item[2]/b/text()", Some("w")),
            ("/order/item[2]/@n", Some("2")),
            ("/order/@note", Some("a > b")),
            ("/order/none", Some("")),
            ("/order/*/name", Some("inner")),
            ("//name", Some("inner")),
            ("//deep/name", Some("inner")),
            ("/name", None),
            ("/order/item[3]", None),
            ("/order/@absent", None),
        ] {
            assert_eq!(XmlPath::read(path).unwrap().find(ORDER).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn what_is_more_than_a_path_of_names_is_none() {
        for path in ["", "order", "/", "/a[@b='c']", "/a/../b", "/count(a)", "/a//b", "/a/@", "/a[x]"] {
            assert_eq!(XmlPath::read(path), None, "{path}");
        }
    }

    #[test]
    fn texts_that_are_no_xml_have_no_values() {
        let path = XmlPath::read("/a/b").unwrap();
        for text in [
            "",
            "<",
            "<a",
            "<a><b>x",
            "<a><b>x</a>",
            "</a>",
            "<a b=\"",
            "<!--",
            "<![CDATA[",
            "<a>&#xffffffff;&;<b/",
            "é<é>",
        ] {
            assert_eq!(path.find(text), None, "{text}");
        }
        assert_eq!(path.find(&"<a>".repeat(10_000)), None);
    }

    #[test]
    fn entities_are_replaced_and_lonely_ampersands_stay() {
        let path = XmlPath::read("/a").unwrap();
        for (inside, found) in [
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
            ("&#65;&#x42;&#x10ffff;", "AB\u{10ffff}"),
            ("& &; &nbsp; &#x110000; é&é;", "& &; &nbsp; &#x110000; é&é;"),
        ] {
            assert_eq!(path.find(&format!("<a>{inside}</a>")).as_deref(), Some(found));
        }
        let lonely = "&".repeat(1 << 20);
        assert_eq!(path.find(&format!("<a>{lonely}</a>")), Some(lonely));
    }
}
