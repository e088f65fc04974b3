//! What the records say, for people.

mod rows;

pub use rows::table;
