//! The leaves of a JSON object, by their paths.

use super::token::{Token, end_of_text, token, unescape};

/// How deep lists and objects may be nested; `insights` reads no deeper ones either.
const DEPTH_MAX: usize = 127;

/// The array that says which fields of a record are metrics. It is the same in each record, and no field (decision 0014).
const DIRECTIVES: &str = "CloudWatchMetrics";
/// The object of an embedded metric record that holds it; records of Container Insights hold it at their root.
const METRIC_RECORD: &str = "_aws";

/// A value of a message that has no parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// Its path, as a range of bytes of [`Walk::paths`].
    pub(crate) path: (usize, usize),
    /// What it is.
    pub(crate) token: Token,
    /// Where it stands in the message.
    pub(crate) at: (usize, usize),
}

/// Goes through a message and keeps its leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// The leaves, in the order of the document.
    pub(crate) leaves: Vec<Leaf>,
    /// The paths of all leaves, one after the other.
    pub(crate) paths: String,
    path: String,
    muted: usize,
    scratch: String,
}

impl Walk {
    /// Finds the leaves of a message; false if it is no JSON object.
    pub(crate) fn run(&mut self, message: &str) -> bool {
        self.leaves.clear();
        self.paths.clear();
        self.path.clear();
        self.muted = 0;
        let start = blanks(message, 0);
        message.as_bytes().get(start) == Some(&b'{')
            && self.object(message, start + 1, 1).is_some_and(|end| blanks(message, end) == message.len())
    }

    /// The path of a leaf.
    pub(crate) fn path(&self, leaf: &Leaf) -> &str {
        &self.paths[leaf.path.0..leaf.path.1]
    }

    fn value(&mut self, message: &str, at: usize, depth: usize) -> Option<usize> {
        match message.as_bytes().get(at)? {
            b'{' => self.object(message, at + 1, depth + 1),
            b'[' => self.list(message, at + 1, depth + 1),
            _ => {
                let (token, end) = token(message, at)?;
                if token == Token::Escaped {
                    self.scratch.clear();
                    if !unescape(&message[at + 1..end - 1], &mut self.scratch) {
                        return None;
                    }
                }
                if self.muted == 0 {
                    let from = self.paths.len();
                    self.paths.push_str(&self.path);
                    self.leaves.push(Leaf { path: (from, self.paths.len()), token, at: (at, end) });
                }
                Some(end)
            }
        }
    }

    fn object(&mut self, message: &str, at: usize, depth: usize) -> Option<usize> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut at = blanks(message, at);
        if message.as_bytes().get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        let length = self.path.len();
        loop {
            if message.as_bytes().get(at) != Some(&b'"') {
                return None;
            }
            let (end, escaped) = end_of_text(message.as_bytes(), at + 1)?;
            let name_from = if depth == 1 {
                0
            } else {
                self.path.push('.');
                length + 1
            };
            let name = &message[at + 1..end - 1];
            if escaped {
                if !unescape(name, &mut self.path) {
                    return None;
                }
            } else {
                self.path.push_str(name);
            }
            if depth == 1 && self.path.starts_with('@') {
                self.path.insert(0, '@');
            }
            at = blanks(message, end);
            if message.as_bytes().get(at) != Some(&b':') {
                return None;
            }
            at = blanks(message, at + 1);
            let directives = message.as_bytes().get(at) == Some(&b'[')
                && &self.path[name_from..] == DIRECTIVES
                && (depth == 1 || (depth == 2 && &self.path[..length] == METRIC_RECORD));
            self.muted += usize::from(directives);
            at = blanks(message, self.value(message, at, depth)?);
            self.muted -= usize::from(directives);
            self.path.truncate(length);
            match message.as_bytes().get(at)? {
                b',' => at = blanks(message, at + 1),
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    fn list(&mut self, message: &str, at: usize, depth: usize) -> Option<usize> {
        use std::fmt::Write;
        if depth > DEPTH_MAX {
            return None;
        }
        let mut at = blanks(message, at);
        if message.as_bytes().get(at) == Some(&b']') {
            return Some(at + 1);
        }
        let length = self.path.len();
        for index in 0_usize.. {
            // Writing into a String cannot fail.
            let _ = write!(self.path, ".{index}");
            at = blanks(message, self.value(message, at, depth)?);
            self.path.truncate(length);
            match message.as_bytes().get(at)? {
                b',' => at = blanks(message, at + 1),
                b']' => return Some(at + 1),
                _ => break,
            }
        }
        None
    }
}

fn blanks(message: &str, at: usize) -> usize {
    let bytes = message.as_bytes();
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(message: &str) -> Option<Vec<String>> {
        let mut walk = Walk::default();
        walk.run(message).then(|| walk.leaves.iter().map(|leaf| walk.path(leaf).to_owned()).collect())
    }

    #[test]
    fn leaves_have_paths() {
        let message =
            " {\"a\": {\"b\": [ {\"i\\u0064\" :1}, \"x\\n\" ]}, \"@w\":true,\n\"e\":[], \"n\":null, \"\":{\"\":2}} ";
        assert_eq!(paths(message).unwrap(), ["a.b.0.id", "a.b.1", "@@w", "n", "."]);
    }

    #[test]
    fn directives_of_metrics_have_no_leaves() {
        let message = r#"{"CloudWatchMetrics":[{"a":1}],"_aws":{"Timestamp":1,"CloudWatchMetrics":[2]},"b":{"CloudWatchMetrics":[3]}}"#;
        assert_eq!(paths(message).unwrap(), ["_aws.Timestamp", "b.CloudWatchMetrics.0"]);
        assert_eq!(paths(r#"{"CloudWatchMetrics":3}"#).unwrap(), ["CloudWatchMetrics"]);
    }

    #[test]
    fn what_is_no_object_has_none() {
        for message in [
            "",
            "x",
            "[1]",
            "{",
            "{} x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":[1,]}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":\"\\x\"}",
        ] {
            assert_eq!(paths(message), None, "{message}");
        }
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(paths(&nested(126)).is_some() && paths(&nested(127)).is_none());
    }
}
