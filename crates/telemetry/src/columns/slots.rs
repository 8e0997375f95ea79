//! The fields of a builder by number, and where their values go.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{COLUMNS_MAX, Rows};
use crate::{
    field::{FieldIndex, Kind},
    shape::form::{NumberForm, TextForm},
};

/// Says that a field has no column of a kind.
pub(crate) const NO_COLUMN: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Slot {
    name: Arc<str>,
    /// Where its values are, by kind.
    columns: [u32; 4],
    /// One more than the last row in which it had a value, so that a second one in the same row is noticed.
    marked: usize,
    number: NumberForm,
    text: TextForm,
}

/// Fields by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    numbers: HashMap<Arc<str>, u32, RandomState>,
}

/// Whether a field has a column of this kind already, or there is room for one more.
pub(crate) fn has_room(fields: &FieldIndex, field: &str, kind: Kind) -> bool {
    fields.len() < COLUMNS_MAX || fields.columns_of(field).iter().any(|column| column.kind == kind)
}

impl Slots {
    /// The number of a field.
    pub(crate) fn find(&self, field: &str) -> Option<u32> {
        self.numbers.get(field).copied()
    }

    /// The number of a field, which it gets if it has none.
    pub(crate) fn of(&mut self, field: &str) -> u32 {
        if let Some(number) = self.find(field) {
            return number;
        }
        let name: Arc<str> = field.into();
        // The bytes of all shapes bound how many fields there can be.
        let number = self.slots.len() as u32;
        self.slots.push(Slot {
            name: Arc::clone(&name),
            columns: [NO_COLUMN; 4],
            marked: 0,
            number: NumberForm::Shortest,
            text: TextForm::Plain,
        });
        self.numbers.insert(name, number);
        number
    }

    /// Where the values of a kind are.
    #[inline]
    pub(crate) fn column(&self, slot: u32, kind: Kind) -> u32 {
        self.slots[slot as usize].columns[kind as usize]
    }

    /// Makes a column for values of a kind; false if there is no room for it.
    #[cold]
    pub(crate) fn add_column(&mut self, slot: u32, kind: Kind, fields: &mut FieldIndex, rows: &mut Rows) -> bool {
        let slot = &mut self.slots[slot as usize];
        if !has_room(fields, &slot.name, kind) {
            return false;
        }
        slot.columns[kind as usize] = rows.add_column(fields.column(&slot.name, kind), kind);
        true
    }

    /// Notes that a field has a value in a row; false if it has one already.
    pub(crate) fn mark(&mut self, slot: u32, row: usize) -> bool {
        let slot = &mut self.slots[slot as usize];
        let first = slot.marked != row + 1;
        slot.marked = row + 1;
        first
    }

    /// Forgets which rows have values: numbers of rows begin anew.
    pub(crate) fn begin(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.marked = 0);
    }

    /// The forms that values of a field are first tried with.
    pub(crate) fn hints(&self, slot: u32) -> (NumberForm, TextForm) {
        let slot = &self.slots[slot as usize];
        (slot.number, slot.text)
    }

    /// Remembers forms that were needed, so that writers with trailing zeros or escapes do not get a shape for each combination.
    pub(crate) fn hint(&mut self, slot: u32, number: NumberForm, text: TextForm) {
        let slot = &mut self.slots[slot as usize];
        if number != NumberForm::Shortest {
            slot.number = number;
        }
        if text != TextForm::Plain {
            slot.text = text;
        }
    }
}
