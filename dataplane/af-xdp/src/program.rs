//! The XDP program of one interface: loaded, attached, and told which queues are served.
//!
//! ```text
//!  NIC queue i -> palisade_xdp -> across[0]   flows that have a lease of worker i ([`Lane`])
//!                             |-> xsks[i]  -> Socket of worker i, but openers over limits[i] dropped
//!                             \-> peers[0] -> the other interface    (fail open, nobody at i)
//!                              \> dropped                            (fail closed, nobody at i)
//!  worker i -> palisade_xdp -> across[0]    many frames that it lets pass ([`Bulk`])
//! ```
//! The program is attached by route netlink, not by a `bpf_link`, so it outlives the process that
//! attached it, killed or crashed; so do its maps, and with them the fail mode. A clean stop calls
//! [`Program::detach`]. A program left by a killed gateway is known by its name and is replaced in
//! one step, without a moment in which none is attached, unless the mode changes: then the old one
//! goes first, and comes back if the new one is refused. A program of another name is left alone. To learn
//! a name takes CAP_SYS_ADMIN; a process that gave it up knows its own programs by [`Program::follow`].
//!
//! Open the sockets first, then attach: a gateway that still runs holds its queues, so opening them
//! fails with `EBUSY` before its program would be replaced.
//!
//! Sources: `dataplane/bpf/palisade.bpf.c`, `net/core/dev.c` (`dev_xdp_attach`).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use aya::maps::{Array, DevMap, Map, MapError, PerCpuArray, XskMap};
use aya::programs::{ProgramError, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use rustix::io::Errno;

use crate::Error;
use crate::attach::{self, Attached, Attachment, NAME, attached, by_id};
use crate::bulk::Bulk;
use crate::interface::{Interface, permission};
use crate::lane::{Lane, LanePlan, Lanes, Takes};
use crate::live::{self, Ingress};
use crate::socket::Socket;

static OBJECT: &[u8] =
    include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../bpf/palisade.bpf.o"));

/// What happens to frames of a queue that no worker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// They are dropped.
    Closed,
    /// They are bridged to another interface.
    Open {
        /// The index of the other interface.
        to: u32,
    },
}

/// How to attach the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver if it can, else generic.
    #[default]
    Auto,
    /// In the driver.
    Native,
    /// Behind the driver, on socket buffers: works with every driver, slowest.
    Generic,
}

/// Frames that no worker took since the program was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unserved {
    /// Dropped: the fail mode is closed.
    pub dropped: u64,
    /// Bridged to the other interface: the fail mode is open.
    pub bridged: u64,
}

/// A loaded program. Dropping it leaves it attached.
#[derive(Debug)]
pub struct Program {
    ebpf: Ebpf,
    place: Option<Place>,
    before: Option<Before>,
    lanes: Option<Arc<Lanes>>,
}

/// A program of this process that the new one may take the place of.
#[derive(Debug)]
struct Before {
    id: u32,
    fd: OwnedFd,
}

/// Where a program is attached.
#[derive(Debug)]
struct Place {
    interface: Interface,
    attached: Attached,
}

impl Program {
    /// Loads the program for an interface of this many receive queues. With a plan, workers may let flows
    /// through by a [`Lane`], once [`Program::open_lanes`] says so.
    ///
    /// # Errors
    /// [`Error::Load`] when the kernel refuses the program, [`Error::Program`] when it refuses the
    /// other interface, or to share memory.
    pub fn load(fail: FailMode, queues: u32, plan: Option<LanePlan>) -> Result<Self, Error> {
        let sizes = plan.unwrap_or(LanePlan::NONE);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("xsks", queues.max(1))
            .map_max_entries("limits", queues.max(1))
            .map_max_entries("valves", queues.max(1))
            .map_max_entries("lanes", sizes.lanes)
            .map_max_entries("leases", sizes.places())
            .map_max_entries("tags", sizes.tags())
            .map_max_entries("let_through", sizes.rows())
            .map_max_entries("outgoing", sizes.outgoing())
            .map_max_entries("taken", sizes.lanes)
            .load(OBJECT)
            .map_err(|source| Error::Load { source: Box::new(source) })?;
        let xdp = xdp(&mut ebpf)?;
        xdp.load().map_err(|source| Error::Load { source: Box::new(source.into()) })?;
        let mut program = Self { ebpf, place: None, before: None, lanes: None };
        if let FailMode::Open { to } = fail {
            program.send("peers", to)?;
        }
        if let Some(plan) = plan {
            program.send("across", plan.to)?;
            program.lanes = Some(Arc::new(program.share(plan)?));
        }
        Ok(program)
    }

