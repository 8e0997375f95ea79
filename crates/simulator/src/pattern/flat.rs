//! An event taken apart into paths and scalars (spec B.2).

use serde_json::Value;

/// Which element of which array: array numbers are given in the order of the walk, so each array of the event has one.
pub(super) type Membership = Vec<(u32, u32)>;

/// One scalar of an event.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    pub(super) membership: Membership,
}

/// All scalars of an event, sorted by path. Empty objects and arrays contribute nothing.
pub(super) fn flatten(event: &Value) -> Vec<Field<'_>> {
    let mut walk = Walk { fields: Vec::with_capacity(64), membership: Membership::new(), arrays: 0 };
    walk.visit(String::new(), event);
    walk.fields.sort_by(|a, b| a.path.cmp(&b.path));
    walk.fields
}

struct Walk<'a> {
    fields: Vec<Field<'a>>,
    membership: Membership,
    arrays: u32,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, path: String, value: &'a Value) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.visit(path, member);
                }
            }
            Value::Array(elements) => {
                let array = self.arrays;
                self.arrays += 1;
                for (index, element) in (0u32..).zip(elements) {
                    self.membership.push((array, index));
                    self.visit(path.clone(), element);
                    self.membership.pop();
                }
            }
            _ => self.fields.push(Field { path, value, membership: self.membership.clone() }),
        }
    }
}

/// Both memberships together, or `None` where they stand in different elements of one array.
pub(super) fn agree(chosen: &Membership, other: &Membership) -> Option<Membership> {
    let mut merged = chosen.clone();
    for &(array, index) in other {
        match chosen.iter().find(|(known, _)| *known == array) {
            Some((_, known)) if *known != index => return None,
            Some(_) => {}
            None => merged.push((array, index)),
        }
    }
    Some(merged)
}
