//! What does not fit a table.

/// A cover that is too large for the entries of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy needs {asked} {what}, the tables hold at most {limit}; shorten the network lists"
)]
pub struct TableError {
    /// What there is too much of.
    pub what: &'static str,
    /// How many the policy needs.
    pub asked: usize,
    /// How many fit.
    pub limit: usize,
}
