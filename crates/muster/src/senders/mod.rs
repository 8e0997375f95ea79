//! Where notices go. One receiver a file.

pub mod log;
