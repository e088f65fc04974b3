#![doc = include_str!("../README.md")]

mod error;
pub mod live;

pub use error::Error;
