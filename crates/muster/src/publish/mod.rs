//! Telling the world what room is left.
//!
//! | to learn | read |
//! |---|---|
//! | which figures, under which names and units | [`figures`] |

pub mod figures;
