//! What the control socket answers: [`see`] reads, [`change`] writes.

mod change;
mod drops;
mod see;

use std::{
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::Router;
use lookup::{Revision, Ruleset};

use crate::{Error, logger::Legends, publish::Publisher, state::State, view::View};

/// Everything, for the unix socket's owner.
pub(crate) fn all(state: Arc<State>) -> Router {
    see::routes().merge(change::routes()).with_state(state)
}

/// The metrics alone, for the network.
pub(crate) fn metrics(state: Arc<State>) -> Router {
    see::metrics().with_state(state)
}

/// What answers clients of the control socket, without a gateway behind it: no interface, no worker,
/// no root. Here so that any client's bytes can be tried on it.
///
/// # Errors
/// Everything that is wrong with the policy.
pub fn rehearsal(policy: &Path) -> Result<Router, Error> {
    let (ruleset, _) =
        Ruleset::load(policy, SystemTime::now().into(), Revision(1)).map_err(Box::new)?;
    let legends = Legends::default();
    legends.add(ruleset.revision(), Arc::clone(ruleset.legend()));
    let publisher = Publisher::new(ruleset);
    let (workers, interfaces, view) = (Vec::new(), Vec::new(), View::default());
    let path = policy.to_owned();
    let started = Instant::now();
    let state = State::new(path, publisher, legends, workers, interfaces, view, started);
    Ok(all(Arc::new(state)))
}
