//! Which files of a group are read for a query, and for which time: each row of each file once, in itself or in a roll-up.

use std::collections::BTreeMap;

use telemetry::{
    field::{FieldIndex, Kind},
    rollup::{Level, Rollups, WIDTHS_MS},
    snapshot::{File, Group},
};

use super::{
    Answered,
    cover::{Cover, Span, touches},
    wish::Wish,
};

/// The files of a group that are read alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The length of the buckets, in milliseconds, of files of roll-ups.
    pub(crate) width_ms: Option<i64>,
    /// The times that are read.
    pub(crate) spans: Vec<Span>,
    pub(crate) files: Vec<File>,
}

/// Whether all groups that know a field of the query know it as roll-ups do: dimensions as texts, metrics as numbers.
pub(crate) fn fits(wish: &Wish, fields: &FieldIndex) -> bool {
    let texts = |name: &String| fields.columns_of(name).iter().all(|it| it.kind == Kind::Text);
    let numbers = |name: &String| {
        let columns = fields.columns_of(name);
        !columns.is_empty() && columns.iter().all(|it| matches!(it.kind, Kind::Integer | Kind::Float))
    };
    wish.dimensions.iter().all(texts) && wish.metrics.keys().all(numbers)
}

/// What is read of a group in a span of time, both ends included, and what roll-ups answer of it; nothing, if none does.
pub(crate) fn of(wish: &Wish, group: &Group, from_ms: i64, to_ms: i64) -> (Vec<Source>, Option<Answered>) {
    let mut sources: BTreeMap<(Option<i64>, Vec<Span>), Vec<File>> = BTreeMap::new();
    let mut answered = Answered {
        group: group.name.clone(),
        widths_ms: Vec::new(),
        files: 0,
        bytes: 0,
        spared: Vec::new(),
        spared_bytes: 0,
        approximate: wish.sketches(),
    };
    for file in group.files.iter().filter(|file| file.meets(from_ms, to_ms)) {
        let rollups = group.rollups.get(&file.path).filter(|rollups| holds(wish, group, rollups));
        let usable = |level: &&Level| {
            WIDTHS_MS.contains(&level.width_ms)
                && wish.bins_ms.iter().all(|bin| bin % level.width_ms == 0)
                && (level.sketches || !wish.sketches())
        };
        let levels: Vec<_> = rollups.iter().flat_map(|it| &it.levels).filter(usable).collect();
        let widths: Vec<i64> = levels.iter().map(|level| level.width_ms).collect();
        let cover = Cover::of(from_ms, to_ms, &widths);
        for (width_ms, spans) in cover.levels {
            let level = levels.iter().find(|level| level.width_ms == width_ms).map(|level| &level.file);
            let Some(level) = level.filter(|level| touches(&spans, level.from_ms, level.to_ms)) else { continue };
            answered.files += 1;
            answered.bytes += level.bytes;
            if !answered.widths_ms.contains(&width_ms) {
                answered.widths_ms.push(width_ms);
            }
            sources.entry((Some(width_ms), spans)).or_default().push(level.clone());
        }
        if touches(&cover.rows, file.from_ms, file.to_ms) {
            sources.entry((None, cover.rows)).or_default().push(file.clone());
        } else {
            answered.spared_bytes += file.bytes;
            answered.spared.push(file.path.clone());
        }
    }
    answered.widths_ms.sort_unstable_by(|one, other| other.cmp(one));
    let sources = sources.into_iter().map(|((width_ms, spans), mut files)| {
        // As elsewhere the newest come first.
        files.sort_by_key(|file| std::cmp::Reverse(file.to_ms));
        Source { width_ms, spans, files }
    });
    (sources.collect(), (answered.files > 0).then_some(answered))
}

/// Whether roll-ups have all that a query asks of a file.
fn holds(wish: &Wish, group: &Group, rollups: &Rollups) -> bool {
    // What a group does not know is in none of its files.
    let dimension =
        |name: &String| group.fields.columns_of(name).iter().all(|it| rollups.dimensions.contains(&it.name));
    let metric = |name: &String| group.fields.columns_of(name).iter().all(|it| !rollups.left_out.contains(&it.name));
    wish.dimensions.iter().all(dimension) && wish.metrics.keys().all(metric)
}
