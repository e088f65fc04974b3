//! What keeps a gateway from starting: each error names the operation, the object and the way out.

use std::io;
/// Why a gateway could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// gateway.toml is wrong.
    #[error("the configuration is refused: {0}")]
    Config(Box<lookup::LoadError>),
    /// The policy, or a file that it names, is wrong.
    #[error("the policy is refused: {0}")]
    Policy(#[from] Box<lookup::LoadError>),
    /// A socket, ring, program or interface could not be set up.
    #[error(transparent)]
    Xdp(#[from] af_xdp_rs::Error),
    /// A file, folder or socket.
    #[error("cannot {operation} {object}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        object: String,
        /// What the system said.
        source: io::Error,
    },
    /// Fewer queues than workers.
    #[error(
        "{interface} has {queues} queue(s), but [workers] cores asks for {workers}: give it more \
         (ethtool -L {interface} combined {workers}) or list fewer cores"
    )]
    TooFewQueues {
        /// The interface.
        interface: String,
        /// Its receive queues.
        queues: usize,
        /// The workers asked for.
        workers: usize,
    },
    /// A packet of the interface's MTU does not fit a frame.
    #[error(
        "{interface} has an MTU of {mtu} bytes, but a frame holds {limit}: lower it \
         (ip link set dev {interface} mtu {limit})"
    )]
    LargeMtu {
        /// The interface.
        interface: String,
        /// Its MTU, bytes.
        mtu: u32,
        /// The largest MTU that a frame holds, bytes.
        limit: u32,
    },
    /// The interface takes VLAN tags out of frames, and cannot be told not to.
    #[error(
        "{interface} takes VLAN tags out of frames ({}) and its driver does not stop doing so, which \
         would hide them from the policy: see `ethtool -k {interface}`, or use another interface",
        features.join(", ")
    )]
    TagStripping {
        /// The interface.
        interface: String,
        /// The features that stay on.
        features: Vec<&'static str>,
    },
    /// A core that is not there.
    #[error("core {core} is not online (online: {online:?}): correct [workers] cores")]
    NoCore {
        /// The core asked for.
        core: usize,
        /// The cores that are online.
        online: Vec<usize>,
    },
    /// There is nothing to forward between.
    #[error("an interface is missing: try again when both are there")]
    Away,
    /// A core that the kernel does not give.
    #[error(
        "core {core} refuses to be pinned to: see `cat /proc/self/status | grep Cpus_allowed_list` of \
         the gateway, and its cpuset"
    )]
    Pinned {
        /// The core asked for.
        core: usize,
    },
    /// Capabilities are missing.
    #[error(
        "the process lacks {}: run it as root, or grant them \
         (setcap cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock+ep PROGRAM)", missing.join(", ")
    )]
    Capabilities {
        /// Their names.
        missing: Vec<&'static str>,
    },
    /// The sandbox cannot be closed.
    #[error(
        "cannot {operation}: {detail}; the kernel needs CONFIG_SECCOMP_FILTER, or, for debugging only, say \
         [sandbox] mode = \"off\""
    )]
    Sandbox {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        detail: String,
    },
    /// No such group.
    #[error(
        "there is no group {name} in /etc/group: make it (groupadd --system {name}), or correct [control] \
         group"
    )]
    NoGroup {
        /// The name in the configuration.
        name: String,
    },
    /// Another gateway has the interface or the socket.
    #[error("another gateway already serves {object}: stop it first")]
    Taken {
        /// What it serves.
        object: String,
    },
    /// A thread ended before it was asked to.
    #[error(
        "thread {thread} ended by itself, and its last words stand above: the fail mode is in force \
         until palisade run starts again"
    )]
    Ended {
        /// Its name.
        thread: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `map_err`.
    pub(crate) fn io(
        operation: &'static str,
        object: impl Into<String>,
    ) -> impl FnOnce(io::Error) -> Self {
        let object = object.into();
        move |source| Self::Io { operation, object, source }
    }

    /// The same for a path.
    pub(crate) fn path(
        operation: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        Self::io(operation, path.display().to_string())
    }
}