    /// Lets the program send to an interface by one of its maps.
    fn send(&mut self, map: &str, to: u32) -> Result<(), Error> {
        let map = self.ebpf.map_mut(map).ok_or(MapError::KeyNotFound);
        let sends = map.and_then(DevMap::try_from).and_then(|mut map| {
            map.set(0, to, None, 0).map_err(|error| MapError::IoError(std::io::Error::other(error)))
        });
        sends.map_err(|error| failed("let the program send to the other interface", &error))
    }

    /// Maps the memory that workers share with it.
    fn share(&self, plan: LanePlan) -> Result<Lanes, Error> {
        let fd = |name| match self.ebpf.map(name) {
            Some(Map::Array(map)) => Ok(map.fd().as_fd()),
            _ => Err(failed("find the maps of leases", &MapError::KeyNotFound)),
        };
        let fds = [
            fd("lanes")?,
            fd("leases")?,
            fd("tags")?,
            fd("let_through")?,
            fd("outgoing")?,
            fd("taken")?,
        ];
        Lanes::map(fds, plan).map_err(|errno| failed("share memory with the program", &errno))
    }

    /// What the program shares with the worker of a queue, if that may have leases.
    #[must_use]
    pub fn lane(&self, queue: u32) -> Option<Lane> {
        self.lanes.as_ref()?.of(queue)
    }

    /// What sends batches of frames through the program to a veth, for the worker of a queue that may have leases.
    ///
    /// # Errors
    /// [`Error::Program`] when the process may have no more files.
    pub fn bulk(&self, queue: u32, to: &Interface) -> Result<Option<Bulk>, Error> {
        let Some(lane) = self.lane(queue) else { return Ok(None) };
        Ok(Bulk::new(self.fd()?, lane, to))
    }

    /// Leases count from now on for the frames that the other interface takes: where it takes redirected ones
    /// at all ([`crate::XdpSupport::transmit`]), and some drivers only from as many CPUs as they have queues. It
    /// drops the rest. `takes` says it for each queue; nothing is taken to begin with.
    pub fn open_lanes(&self, takes: impl Fn(u32) -> Takes) {
        // The program reads leases word by word, and relies on the order of reads that x86 keeps.
        if let Some(lanes) = self.lanes.as_ref().filter(|_| cfg!(target_arch = "x86_64")) {
            lanes.open(takes);
        }
    }

    /// How it is attached, once it is.
    #[must_use]
    pub fn attached_as(&self) -> Option<Attached> {
        self.place.as_ref().map(|place| place.attached)
    }

    /// Attaches the program, in place of one that a killed gateway left; answers how.
    ///
    /// # Errors
    /// [`Error::Foreign`] when another program is there, [`Error::Link`] when the kernel refuses.
    pub fn attach(&mut self, interface: &Interface, mode: AttachMode) -> Result<Attached, Error> {
        let wanted = match mode {
            AttachMode::Auto | AttachMode::Native => Attached::Native,
            AttachMode::Generic => Attached::Generic,
        };
        let result = match self.attach_as(interface, wanted) {
            Err(Error::Link { source, .. }) if mode == AttachMode::Auto && unsupported(&source) => {
                self.attach_as(interface, Attached::Generic)
            }
            result => result,
        };
        let attached = result?;
        self.place = Some(Place { interface: interface.clone(), attached });
        Ok(attached)
    }

    /// Lets this program take the place of one that the same process attached; answers whether that is what
    /// the interface runs.
    ///
    /// # Errors
    /// [`Error::Interface`] when the interface has gone, [`Error::Program`] when the one before is gone.
    pub fn follow(&mut self, before: &Self, interface: &Interface) -> Result<bool, Error> {
        let wrong = |error: ProgramError| failed("use the program before", &error);
        let program = before.ebpf.program(NAME).ok_or(ProgramError::NotLoaded).map_err(wrong)?;
        let xdp: &Xdp = program.try_into().map_err(wrong)?;
        let id = xdp.info().map_err(wrong)?.id();
        let fd = xdp.fd().map_err(wrong)?.as_fd().try_clone_to_owned();
        self.before =
            Some(Before { id, fd: fd.map_err(|error| failed("use the program before", &error))? });
        Ok(attached(interface)?.is_some_and(|there| there.id == id))
    }

