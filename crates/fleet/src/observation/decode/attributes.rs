//! Reading a container instance's attributes when somebody needs them.

use super::{Cursor, Undecodable, with_cursor};
use crate::observation::{Attributes, HostAttributes, is_custom};

impl<'a> Attributes<'a> {
    /// The attributes that matter, read now if they have not been. A raw array whose inside is not what the spec says
    /// (C.5) gives what stands before the fault: attributes describe a host, they are evidence of nothing.
    pub fn read(&self) -> HostAttributes<'a> {
        match self {
            Self::Absent => HostAttributes::default(),
            Self::Raw(text) => {
                let mut known = HostAttributes::default();
                let fault = with_cursor(text, |cursor| collect(cursor, &mut known));
                drop(fault);
                known
            }
            Self::Known(known) => (**known).clone(),
        }
    }
}

fn collect<'a>(cursor: &mut Cursor<'a, '_>, known: &mut HostAttributes<'a>) -> Result<(), Undecodable> {
    let Some(mut first) = cursor.array("attributes")? else { return Ok(()) };
    while cursor.element(&mut first)? {
        let (mut name, mut value) = (None, None);
        let mut first = cursor.object("attributes[]")?;
        while let Some(key) = cursor.key(&mut first)? {
            match &*key {
                b"name" => name = cursor.text("attributes[].name")?,
                b"value" => value = cursor.text("attributes[].value")?,
                _ => cursor.skip()?,
            }
        }
        let value = value.filter(|value| !value.is_empty());
        match name.as_deref() {
            Some("ecs.availability-zone") => known.zone = value,
            Some("ecs.instance-type") => known.instance_type = value,
            Some("ecs.ami-id") => known.ami = value,
            Some("ecs.subnet-id") => known.subnet = value,
            Some("ecs.os-type") => known.os_type = value,
            Some("ecs.capability.external") => known.external = true,
            Some("ecs.awsvpc-trunk-id") => known.trunk = value.is_some(),
            _ => {
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    let value = value.unwrap_or_default();
                    if is_custom(&name) {
                        known.marks.push((name.clone(), value.clone()));
                    }
                    known.others.push((name, value));
                }
            }
        }
    }
    Ok(())
}
