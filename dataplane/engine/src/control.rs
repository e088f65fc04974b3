//! The control socket: HTTP over a unix socket, so that `curl --unix-socket` works too; the metrics
//! address, where one is configured, serves the same router's `/metrics` over TCP.
//!
//! Clients get a bounded time to ask, so that idle ones cost nobody else an answer. Who a client of
//! the socket is, the kernel says: root, the gateway's own user, and the group where one is configured,
//! may ask and change everything; anybody else gets no answer, whatever the file's mode lets through. A
//! socket whose file is removed is made again.

use std::{
    fs::{self, File, TryLockError},
    io,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::IntoResponse, serve::Listener};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, rt::TokioTimer, service::TowerToHyperService};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use tokio::{
    net::{TcpStream, UnixStream as Client},
    sync::{Semaphore, oneshot},
    time::{sleep, timeout},
};

use crate::{
    Config, Error,
    history::{self, Who},
    routes, say,
    state::State,
};

/// Connections served at a time; more wait until one ends.
const CONNECTIONS: usize = 2048;
/// How long a client may take to ask.
const ASK: Duration = Duration::from_secs(5);
/// How long an exchange may take, with a large policy to compile.
const EXCHANGE: Duration = Duration::from_secs(120);
/// How often the socket's file is looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How long another start over the same folder may take.
const BUSY: Duration = Duration::from_secs(2);

/// The listening sockets, open but not yet served; the socket's file goes away with it.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Socket,
    metrics: Option<TcpListener>,
}

/// A listening unix socket and its file.
#[derive(Debug)]
struct Socket {
    path: PathBuf,
    /// Who may use it beside root.
    group: Option<u32>,
    listener: UnixListener,
    /// Device and inode of the file.
    identity: Option<(u64, u64)>,
}

impl Control {
    /// Opens the control socket and, where asked for, the metrics address.
    ///
    /// # Errors
    /// [`Error::Taken`] when a gateway answers there, [`Error::NoGroup`] without the group that may use it;
    /// [`Error::Io`] otherwise.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        widen();
        let group = config
            .group
            .as_ref()
            .map(|name| history::group(name).ok_or_else(|| Error::NoGroup { name: name.clone() }));
        let socket = Socket::open(&config.socket, group.transpose()?)?;
        let metrics = match config.metrics {
            None => None,
            Some(address) => {
                let listener = TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                    .map_err(Error::io("listen at", format!("metrics address {address}")))?;
                Some(listener)
            }
        };
        Ok(Self { socket, metrics })
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
        let Self { socket, metrics } = self;
        let served = runtime.block_on(async {
            let slots = Arc::new(Semaphore::new(CONNECTIONS));
            if let Some(listener) = metrics {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .map_err(Error::io("listen at", "the metrics address"))?;
                let router = routes::metrics(Arc::clone(&state));
                tokio::spawn(listen(listener, None, router, Arc::clone(&slots)));
            }
            tokio::select! {
                served = stay(socket, routes::all(state), slots) => served,
                _ = stop => Ok(()),
            }
        });
        // A policy that is being compiled comes too late.
        runtime.shutdown_background();
        served
    }
}

impl Socket {
    /// Listens at a path where nobody listens.
    fn open(path: &Path, group: Option<u32>) -> Result<Self, Error> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(Error::path("make the folder", folder))?;
        // Two starts at the same moment must not take what the other has just made for a leftover.
        let _alone = alone(folder).map_err(Error::path("lock the folder", folder))?;
        if UnixStream::connect(path).is_ok() {
            return Err(Error::Taken { object: path.display().to_string() });
        }
        // What is left of a gateway that was killed.
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).map_err(Error::path("listen at", path))?;
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        chown(path, None, group)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .map_err(Error::path("restrict", path))?;
        listener.set_nonblocking(true).map_err(Error::path("listen at", path))?;
        Ok(Self { path: path.to_owned(), group, listener, identity: identity(path) })
    }

    /// Whether the path has no file any more; another one there is somebody's, and stays.
    fn removed(&self) -> bool {
        matches!(fs::symlink_metadata(&self.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // A file that is already gone is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Serves a socket, and makes it again when its file is removed.
async fn stay(mut socket: Socket, router: Router, slots: Arc<Semaphore>) -> Result<(), Error> {
    loop {
        let listener = socket.listener.try_clone().and_then(tokio::net::UnixListener::from_std);
        let listener = listener.map_err(Error::path("listen at", &socket.path))?;
        tokio::select! {
            () = listen(listener, socket.group, router.clone(), Arc::clone(&slots)) => return Ok(()),
            next = replaced(&socket) => socket = next,
        }
    }
}

/// Waits until the socket's file is gone; another socket at the same path.
async fn replaced(socket: &Socket) -> Socket {
    loop {
        sleep(LOOK).await;
        if socket.removed()
            && let Ok(next) = Socket::open(&socket.path, socket.group)
        {
            say(format_args!("{} was removed, and is there again", socket.path.display()));
            return next;
        }
    }
}

/// Set by an answer that has no end: its connection has none either.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endless(Arc<AtomicBool>);

impl Endless {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A client whose name may be known.
trait Peer {
    /// Who it is.
    fn who(&self) -> Option<Who>;

    /// Whether it may ask, where a group may.
    fn may(&self, group: Option<u32>) -> bool;
}

impl Peer for Client {
    fn who(&self) -> Option<Who> {
        let peer = self.peer_cred().ok()?;
        Some(Who::peer(peer.uid(), peer.pid().and_then(|pid| pid.try_into().ok())))
    }

    fn may(&self, group: Option<u32>) -> bool {
        let Ok(peer) = self.peer_cred() else { return false };
        let pid = peer.pid().and_then(|pid| pid.try_into().ok());
        let within =
            |group| peer.gid() == group || pid.is_some_and(|pid| history::member(pid, group));
        peer.uid() == 0 || peer.uid() == geteuid().as_raw() || group.is_some_and(within)
    }
}

impl Peer for TcpStream {
    fn who(&self) -> Option<Who> {
        None
    }

    /// What is served there is meant for whoever can reach the address.
    fn may(&self, _group: Option<u32>) -> bool {
        true
    }
}

/// Serves whoever connects, a bounded number at a time, each for a bounded time.
async fn listen<L>(mut listener: L, group: Option<u32>, router: Router, slots: Arc<Semaphore>)
where
    L: Listener<Io: Peer>,
{
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let (stream, _) = listener.accept().await;
        let (who, endless) = (stream.who(), Endless::default());
        let may = stream.may(group);
        let (inner, asked) = (TowerToHyperService::new(router.clone()), endless.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(asked.clone());
            if let Some(who) = &who {
                request.extensions_mut().insert(who.clone());
            }
            let answer = may.then(|| inner.call(request));
            async move {
                match answer {
                    Some(answer) => answer.await,
                    None => Ok(denied()),
                }
            }
        });
        tokio::spawn(async move {
            let _slot = slot;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(ASK)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A client that broke off, or took too long, gets no answer.
            let mut connection = pin!(connection);
            if timeout(EXCHANGE, connection.as_mut()).await.is_err() && endless.is_set() {
                let _ = connection.await;
            }
        });
    }
}

/// To a client that may not ask.
fn denied() -> Response<Body> {
    let words = "only root and members of [control] group may ask this gateway";
    (StatusCode::FORBIDDEN, words).into_response()
}

/// Asks for as many descriptors as the system lets this process have.
fn widen() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum {
        // Where it is refused, fewer clients are served at a time.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Holds the folder's lock while the result lives.
fn alone(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    let deadline = Instant::now() + BUSY;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}