    /// Puts the program that this one followed back into its place, where there was one.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses.
    pub fn retreat(&mut self) -> Result<(), Error> {
        let own = self.fd()?;
        let Self { place, before: Some(before), .. } = self else { return Ok(()) };
        let Some(Place { interface, attached }) = place.take() else { return Ok(()) };
        attach::set(&interface, Some(before.fd.as_fd()), attached, Some(own.as_fd())).map_err(
            |errno| Error::Link {
                operation: "put the program before back on",
                interface: interface.name,
                source: errno.into(),
                hint: permission(errno, "the new one stays, and with it the fail mode"),
            },
        )
    }

    /// The program of an interface, to be replaced.
    fn old(&self, id: u32) -> Option<OwnedFd> {
        match &self.before {
            Some(before) if before.id == id => before.fd.try_clone().ok(),
            _ => by_id(id)?.as_fd().try_clone_to_owned().ok(),
        }
    }

    fn attach_as(&mut self, interface: &Interface, wanted: Attached) -> Result<Attached, Error> {
        let refused = |errno: Errno| Error::Link {
            operation: "attach the XDP program to",
            interface: interface.name.clone(),
            source: errno.into(),
            hint: permission(errno, refusal(errno)),
        };
        let own = self.before.as_ref().map(|before| before.id);
        let stale = attached(interface)?
            .map(|there| Attachment { ours: there.ours || own == Some(there.id), ..there });
        if let Some(Attachment { ours: false, id, name, attached }) = stale {
            let interface = interface.name.clone();
            return Err(Error::Foreign { interface, name, id, unset: attached.word() });
        }
        let program = self.fd()?;
        match stale {
            // An interface has one mode at a time, so a change of mode cannot be one step.
            Some(Attachment { id, attached, .. }) if attached != wanted => {
                let old = self.old(id).ok_or_else(|| refused(Errno::NOENT))?;
                attach::set(interface, None, attached, Some(old.as_fd())).map_err(refused)?;
                attach::set(interface, Some(program.as_fd()), wanted, None).map_err(|errno| {
                    // A gateway that cannot start must not take the declared fail mode away.
                    let _ = attach::set(interface, Some(old.as_fd()), attached, None);
                    refused(errno)
                })?;
            }
            Some(Attachment { id, .. }) => {
                let old = self.old(id).ok_or_else(|| refused(Errno::NOENT))?;
                attach::set(interface, Some(program.as_fd()), wanted, Some(old.as_fd()))
                    .map_err(refused)?;
            }
            None => attach::set(interface, Some(program.as_fd()), wanted, None).map_err(refused)?,
        }
        Ok(wanted)
    }

    /// Detaches the program, if it still is the one attached: the kernel compares and detaches in
    /// one step. Answers whether it was.
    ///
    /// # Errors
    /// [`Error::Link`] when the kernel refuses for another reason.
    pub fn detach(&mut self) -> Result<bool, Error> {
        let program = self.fd()?;
        let Some(Place { interface, attached }) = self.place.take() else {
            return Ok(false);
        };
        match attach::set(&interface, None, attached, Some(program.as_fd())) {
            Ok(()) => Ok(true),
            // Another program is there, or none, or the interface has gone.
            Err(Errno::EXIST | Errno::NOENT | Errno::NODEV) => Ok(false),
            Err(errno) => Err(Error::Link {
                operation: "detach the XDP program from",
                interface: interface.name,
                source: errno.into(),
                hint: permission(errno, "`ip link set dev NAME xdp off` does it by hand"),
            }),
        }
    }

    /// Sends the frames of `queue` to `socket` from now on. The kernel stops when it is closed.
    ///
    /// The socket must be bound to this queue of this interface. The kernel does not check that
    /// here: it drops each frame for a socket that is bound elsewhere, and none counts as unserved.
    ///
    /// # Errors
    /// [`Error::Program`] when there is no such queue, or the socket is a simulated one.
    pub fn serve(&mut self, queue: u32, socket: &Socket) -> Result<(), Error> {
        let Some(fd) = socket.fd() else {
            let detail = "it is a simulated one".to_owned();
            return Err(Error::Program { operation: "serve a queue by this socket", detail });
        };
        let served = self.sockets().and_then(|mut sockets| sockets.set(queue, fd.as_raw_fd(), 0));
        served.map_err(|error| failed("serve the queue by this socket", &error))
    }

    /// Sends no more frames of `queue` to a socket: the fail mode decides.
    ///
    /// # Errors
    /// [`Error::Program`] when there is no such queue.
    pub fn unserve(&mut self, queue: u32) -> Result<(), Error> {
        match self.sockets().and_then(|mut sockets| sockets.unset(queue)) {
            // No socket was there: it was closed.
            Err(MapError::KeyNotFound) => Ok(()),
            result => result.map_err(|error| failed("take the queue from its socket", &error)),
        }
    }

