//! A JSON object that is written member by member: the order of members is part of a record's layout.

use serde::Serialize;

/// An object being written.
#[derive(Debug)]
pub(super) struct Object {
    text: String,
}

impl Object {
    pub(super) fn new() -> Self {
        Self { text: String::from("{") }
    }

    /// A member. What JSON has no word for (a number that is not finite) is left out: no member is ever null.
    pub(super) fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> &mut Self {
        if let (Ok(name), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(value))
            && value != "null"
        {
            if self.text.len() > 1 {
                self.text.push(',');
            }
            self.text.push_str(&name);
            self.text.push(':');
            self.text.push_str(&value);
        }
        self
    }

    /// A member, where there is something to say.
    pub(super) fn maybe<T: Serialize>(&mut self, name: &str, value: Option<T>) -> &mut Self {
        match value {
            Some(value) => self.member(name, &value),
            None => self,
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}
