//! What a host has for tasks, and the network interface of a task (spec A.5, A.6).
//!
//! What is wanted is looked for where AWS writes it, and the rest is passed over. An array that is broken inside tells
//! only what stands before the fault, and nothing of ports: it is no evidence of trouble.

use memchr::memmem;

use super::{Cursor, Undecodable};
use crate::observation::{Amounts, HostPort, Protocol, amount, in_order, is_interface, port_number};

/// What an array of resources tells.
#[derive(Default)]
pub(super) struct Told {
    cpu: Option<i64>,
    memory: Option<i64>,
    /// How many GPUs.
    pub(super) gpus: Option<u16>,
    /// Ports that are taken, in order.
    pub(super) ports: Option<Vec<HostPort>>,
}

impl Told {
    /// CPU and MEMORY; `None` unless both are there.
    pub(super) fn amounts(&self) -> Option<Amounts> {
        let (cpu, memory) = self.cpu.zip(self.memory)?;
        Some(Amounts { cpu_units: amount(cpu), memory_mib: amount(memory) })
    }
}

/// Reads `registeredResources`. The ports in it are taken in `remainingResources` as well, where they are read.
#[inline]
pub(super) fn registered(cursor: &mut Cursor<'_, '_>) -> Result<Told, Undecodable> {
    let mut told = Told::default();
    aside(cursor, "detail.registeredResources", |cursor, raw| {
        // Few hosts have GPUs. An escape might hide their name.
        let enough_said = !cursor.any_escape() && memmem::find(raw.as_bytes(), b"GPU").is_none();
        resources(cursor, &mut told, enough_said, false)
    })?;
    Ok(told)
}

/// Reads `remainingResources`.
#[inline]
pub(super) fn remaining(cursor: &mut Cursor<'_, '_>) -> Result<Told, Undecodable> {
    let mut told = Told::default();
    let whole = aside(cursor, "detail.remainingResources", |cursor, _| resources(cursor, &mut told, false, true))?;
    if whole.is_none() {
        told.ports = None;
    }
    told.ports = told.ports.map(in_order);
    Ok(told)
}

/// Whether one of a task's attachments is a network interface.
#[inline]
pub(super) fn has_interface(cursor: &mut Cursor<'_, '_>, path: &'static str) -> Result<bool, Undecodable> {
    Ok(aside(cursor, path, |cursor, _| any_interface(cursor))?.unwrap_or(false))
}

/// Passes over an array, but reads in it what `read` wants; `None` when the array is null or broken there.
#[inline(always)]
fn aside<'a, 'b, T>(
    cursor: &mut Cursor<'a, 'b>,
    path: &'static str,
    read: impl FnOnce(&mut Cursor<'a, 'b>, &'a str) -> Result<T, Undecodable>,
) -> Result<Option<T>, Undecodable> {
    let begin = cursor.place();
    let Some(raw) = cursor.raw_array(path)? else { return Ok(None) };
    let end = cursor.place();
    cursor.back(begin);
    let found = read(cursor, raw).ok();
    cursor.back(end);
    Ok(found)
}

fn resources(
    cursor: &mut Cursor<'_, '_>,
    told: &mut Told,
    amounts_are_all: bool,
    ports: bool,
) -> Result<(), Undecodable> {
    let Some(mut first) = cursor.array("resources")? else { return Ok(()) };
    while cursor.element(&mut first)? {
        let (mut name, mut kind, mut integer, mut long, mut strings) = (None, None, None, None, None);
        let mut first = cursor.object("resources[]")?;
        while let Some(key) = cursor.key(&mut first)? {
            match &*key {
                b"name" => name = cursor.text("resources[].name")?,
                b"type" => kind = cursor.text("resources[].type")?,
                b"integerValue" => integer = cursor.integer("resources[].integerValue")?,
                b"longValue" => long = cursor.integer("resources[].longValue")?,
                b"stringSetValue" => {
                    let place = cursor.place();
                    strings = cursor.raw_array("resources[].stringSetValue")?.map(|_| place);
                }
                _ => cursor.skip()?,
            }
        }
        // The fields that do not belong to the type may be filled with zeros.
        let value = if kind.as_deref() == Some("LONG") { long } else { integer };
        match name.as_deref() {
            Some("CPU") if told.cpu.is_none() => told.cpu = value,
            Some("MEMORY") if told.memory.is_none() => told.memory = value,
            Some("GPU") if told.gpus.is_none() => {
                let mut gpus = 0_u16;
                told.gpus = each_string(cursor, strings, |_| gpus = gpus.saturating_add(1))?.then_some(gpus);
            }
            Some(list @ ("PORTS" | "PORTS_UDP")) if ports => {
                let protocol = if list == "PORTS" { Protocol::Tcp } else { Protocol::Udp };
                let taken = told.ports.get_or_insert_with(|| Vec::with_capacity(8));
                each_string(cursor, strings, |text| {
                    taken.extend(port_number(text).map(|port| HostPort { port, protocol }));
                })?;
            }
            _ => {}
        }
        if amounts_are_all && told.cpu.is_some() && told.memory.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

/// Goes back to a list of strings for a moment; whether there is one.
fn each_string(
    cursor: &mut Cursor<'_, '_>,
    list: Option<usize>,
    mut each: impl FnMut(&str),
) -> Result<bool, Undecodable> {
    let Some(list) = list else { return Ok(false) };
    let end = cursor.place();
    cursor.back(list);
    if let Some(mut first) = cursor.array("resources[].stringSetValue")? {
        while cursor.element(&mut first)? {
            if let Some(text) = cursor.text("resources[].stringSetValue[]")? {
                each(&text);
            }
        }
    }
    cursor.back(end);
    Ok(true)
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
