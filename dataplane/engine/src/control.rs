//! The control socket: HTTP over a unix socket, so that `curl --unix-socket` works too; the metrics
//! address, where one is configured, serves the same router's `/metrics` over TCP.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | [`crate::Status`] as JSON |
//! | `GET /metrics` | the same numbers for Prometheus |
//! | `POST /reload` | 200 and the new revision, or 422 and why the policy is refused |

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lookup::{Revision, Ruleset};
use tokio::sync::oneshot;

use crate::{Error, logger::Legends, metrics, publish::Publisher, state::State};

/// The listening sockets, open but not yet served; the socket's file goes away with it.
#[derive(Debug)]
pub(crate) struct Control {
    socket: UnixListener,
    metrics: Option<TcpListener>,
    path: PathBuf,
}

impl Control {
    /// Opens the control socket at `path` and, where asked for, the metrics address.
    ///
    /// # Errors
    /// [`Error::Taken`] when a gateway answers at `path`; [`Error::Io`] otherwise.
    pub(crate) fn open(path: &Path, metrics: Option<SocketAddr>) -> Result<Self, Error> {
        if UnixStream::connect(path).is_ok() {
            return Err(Error::Taken { object: path.display().to_string() });
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::path("make the folder", folder))?;
        }
        // What is left of a gateway that was killed.
        let _ = fs::remove_file(path);
        let socket = UnixListener::bind(path).map_err(Error::path("listen at", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(Error::path("restrict", path))?;
        socket.set_nonblocking(true).map_err(Error::path("listen at", path))?;
        let metrics = match metrics {
            None => None,
            Some(address) => {
                let listener = TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                    .map_err(Error::io("listen at", format!("metrics address {address}")))?;
                Some(listener)
            }
        };
        Ok(Self { socket, metrics, path: path.to_owned() })
    }

    /// Serves on the calling thread until `stop` is sent or dropped.
    ///
    /// # Errors
    /// When the runtime can't be started.
    pub(crate) fn serve(self, state: Arc<State>, stop: oneshot::Receiver<()>) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::io("start", "the control socket's runtime"))?;
        runtime.block_on(async move {
            let socket = tokio::net::UnixListener::from_std(self.socket)
                .map_err(Error::path("listen at", &self.path))?;
            if let Some(listener) = self.metrics {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .map_err(Error::io("listen at", "the metrics address"))?;
                let router = Router::new()
                    .route("/metrics", get(show_metrics))
                    .with_state(Arc::clone(&state));
                tokio::spawn(async move { axum::serve(listener, router).await });
            }
            tokio::select! {
                served = axum::serve(socket, router(state)) => {
                    served.map_err(Error::path("serve", &self.path))?;
                }
                _ = stop => {}
            }
            // A file that is already gone is as good.
            let _ = fs::remove_file(&self.path);
            Ok(())
        })
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/status", get(show_status))
        .route("/metrics", get(show_metrics))
        .route("/reload", post(reload))
        .with_state(state)
}

/// What answers clients of the control socket, without a gateway behind it: no interface, no worker,
/// no root. Here so that any client's bytes can be tried on it.
///
/// # Errors
/// Everything that is wrong with the policy.
pub fn rehearsal(policy: &Path) -> Result<Router, Error> {
    let (ruleset, _) = Ruleset::load(policy, Revision(1)).map_err(Box::new)?;
    let legends = Legends::default();
    legends.add(ruleset.revision(), Arc::clone(ruleset.legend()));
    let publisher = Publisher::new(ruleset);
    let (workers, interfaces, unwritten) = (Vec::new(), Vec::new(), Arc::default());
    let path = policy.to_owned();
    let started = Instant::now();
    let state = State::new(path, publisher, legends, workers, interfaces, unwritten, started);
    Ok(router(Arc::new(state)))
}

async fn show_status(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.status()).into_response()
}

async fn show_metrics(Shared(state): Shared<Arc<State>>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics::text(state.status()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Compiling takes a good part of a second: off the runtime's thread, so that `status` still answers.
async fn reload(Shared(state): Shared<Arc<State>>) -> Response {
    match tokio::task::spawn_blocking(move || state.reload()).await {
        Ok(Ok(reloaded)) => reloaded.to_string().into_response(),
        Ok(Err(error)) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
