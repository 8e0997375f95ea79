//! Maps for what is looked up and never walked through. Their hash is quick and the same in every run.

use std::collections;

/// From a key to a value.
pub(crate) type HashMap<K, V> = collections::HashMap<K, V, foldhash::fast::FixedState>;
/// Keys alone.
pub(crate) type HashSet<K> = collections::HashSet<K, foldhash::fast::FixedState>;
