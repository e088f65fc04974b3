//! What the threads let others see, beside the workers' boards.

use std::{path::PathBuf, sync::Arc};

use crate::{ledger::Ledger, recent::Recent};

/// The ends of it that [`State`](crate::state::State) reads.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// What the sinks took.
    pub(crate) ledger: Arc<Ledger>,
    /// The log's path, as configured.
    pub(crate) log: PathBuf,
    /// The last events.
    pub(crate) recent: Arc<Recent>,
}
