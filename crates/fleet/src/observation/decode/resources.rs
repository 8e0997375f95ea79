//! CPU and memory of a host, and the network interface of a task (spec A.5, A.6).
//!
//! Both are looked for at the beginning of their arrays, where AWS writes them, and the rest is passed over. An array that
//! is broken inside tells nothing, and costs nothing else: it is no evidence of trouble.

use super::{Cursor, Undecodable};
use crate::observation::{Amounts, amount, is_interface};

/// CPU and MEMORY of an array of resources; `None` unless both are there.
#[inline]
pub(super) fn amounts(cursor: &mut Cursor<'_, '_>, path: &'static str) -> Result<Option<Amounts>, Undecodable> {
    Ok(aside(cursor, path, cpu_and_memory)?.flatten())
}

/// Whether one of a task's attachments is a network interface.
#[inline]
pub(super) fn has_interface(cursor: &mut Cursor<'_, '_>, path: &'static str) -> Result<bool, Undecodable> {
    Ok(aside(cursor, path, any_interface)?.unwrap_or(false))
}

/// Passes over an array, but reads in it what `read` wants; `None` when the array is null or broken there.
#[inline(always)]
fn aside<'a, 'b, T>(
    cursor: &mut Cursor<'a, 'b>,
    path: &'static str,
    read: impl FnOnce(&mut Cursor<'a, 'b>) -> Result<T, Undecodable>,
) -> Result<Option<T>, Undecodable> {
    let begin = cursor.place();
    if cursor.raw_array(path)?.is_none() {
        return Ok(None);
    }
    let end = cursor.place();
    cursor.back(begin);
    let found = read(cursor).ok();
    cursor.back(end);
    Ok(found)
}

fn cpu_and_memory(cursor: &mut Cursor<'_, '_>) -> Result<Option<Amounts>, Undecodable> {
    let (mut cpu, mut memory) = (None, None);
    let Some(mut first) = cursor.array("resources")? else { return Ok(None) };
    while cursor.element(&mut first)? {
        let (mut name, mut kind, mut integer, mut long) = (None, None, None, None);
        let mut first = cursor.object("resources[]")?;
        while let Some(key) = cursor.key(&mut first)? {
            match &*key {
                b"name" => name = cursor.text("resources[].name")?,
                b"type" => kind = cursor.text("resources[].type")?,
                b"integerValue" => integer = cursor.integer("resources[].integerValue")?,
                b"longValue" => long = cursor.integer("resources[].longValue")?,
                _ => cursor.skip()?,
            }
        }
        // The fields that do not belong to the type may be filled with zeros.
        let value = if kind.as_deref() == Some("LONG") { long } else { integer };
        match name.as_deref() {
            Some("CPU") if cpu.is_none() => cpu = value,
            Some("MEMORY") if memory.is_none() => memory = value,
            _ => {}
        }
        if let (Some(cpu), Some(memory)) = (cpu, memory) {
            return Ok(Some(Amounts { cpu_units: amount(cpu), memory_mib: amount(memory) }));
        }
    }
    Ok(None)
}

fn any_interface(cursor: &mut Cursor<'_, '_>) -> Result<bool, Undecodable> {
    let Some(mut first) = cursor.array("attachments")? else { return Ok(false) };
    while cursor.element(&mut first)? {
        let mut first = cursor.object("attachments[]")?;
        while let Some(key) = cursor.key(&mut first)? {
            if &*key != b"type" {
                cursor.skip()?;
            } else if cursor.text("attachments[].type")?.is_some_and(|kind| is_interface(&kind)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
