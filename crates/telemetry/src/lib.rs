//! Records, logs and samples: how they arrive, how they are kept, how they are read back. No query engine: that is `query`.
//!
//! | module | what it is |
//! |---|---|
//! | [`columns`] | events become rows of columns |
//! | [`event`] | one line of a log, and the limits of a batch |
//! | [`field`] | which columns the discovered fields of a group have |
//! | [`shape`] | the text of a message with holes where values stood, and messages rebuilt from it |
//! | [`snapshot`] | what a query sees: rows in memory and files, of one or more groups |
//! | [`reader`] | events of a snapshot, in their order |
//! | [`record`] | performance records of Container Insights, as their texts |
//! | [`emf`] | metrics that are embedded in lines |

#![forbid(unsafe_code)]

pub mod columns;
pub mod emf;
pub mod event;
pub mod field;
pub mod reader;
pub mod record;
pub mod shape;
pub mod snapshot;
