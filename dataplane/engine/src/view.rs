//! What the threads let others see, beside the workers' boards.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use filter::Tally;

use crate::{ledger::Ledger, logger::Legends, mail::Post, recent::Recent, sandbox::Sandbox};

/// The ends of it that [`State`](crate::state::State) reads.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// What the sinks took.
    pub(crate) ledger: Arc<Ledger>,
    /// The log's path, as configured.
    pub(crate) log: PathBuf,
    /// What the workers count by country, source and network.
    pub(crate) tallies: Vec<Arc<Tally>>,
    /// The last events.
    pub(crate) recent: Arc<Recent>,
    /// The names of recent revisions.
    pub(crate) legends: Legends,
    /// Asks the workers about their flows.
    pub(crate) mail: Vec<Mutex<Post>>,
    /// What the process has given up.
    pub(crate) sandbox: Sandbox,
}
