//! What a query of muster's own commands reads: log groups by patterns of their names, and a time that need not be said.

use query::Request;
use telemetry::{Store, StoreError, snapshot::Group};

/// Which groups and which time.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Names, in which `*` stands for any characters. Empty: all groups.
    pub groups: Vec<String>,
    /// The earliest time, in milliseconds since 1970. `None`: that of the first record.
    pub since_ms: Option<i64>,
    /// The latest; it counts. `None`: that of the last record.
    pub until_ms: Option<i64>,
}

/// What is asked for is not there.
#[derive(Debug, thiserror::Error)]
pub enum NotThere {
    /// It is no name and no pattern.
    #[error("the log group {0} is no name and no pattern: {1}")]
    NoPattern(String, globset::Error),
    /// No group has such a name.
    #[error("the store has no log group {name}{}", .near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    NoGroup {
        /// The name or pattern.
        name: String,
        /// A group that is called almost so.
        near: Option<String>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Scope {
    /// Has a request read the groups of a store.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn read(&self, store: &Store, request: &mut Request) -> Result<(), NotThere> {
        let known: Vec<String> = store.groups(None).into_iter().map(|group| group.name).collect();
        let wanted = chosen(&known, &self.groups)?;
        let others: Vec<String> = known.iter().filter(|name| !wanted.contains(name)).cloned().collect();
        request.groups = store.snapshot(&wanted)?;
        request.others = store.snapshot(&others)?;
        request.store = Some(store.object_store());
        Ok(())
    }

    /// Sets the time of a request that knows its groups. Without a time it is that of the records: what asks for it gets an answer
    /// that means something.
    pub fn narrow(&self, request: &mut Request) {
        let bounds = request.groups.iter().filter_map(Group::bounds);
        let (from, to) = bounds.fold((i64::MAX, i64::MIN), |(from, to), it| (from.min(it.0), to.max(it.1)));
        let (from, to) = if from <= to { (from, to) } else { (request.now_ms, request.now_ms) };
        request.to_ms = self.until_ms.unwrap_or(i64::MAX / 4);
        request.from_ms = self.since_ms.unwrap_or_else(|| from.min(request.to_ms));
        if self.until_ms.is_none() {
            request.to_ms = to.max(request.from_ms);
        }
    }
}

/// The groups that are wanted, out of those that are there.
fn chosen(known: &[String], wanted: &[String]) -> Result<Vec<String>, NotThere> {
    if wanted.is_empty() {
        return Ok(known.to_vec());
    }
    let mut chosen = Vec::new();
    for pattern in wanted {
        let glob = globset::GlobBuilder::new(pattern)
            .literal_separator(false)
            .build()
            .map_err(|error| NotThere::NoPattern(pattern.clone(), error))?
            .compile_matcher();
        let before = chosen.len();
        chosen.extend(known.iter().filter(|name| *name == pattern || glob.is_match(name)).cloned());
        if chosen.len() == before {
            let near = insights::error::nearest(pattern, known.iter().map(String::as_str));
            return Err(NotThere::NoGroup { name: pattern.clone(), near: near.map(str::to_owned) });
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_chosen_by_name_and_pattern() {
        let known = ["/aws/ecs/containerinsights/lab/performance".to_owned(), "/lab/shop".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert_eq!(chosen(&known, &["*performance".to_owned()]).unwrap(), known[..1]);
        let error = chosen(&known, &["/lab/shopp".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("no log group /lab/shopp; did you mean /lab/shop?"), "{error}");
    }

    #[test]
    fn a_time_that_is_not_said_is_that_of_the_records() {
        let mut request = Request { now_ms: 50, ..Request::default() };
        let narrowed = |since_ms, until_ms, request: &mut Request| {
            Scope { since_ms, until_ms, ..Scope::default() }.narrow(request);
            (request.from_ms, request.to_ms)
        };
        assert_eq!(narrowed(None, None, &mut request), (50, 50));
        assert_eq!(narrowed(Some(7), None, &mut request), (7, 50));
        assert_eq!(narrowed(None, Some(9), &mut request), (9, 9));
        assert_eq!(narrowed(Some(70), None, &mut request), (70, 70));
    }
}
