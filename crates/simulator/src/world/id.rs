//! Names of things. An id is its number in the world, mixed with the world's key: it looks like AWS's own, no two are
//! equal, and it is read back without an index.

use crate::seed::{mix, unmix};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The position in the world's list.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

numbers! {
    /// An account in a region.
    PlaceId
    /// A cluster.
    ClusterId
    /// A container instance: one registration of a machine.
    HostId
    /// An EC2 instance or an external machine.
    MachineId
    /// An Auto Scaling group.
    GroupId
    /// A service.
    ServiceId
    /// A task definition revision.
    DefinitionId
    /// A launch template version.
    TemplateId
    /// An instance type of the [catalogue](super::kind).
    KindId
    /// An interned string.
    Symbol
}

/// A task: a slot of the world's list and how often the slot has been used, so that an old name never means a new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Slot.
    pub slot: u32,
    /// Use of the slot, from 0.
    pub generation: u32,
}

impl TaskId {
    fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    fn from_number(number: u64) -> Self {
        Self { slot: number as u32, generation: (number >> 32) as u32 }
    }
}

/// Makes ids and reads them back. One a world; its key comes from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Namer {
    key: u64,
}

#[derive(Clone, Copy)]
#[repr(u64)]
enum Kind {
    Host = 0x11,
    Task = 0x22,
    Machine = 0x33,
    Eni = 0x44,
    Attachment = 0x55,
    Container = 0x66,
    Event = 0x77,
    Subnet = 0x88,
    Image = 0x99,
    Other = 0xaa,
}

impl Namer {
    /// For a seed.
    pub fn new(seed: u64) -> Self {
        Self { key: mix(seed ^ 0x6d75_7374_6572) }
    }

    fn low(self, kind: Kind, number: u64) -> u64 {
        mix(number ^ mix(self.key ^ kind as u64))
    }

    fn number(self, kind: Kind, low: u64) -> u64 {
        unmix(low) ^ mix(self.key ^ kind as u64)
    }

    fn wide(self, kind: Kind, number: u64) -> u128 {
        let low = self.low(kind, number);
        u128::from(mix(low ^ mix(self.key.rotate_left(17) ^ kind as u64))) << 64 | u128::from(low)
    }

    fn read_wide(self, kind: Kind, hex: &str) -> Option<u64> {
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        let wide = u128::from_str_radix(hex, 16).ok()?;
        let number = self.number(kind, wide as u64);
        (self.wide(kind, number) == wide).then_some(number)
    }

    /// Appends the 32 hexadecimal digits of a container instance.
    pub fn write_host(self, host: HostId, out: &mut Vec<u8>) {
        hex(out, self.wide(Kind::Host, u64::from(host.0)), 32);
    }

    /// Reads what [`write_host`](Self::write_host) wrote.
    pub fn read_host(self, text: &str) -> Option<HostId> {
        u32::try_from(self.read_wide(Kind::Host, text)?).ok().map(HostId)
    }

    /// Appends the 32 hexadecimal digits of a task.
    pub fn write_task(self, task: TaskId, out: &mut Vec<u8>) {
        hex(out, self.wide(Kind::Task, task.number()), 32);
    }

    /// Reads what [`write_task`](Self::write_task) wrote.
    pub fn read_task(self, text: &str) -> Option<TaskId> {
        self.read_wide(Kind::Task, text).map(TaskId::from_number)
    }

    /// Appends `i-0…` or `mi-0…`: 17 hexadecimal digits either way.
    pub fn write_machine(self, machine: MachineId, external: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(if external { b"mi-0" } else { b"i-0" });
        hex(out, u128::from(self.low(Kind::Machine, u64::from(machine.0))), 16);
    }

    /// Reads what [`write_machine`](Self::write_machine) wrote; also tells whether the id is an external one.
    pub fn read_machine(self, text: &str) -> Option<(MachineId, bool)> {
        let (digits, external) = match text.strip_prefix("mi-0") {
            Some(digits) => (digits, true),
            None => (text.strip_prefix("i-0")?, false),
        };
        Some((u32::try_from(self.read_narrow(Kind::Machine, digits)?).ok().map(MachineId)?, external))
    }

