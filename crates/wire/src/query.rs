//! Parameters of the AWS Query and EC2 Query protocols: an ordered list of names and values, form-encoded.
//!
//! Query numbers a list `Name.member.1`, EC2 Query `Name.1`; [`Params::list`] and [`Params::groups`] read both.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// The content type of a form.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Everything but RFC 3986's unreserved characters: what SigV4 and every AWS endpoint agree on.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The most parameters a form may have; AWS's own forms stay far below.
pub const MAX_PARAMS: usize = 10_000;

/// A form that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A name or value is not UTF-8 after decoding.
    #[error("parameter {position} of the form is not UTF-8")]
    NotUtf8 {
        /// Which one, from 1.
        position: usize,
    },
    /// More than [`MAX_PARAMS`].
    #[error("the form has more than {MAX_PARAMS} parameters")]
    TooMany,
}

/// Parameters in the order they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// A request: `Action` and `Version` come first.
    pub fn new(action: &str, version: &str) -> Self {
        let mut params = Self::default();
        params.push("Action", action);
        params.push("Version", version);
        params
    }

    /// Adds a parameter.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.pairs.push((name.into(), value.into()));
    }

    /// Adds a list in EC2's numbering, `InstanceId.1`, `InstanceId.2`, ….
    pub fn push_ec2_list<T: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        for (index, value) in values.into_iter().enumerate() {
            self.push(format!("{name}.{}", index + 1), value.as_ref());
        }
    }

    /// Adds a list in Query's numbering, `InstanceIds.member.1`, `InstanceIds.member.2`, ….
    pub fn push_member_list<T: AsRef<str>>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        self.push_ec2_list(&format!("{name}.member"), values);
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// `Action`.
    pub fn action(&self) -> Option<&str> {
        self.get("Action")
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values of a list in the order of their numbers, whichever numbering it uses.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let mut found = BTreeMap::new();
        for (key, value) in self.iter() {
            if let Some((number, "")) = numbered(key, name) {
                found.entry(number).or_insert(value);
            }
        }
        found.into_values().collect()
    }

    /// The members of a list of structures, each with its own parameters: `Filter.1.Name` is `Name` of the first group.
    pub fn groups(&self, name: &str) -> Vec<Params> {
        let mut found = BTreeMap::<u32, Params>::new();
        for (key, value) in self.iter() {
            if let Some((number, rest)) = numbered(key, name)
                && !rest.is_empty()
            {
                found.entry(number).or_default().push(rest, value);
            }
        }
        found.into_values().collect()
    }

    /// The form's body.
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(self.pairs.iter().map(|(n, v)| n.len() + v.len() + 2).sum());
        for (name, value) in &self.pairs {
            if !out.is_empty() {
                out.push('&');
            }
            out.extend(utf8_percent_encode(name, RESERVED));
            out.push('=');
            out.extend(utf8_percent_encode(value, RESERVED));
        }
        out
    }

    /// Reads a form's body or a query string. A name without `=` has an empty value.
    pub fn decode(body: &[u8]) -> Result<Self, FormError> {
        let mut pairs = Vec::new();
        for (index, pair) in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if index >= MAX_PARAMS {
                return Err(FormError::TooMany);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decode_half(halves.next().unwrap_or_default(), index + 1);
            pairs.push((half()?, half()?));
        }
        Ok(Self { pairs })
    }
}

/// Takes `NAME.[member.]NUMBER[.REST]` apart.
fn numbered<'a>(key: &'a str, name: &str) -> Option<(u32, &'a str)> {
    let rest = key.strip_prefix(name)?.strip_prefix('.')?;
    let rest = rest.strip_prefix("member.").unwrap_or(rest);
    let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
    Some((number.parse().ok()?, rest))
}

fn decode_half(bytes: &[u8], position: usize) -> Result<String, FormError> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| FormError::NotUtf8 { position })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_as_it_was_written() {
        let mut params = Params::new("DescribeInstanceStatus", "2016-11-15");
        params.push_ec2_list("InstanceId", ["i-1", "i-2"]);
        params.push("NextToken", "a+b/c= ü&");
        let body = params.encode();
        assert!(body.starts_with("Action=DescribeInstanceStatus&Version=2016-11-15&InstanceId.1=i-1"), "{body}");
        assert!(body.ends_with("NextToken=a%2Bb%2Fc%3D%20%C3%BC%26"), "{body}");
        assert_eq!(Params::decode(body.as_bytes()), Ok(params));
    }

    #[test]
    fn lists_of_both_numberings_come_in_the_order_of_their_numbers() {
        let params = Params::decode(b"Id.2=b&Id.10=c&Id.1=a&Names.member.1=x&Names.member.2=y&Idle.1=no").unwrap();
        assert_eq!(params.list("Id"), ["a", "b", "c"]);
        assert_eq!(params.list("Names"), ["x", "y"]);
    }

    #[test]
    fn structures_in_lists_are_groups_of_their_own() {
        let params =
            Params::decode(b"Filter.1.Name=instance-state-name&Filter.1.Value.1=running&Filter.2.Name=zone").unwrap();
        let filters = params.groups("Filter");
        assert_eq!(filters.len(), 2);
        assert_eq!(filters[0].get("Name"), Some("instance-state-name"));
        assert_eq!(filters[0].list("Value"), ["running"]);
    }

    #[test]
    fn plus_is_a_space_and_odd_forms_do_not_panic() {
        assert_eq!(Params::decode(b"a=1+2&&b&=c").unwrap().get("a"), Some("1 2"));
        assert_eq!(Params::decode(b"a=%FF"), Err(FormError::NotUtf8 { position: 1 }));
        assert_eq!(Params::decode(b"a=%F").unwrap().get("a"), Some("%F"));
    }
}
