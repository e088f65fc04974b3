//! What the threads let others see, beside the workers' boards.

use std::{path::PathBuf, sync::Arc};

use crate::{
    ledger::Ledger, logger::Legends, mail::Posts, recent::Recent, sandbox::Sandbox,
    tallies::Tallies,
};

/// The ends of it that [`State`](crate::state::State) reads.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// What the sinks took.
    pub(crate) ledger: Arc<Ledger>,
    /// The log's path, as configured.
    pub(crate) log: PathBuf,
    /// What the workers count by country, source and network.
    pub(crate) tallies: Tallies,
    /// The last events.
    pub(crate) recent: Arc<Recent>,
    /// The names of recent revisions.
    pub(crate) legends: Legends,
    /// Asks the workers about their flows.
    pub(crate) mail: Posts,
    /// What the process has given up.
    pub(crate) sandbox: Sandbox,
}