    /// Frames that no worker took, over all CPUs and queues.
    ///
    /// # Errors
    /// [`Error::Program`] when the counters cannot be read.
    pub fn unserved(&self) -> Result<Unserved, Error> {
        let read = |fate| {
            let map = self.ebpf.map("unserved").ok_or(MapError::KeyNotFound)?;
            let counts: PerCpuArray<_, u64> = PerCpuArray::try_from(map)?;
            Ok(counts.get(&fate, 0)?.iter().sum())
        };
        let both = read(0).and_then(|dropped| Ok(Unserved { dropped, bridged: read(1)? }));
        both.map_err(|error: MapError| failed("read the program's counters", &error))
    }

    /// Lets a queue bring at most so many openers of TCP connections (SYN without ACK) a millisecond
    /// to its socket; the program drops and counts those over it. 0 is no limit.
    ///
    /// # Errors
    /// [`Error::Program`] when there is no such queue.
    pub fn limit_openers(&mut self, queue: u32, per_ms: u32) -> Result<(), Error> {
        let map = self.ebpf.map_mut("limits").ok_or(MapError::KeyNotFound);
        let limits = map.and_then(Array::<_, u32>::try_from);
        let set = limits.and_then(|mut limits| limits.set(queue, per_ms, 0));
        set.map_err(|error| failed("limit a queue's openers", &error))
    }

    /// Openers of TCP connections that were over the limit of a queue so far.
    ///
    /// # Errors
    /// [`Error::Program`] when the counters cannot be read.
    pub fn shed(&self, queue: u32) -> Result<u64, Error> {
        let map = self.ebpf.map("valves").ok_or(MapError::KeyNotFound);
        let valve = map.and_then(Array::<_, [u64; 3]>::try_from);
        let valve = valve.and_then(|valves| valves.get(&queue, 0));
        let [_, _, shed] = valve.map_err(|error| failed("read the program's counters", &error))?;
        Ok(shed)
    }

    /// What the program would do (`XDP_DROP`, ..) with a frame of at least 14 bytes that arrived on a queue
    /// of `interface`: nothing is sent, but what it counts is counted (`BPF_PROG_TEST_RUN`).
    ///
    /// # Errors
    /// [`Error::Live`] when the kernel refuses the frame or the queue.
    pub fn answer(
        &mut self,
        interface: &Interface,
        queue: u32,
        frame: &[u8],
    ) -> Result<u32, Error> {
        let context = live::context(Ingress { ifindex: interface.index, queue }, frame.len());
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        };
        Ok(xdp(&mut self.ebpf)?.test_run(options).map_err(Error::Live)?.return_value)
    }

    /// A descriptor of the program, for whoever keeps it.
    fn fd(&self) -> Result<OwnedFd, Error> {
        let wrong = |error: ProgramError| failed("use the program", &error);
        let program = self.ebpf.program(NAME).ok_or(ProgramError::NotLoaded).map_err(wrong)?;
        let xdp: &Xdp = program.try_into().map_err(wrong)?;
        let fd = xdp.fd().map_err(wrong)?.as_fd().try_clone_to_owned();
        fd.map_err(|error| failed("use the program", &error))
    }

    fn sockets(&mut self) -> Result<XskMap<&mut aya::maps::MapData>, MapError> {
        XskMap::try_from(self.ebpf.map_mut("xsks").ok_or(MapError::KeyNotFound)?)
    }
}

fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp, Error> {
    let missing = || ProgramError::NotLoaded;
    let program = ebpf.program_mut(NAME).ok_or_else(missing);
    let xdp = program.and_then(|program| program.try_into());
    xdp.map_err(|error| failed("find the program in its object", &error))
}

fn unsupported(source: &std::io::Error) -> bool {
    source.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error())
}

/// What a driver means that does not take a program.
fn refusal(errno: Errno) -> &'static str {
    match errno {
        // veth_xdp_set in `drivers/net/veth.c`: frames of the peer's queues must find one here.
        Errno::NOSPC => {
            "a veth needs as many receive queues as its peer has transmit queues: \
             make both with as many (ethtool -L)"
        }
        _ => "the driver may not run XDP at this MTU: try mode \"skb\"",
    }
}

/// Errors of the loader name their cause in their source.
fn failed(operation: &'static str, error: &dyn std::error::Error) -> Error {
    let detail = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Error::Program { operation, detail }
}