    /// Appends `eni-0…`, the network interface of a task.
    pub fn write_eni(self, task: TaskId, out: &mut Vec<u8>) {
        out.extend_from_slice(b"eni-0");
        hex(out, u128::from(self.low(Kind::Eni, task.number())), 16);
    }

    /// Reads what [`write_eni`](Self::write_eni) wrote.
    pub fn read_eni(self, text: &str) -> Option<TaskId> {
        self.read_narrow(Kind::Eni, text.strip_prefix("eni-0")?).map(TaskId::from_number)
    }

    fn read_narrow(self, kind: Kind, digits: &str) -> Option<u64> {
        if digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        Some(self.number(kind, u64::from_str_radix(digits, 16).ok()?))
    }

    /// Appends a UUID for the ENI attachment of a task.
    pub fn write_attachment(self, task: TaskId, out: &mut Vec<u8>) {
        uuid(out, self.wide(Kind::Attachment, task.number()));
    }

    /// Appends a UUID for a container of a task.
    pub fn write_container(self, task: TaskId, number: u32, out: &mut Vec<u8>) {
        uuid(out, self.wide(Kind::Container, task.number() ^ (u64::from(number) << 56)));
    }

    /// Appends a UUID for the event of this serial number.
    pub fn write_event(self, serial: u64, out: &mut Vec<u8>) {
        uuid(out, self.wide(Kind::Event, serial));
    }

    /// `subnet-0…` for a subnet number.
    pub fn subnet(self, number: u64) -> String {
        format!("subnet-0{:016x}", self.low(Kind::Subnet, number))
    }

    /// `ami-0…` for an image number.
    pub fn image(self, number: u64) -> String {
        format!("ami-0{:016x}", self.low(Kind::Image, number))
    }

    /// Sixty-four bits that belong to this number and nothing else: for addresses and other details.
    pub fn other(self, number: u64) -> u64 {
        self.low(Kind::Other, number)
    }

    /// Sixty-four bits that belong to a task, for its addresses.
    pub fn task_bits(self, task: TaskId) -> u64 {
        self.low(Kind::Attachment, task.number())
    }
}

fn hex(out: &mut Vec<u8>, value: u128, width: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in (0..width).rev() {
        out.push(DIGITS[(value >> (place * 4)) as usize & 15]);
    }
}

fn uuid(out: &mut Vec<u8>, value: u128) {
    // Version 4, variant 1: some parsers check.
    let value = value & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    hex(out, value >> 96, 8);
    out.push(b'-');
    hex(out, value >> 80, 4);
    out.push(b'-');
    hex(out, value >> 64, 4);
    out.push(b'-');
    hex(out, value >> 48, 4);
    out.push(b'-');
    hex(out, value, 12);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ids_are_read_back_and_foreign_ids_are_refused() {
        let namer = Namer::new(3);
        let host = text(|out| namer.write_host(HostId(99_999), out));
        assert_eq!((host.len(), namer.read_host(&host)), (32, Some(HostId(99_999))));
        assert_eq!(Namer::new(4).read_host(&host), None);
        assert_eq!(namer.read_task(&host), None);
        let task = TaskId { slot: 1_999_999, generation: 7 };
        assert_eq!(namer.read_task(&text(|out| namer.write_task(task, out))), Some(task));
        assert_eq!(namer.read_eni(&text(|out| namer.write_eni(task, out))), Some(task));
        let machine = text(|out| namer.write_machine(MachineId(5), false, out));
        assert_eq!((machine.len(), namer.read_machine(&machine)), (19, Some((MachineId(5), false))));
        let external = text(|out| namer.write_machine(MachineId(5), true, out));
        assert_eq!((external.len(), namer.read_machine(&external)), (20, Some((MachineId(5), true))));
        for odd in ["", "i-", "i-0", "i-0+123456789012345", "mi-0zzzzzzzzzzzzzzzz", "ε"] {
            assert_eq!(namer.read_machine(odd), None, "{odd}");
        }
    }

    #[test]
    fn uuids_have_the_right_shape() {
        let id = text(|out| Namer::new(1).write_event(1, out));
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"));
    }
}
