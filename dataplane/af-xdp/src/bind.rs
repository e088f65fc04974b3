//! Opening a socket: options, rings, `bind`, and what the kernel granted.
//!
//! The order matters. Rings are mapped before `bind`, because kernels before 6.18 answer `mmap` of
//! a bound socket's rings with `EBUSY`. The first socket of a UMEM registers it; each further one
//! binds with `XDP_SHARED_UMEM` and no other flag, inherits the first one's mode, and brings fill
//! and completion rings of its own, because its interface or its queue is another one.
//!
//! Sources: `net/xdp/xsk.c` (`xsk_bind`, `xsk_setsockopt`), `net/xdp/xsk_buff_pool.c`.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, SocketAddrXdpWithSharedUmem, XdpOptionsFlags, XdpRingOffset,
    XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::Error;
use crate::config::{Granted, Mode, RingSizes, SocketConfig};
use crate::interface::Interface;
use crate::options;
use crate::place::{Descriptor, Entry, Layout};
use crate::region::Region;
use crate::ring::{Consumer, Producer};
use crate::socket::{Peer, Rings, Socket};
use crate::umem::Umem;

const RX_OFFSET: u64 = 0;
const TX_OFFSET: u64 = 0x8000_0000;
const FILL_OFFSET: u64 = 0x1_0000_0000;
const COMPLETION_OFFSET: u64 = 0x1_8000_0000;

/// How long to wait for a queue that a process held until just now: the kernel lets go of it some
/// tenths of a second after the process ended.
const BUSY_FOR: Duration = Duration::from_secs(2);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

impl Socket {
    /// Opens a socket on `queue` of `interface` over `umem`.
    ///
    /// # Errors
    /// [`Error::Queue`] when there is no such queue, [`Error::Socket`] for what the kernel refuses.
    pub fn bind(
        umem: &Umem,
        interface: &Interface,
        queue: u32,
        config: &SocketConfig,
    ) -> Result<Self, Error> {
        if queue >= interface.rx_queues {
            return Err(Error::Queue {
                interface: interface.name.clone(),
                has: interface.rx_queues,
                asked: queue,
            });
        }
        let at = At { interface, queue };
        let fd = at.done("open a socket", open())?;
        let shared = umem.vouched(|voucher| voucher.is_some());
        if !shared {
            at.done("register the UMEM", register(&fd, umem))?;
        }
        let rings = at.done("make the rings", make_rings(&fd, &config.rings))?;
        options::widen_tx(&fd, config);
        at.done("bind a socket", bind_patiently(&fd, &at, shared.then_some(umem), config.mode))?;
        let options = at.done("ask for the mode", sockopt::xdp_options(&fd))?;
        let granted = match config.mode {
            _ if options.contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY) => Granted::ZeroCopy,
            Mode::Skb => Granted::Skb,
            _ => Granted::Copy,
        };
        let mark = at.done("name a socket of this UMEM", umem.mark().ok_or(Errno::MFILE))?;
        let fd = Arc::new(fd);
        umem.join(&fd);
        Ok(Self::new(umem.clone(), rings, Peer::Kernel(fd), mark, granted))
    }

    /// Opens two sockets over `umem`, both in one mode: with [`Mode::Auto`], both zero-copy or,
    /// where one driver cannot, both copy. A shared UMEM has only one mode.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn pair(
        umem: &Umem,
        queues: [(&Interface, u32); 2],
        config: &SocketConfig,
    ) -> Result<[Self; 2], Error> {
        let open = |mode| {
            let config = SocketConfig { mode, ..*config };
            let [(first, first_queue), (second, second_queue)] = queues;
            let first = Self::bind(umem, first, first_queue, &config)?;
            let second = Self::bind(umem, second, second_queue, &config)?;
            Ok([first, second])
        };
        match open(config.mode) {
            Err(Error::Socket { source, .. }) if config.mode == Mode::Auto && cannot(&source) => {
                open(Mode::Copy)
            }
            opened => opened,
        }
    }
}

/// Whether the kernel said that a driver cannot do what was asked.
fn cannot(source: &std::io::Error) -> bool {
    [Errno::OPNOTSUPP, Errno::INVAL]
        .map(|errno| Some(errno.raw_os_error()))
        .contains(&source.raw_os_error())
}

/// What a step is about, for errors.
struct At<'a> {
    interface: &'a Interface,
    queue: u32,
}

impl At<'_> {
    fn done<T>(&self, operation: &'static str, result: Result<T, Errno>) -> Result<T, Error> {
        result.map_err(|errno| Error::Socket {
            operation,
            interface: self.interface.name.clone(),
            queue: self.queue,
            source: errno.into(),
            hint: hint(errno),
        })
    }
}

fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::PERM | Errno::ACCESS => "it needs root, or CAP_NET_RAW and CAP_NET_ADMIN",
        Errno::BUSY => "another process serves this queue: stop it first",
        Errno::OPNOTSUPP => "the driver cannot do this: try mode \"copy\" or \"skb\"",
        Errno::NOBUFS => "too little memory may be locked: raise `ulimit -l`",
        Errno::AFNOSUPPORT => "this kernel was built without CONFIG_XDP_SOCKETS",
        Errno::BADF => "the UMEM's other socket was closed, or its interface went: try again",
        Errno::NETDOWN => "the interface is down: `ip link set dev NAME up`",
        _ => "see `dmesg` and the driver's XDP support",
    }
}

fn open() -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

fn register(fd: &OwnedFd, umem: &Umem) -> Result<(), Errno> {
    let config = umem.config();
    let registration = XdpUmemReg {
        addr: umem.region().start().as_ptr() as u64,
        len: u64::from(config.frames) * u64::from(config.frame_bytes),
        chunk_size: config.frame_bytes,
        headroom: config.headroom_bytes,
        flags: XdpUmemRegFlags::empty(),
        tx_metadata_len: 0,
    };
    sockopt::set_xdp_umem_reg(fd, registration)
}

/// Sizes and maps the four rings. All of it before `bind`.
fn make_rings(fd: &OwnedFd, sizes: &RingSizes) -> Result<Rings, Errno> {
    sockopt::set_xdp_umem_fill_ring_size(fd, sizes.fill)?;
    sockopt::set_xdp_umem_completion_ring_size(fd, sizes.completion)?;
    sockopt::set_xdp_rx_ring_size(fd, sizes.rx)?;
    sockopt::set_xdp_tx_ring_size(fd, sizes.tx)?;
    let offsets = sockopt::xdp_mmap_offsets(fd)?;
    let (fill, fill_at) = map::<u64>(fd, offsets.fr, sizes.fill, FILL_OFFSET)?;
    let (rx, rx_at) = map::<Descriptor>(fd, offsets.rx, sizes.rx, RX_OFFSET)?;
    let (tx, tx_at) = map::<Descriptor>(fd, offsets.tx, sizes.tx, TX_OFFSET)?;
    let (completion, completion_at) =
        map::<u64>(fd, offsets.cr, sizes.completion, COMPLETION_OFFSET)?;
    // A layout that does not fit its own mapping is the kernel's mistake.
    let rings = || {
        Some(Rings {
            fill: Producer::new(&fill, fill_at, sizes.fill)?,
            rx: Consumer::new(&rx, rx_at, sizes.rx)?,
            tx: Producer::new(&tx, tx_at, sizes.tx)?,
            completion: Consumer::new(&completion, completion_at, sizes.completion)?,
        })
    };
    rings().ok_or(Errno::PROTO)
}

fn map<T: Entry>(
    fd: &OwnedFd,
    offset: XdpRingOffset,
    size: u32,
    page: u64,
) -> Result<(Arc<Region>, Layout), Errno> {
    let layout = Layout {
        producer: offset.producer as usize,
        consumer: offset.consumer as usize,
        flags: offset.flags.ok_or(Errno::OPNOTSUPP)? as usize,
        entries: offset.desc as usize,
    };
    let region = Region::shared(fd.as_fd(), layout.bytes::<T>(size), page)?;
    Ok((Arc::new(region), layout))
}

/// Binds, and waits a bounded time for a queue that is not free yet. With `shared`, a socket of
/// that UMEM vouches for it at each try; none is kept open between two tries.
fn bind_patiently(
    fd: &OwnedFd,
    at: &At<'_>,
    shared: Option<&Umem>,
    mode: Mode,
) -> Result<(), Errno> {
    let deadline = Instant::now() + BUSY_FOR;
    loop {
        match bind_once(fd, at, shared, mode) {
            Err(Errno::BUSY) if Instant::now() < deadline => thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
}

fn bind_once(fd: &OwnedFd, at: &At<'_>, shared: Option<&Umem>, mode: Mode) -> Result<(), Errno> {
    let address = |flags| SocketAddrXdp::new(flags, at.interface.index, at.queue);
    if let Some(umem) = shared {
        let addr = address(SocketAddrXdpFlags::XDP_SHARED_UMEM);
        return umem.vouched(|voucher| {
            let shared_umem_fd = voucher.ok_or(Errno::BADF)?.as_fd();
            bind(fd, &SocketAddrXdpWithSharedUmem { addr, shared_umem_fd })
        });
    }
    let copying = match mode {
        Mode::Auto => SocketAddrXdpFlags::empty(),
        Mode::ZeroCopy => SocketAddrXdpFlags::XDP_ZEROCOPY,
        Mode::Copy | Mode::Skb => SocketAddrXdpFlags::XDP_COPY,
    };
    bind(fd, &address(copying | SocketAddrXdpFlags::XDP_USE_NEED_WAKEUP))
}
