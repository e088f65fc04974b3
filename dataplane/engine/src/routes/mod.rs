//! What the control socket answers: [`see`] reads, [`change`] and [`workers`] write.

mod change;
mod drops;
mod flows;
mod see;
mod workers;

use std::{path::Path, sync::Arc, time::Instant};

use axum::Router;
use lookup::Loaded;

use crate::{
    Error, HistoryConfig, Poll,
    change::{Desk, moment},
    history::Past,
    logger::Legends,
    publish::Publisher,
    roster::{Book, Roster},
    state::State,
    view::View,
};

/// Everything, for the unix socket's owner.
pub(crate) fn all(state: Arc<State>) -> Router {
    see::routes().merge(change::routes()).merge(workers::routes()).with_state(state)
}

/// The metrics alone, for the network.
pub(crate) fn metrics(state: Arc<State>) -> Router {
    see::metrics().with_state(state)
}

/// What answers clients of the control socket, without a gateway behind it: no interface, no worker,
/// no root. Here so that any client's bytes can be tried on it; what they apply is written to `policy`.
///
/// # Errors
/// Everything that is wrong with the policy.
pub fn rehearsal(policy: &Path) -> Result<Router, Error> {
    let past = Past::open(&HistoryConfig::default());
    let loaded = Loaded::read(policy, moment(), past.first).map_err(Box::new)?;
    let legends = Legends::default();
    legends.add(loaded.ruleset.revision(), Arc::clone(loaded.ruleset.legend()));
    let text = loaded.policy.source().text.clone();
    let publisher = Publisher::new(loaded.ruleset);
    let desk = Desk::new(policy.to_owned(), text, publisher, legends, past);
    let nobody = Roster { cores: Vec::new(), poll: Poll::Busy, burst: 0 };
    let roster = Book::new(nobody, None);
    let seen = (View::default(), Instant::now());
    let state = State::new(Arc::new(desk), roster, Vec::new(), seen, None);
    Ok(all(Arc::new(state)))
}
