//! The packet generator: live frames through a BPF program that rewrites, paces and marks them.
//!
//! One generator keeps one core busy for the whole run, paced or not. Frames leave through the
//! interface's veth peer, which needs NAPI (an XDP program or GRO), and arrive on the receive queue
//! that has the number of the generator's core, modulo the queues of the peer.

use std::time::Duration;

use af_xdp_rs::live::{self, Ingress};
use aya::Ebpf;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::bpf::{self, failed};
use super::flow::{Class, Entry, Flow, MAX_FLOWS, Macs};
use super::sizes::Sizes;
use crate::error::system;
use crate::lab::{CLIENT_MAC, CLIENT_VETH, Lab, Namespace, OUTSIDE_MAC, SERVER_MAC, SERVER_VETH};
use crate::{Error, Result};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/pktgen.bpf.o");

/// Repetitions of a call whose length nobody knows yet.
const REPEAT: u32 = 1 << 22;
/// Repetitions that tell what one costs when nothing is sent.
const TRIAL: u32 = 1 << 18;
/// A call lasts longer than it should by this, so that it is the only one.
/// The kernel tells whole nanoseconds.
const MARGIN: f64 = 1.1;
/// Longest run, whatever is ordered: no load is left behind by mistake.
const LONGEST: Duration = Duration::from_secs(600);

/// A gap between frames is in 2^-20 nanoseconds (`bpf/pktgen.bpf.c`).
const GAP_BITS: u32 = 20;
/// A share of 1 (`bpf/pktgen.bpf.c`).
const EVERY_FRAME: f64 = 65_536.0;
/// Entries of the map of classes.
const CLASSES: u32 = 64;

/// Frames that open a flow which was not there before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fresh {
    /// None: each entry of the table is one flow.
    #[default]
    Never,
    /// A share of the frames, 0 to 1.
    Share(f64),
    /// So many a second.
    Rate(u64),
}

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// For how long, ten minutes at most.
    pub length: Duration,
    /// Frames at most; `None`: as many as the time allows.
    pub count: Option<u64>,
    /// Frames a second; `None`: as fast as the core can. A paced frame is marked with the time at
    /// which it should go out.
    pub rate_pps: Option<u64>,
    /// The core to run on.
    pub core: usize,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames handed to the interface.
    pub packets: u64,
    /// Bytes of them, without FCS.
    pub bytes: u64,
    /// From the first frame to the last.
    pub length: Duration,
    /// Frames that opened a fresh flow.
    pub fresh: u64,
}

impl Sent {
    /// Frames a second.
    #[must_use]
    pub fn rate_pps(&self) -> f64 {
        let seconds = self.length.as_secs_f64();
        if seconds > 0.0 { self.packets as f64 / seconds } else { 0.0 }
    }
}

/// A loaded generator.
#[derive(Debug)]
pub struct Generator<'lab> {
    namespace: &'lab Namespace,
    ebpf: Ebpf,
    ifindex: u32,
    entries: u32,
    longest_bytes: usize,
    fresh: Fresh,
    /// Where the fresh flows of the next order begin: entry and epoch.
    fresh_next: [u64; 2],
    /// What a repetition cost, in nanoseconds: as fast as the core can, and without sending, which is
    /// what most repetitions of a paced run do.
    cost_ns: [Option<u64>; 2],
}

impl<'lab> Generator<'lab> {
    /// A generator that sends from the clients towards the servers' own address of the link.
    ///
    /// # Errors
    /// When there are no flows or too many, a size is out of range, or the program does not load.
    pub fn outside(lab: &'lab Lab, flows: &[Flow], sizes: impl Into<Sizes>) -> Result<Self> {
        let macs = Macs { from: CLIENT_MAC, to: SERVER_MAC };
        Self::load(&lab.clients, CLIENT_VETH, macs, flows, sizes.into())
    }

    /// A generator that sends from the clients to the gateway, as to a router.
    ///
    /// # Errors
    /// As [`Generator::outside`].
    pub fn routed(lab: &'lab Lab, flows: &[Flow], sizes: impl Into<Sizes>) -> Result<Self> {
        let macs = Macs { from: CLIENT_MAC, to: OUTSIDE_MAC };
        Self::load(&lab.clients, CLIENT_VETH, macs, flows, sizes.into())
    }

    /// A generator that sends from the servers towards the clients.
    ///
    /// # Errors
    /// As [`Generator::outside`].
    pub fn inside(lab: &'lab Lab, flows: &[Flow], sizes: impl Into<Sizes>) -> Result<Self> {
        let macs = Macs { from: SERVER_MAC, to: CLIENT_MAC };
        Self::load(&lab.servers, SERVER_VETH, macs, flows, sizes.into())
    }

    /// Opens fresh flows from now on: an entry's own with another source port.
    #[must_use]
    pub fn fresh(self, fresh: Fresh) -> Self {
        Self { fresh, ..self }
    }

    fn load(
        namespace: &'lab Namespace,
        veth: &str,
        macs: Macs,
        flows: &[Flow],
        sizes: Sizes,
    ) -> Result<Self> {
        if !(1..=MAX_FLOWS).contains(&flows.len()) {
            let text = format!("{} flows: choose 1 to {MAX_FLOWS}", flows.len());
            return Err(Error::Usage(text));
        }
        let sizes = sizes.checked()?;
        let entries = sizes.entries(flows.len());
        let turns = entries / flows.len();
        let mut ebpf = bpf::load(OBJECT, "pktgen", "flows", entries)?;
        let mut table = bpf::array::<Entry>(&mut ebpf, "flows")?;
        let mut longest_bytes = 0;
        for (place, flow) in flows.iter().flat_map(|flow| vec![flow; turns]).enumerate() {
            let entry = flow.entry(place, macs, sizes.of(place)).ok_or_else(|| {
                Error::Usage(format!("{} and {} are of two families", flow.source, flow.target))
            })?;
            table.set(place as u32, entry, 0).map_err(failed("fill map", "flows"))?;
            longest_bytes = longest_bytes.max(flow.frame_bytes(sizes.of(place)));
        }
        Ok(Self {
            namespace,
            ebpf,
            ifindex: namespace.enter(|| index(veth))?,
            entries: entries as u32,
            longest_bytes,
            fresh: Fresh::Never,
            fresh_next: [0; 2],
            cost_ns: [None; 2],
        })
    }

    /// Frames of a class sent so far, in all orders.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn offered(&mut self, class: Class) -> Result<u64> {
        let offered = bpf::array::<u64>(&mut self.ebpf, "offered")?;
        let class = u32::from(class.0).min(CLASSES - 1);
        offered.get(&class, 0).map_err(failed("read map", "offered"))
    }

    /// Sends as ordered, and returns when that is done.
    ///
    /// One call of the kernel does it all where that can be foreseen: a call begins and ends with a
    /// grace period of RCU (`bpf_prog_change_xdp`), a pause of some 20 ms that would count as latency.
    ///
    /// # Errors
    /// When the kernel refuses live frames.
    pub fn run(&mut self, order: Order) -> Result<Sent> {
        let length = order.length.min(LONGEST);
        let words = [
            u64::from_ne_bytes(pair(self.ifindex, self.entries)),
            order.count.unwrap_or(0),
            length.as_nanos() as u64,
            order.rate_pps.map_or(0, gap),
            if let Fresh::Rate(pps) = self.fresh { pps } else { 0 },
            if let Fresh::Share(part) = self.fresh { (part * EVERY_FRAME) as u64 } else { 0 },
        ];
        if order.count == Some(0) || order.rate_pps == Some(0) || length.is_zero() {
            return Ok(Sent::default());
        }
        let [next, epoch] = self.fresh_next;
        let begin = [0, 0, 0, 0, 0, 0, 0, 0, next, epoch];
        let paced = usize::from(order.rate_pps.is_some());
        let frame = vec![0; self.longest_bytes];
        let namespace = self.namespace;
        let (ebpf, fresh_next, cost_ns) =
            (&mut self.ebpf, &mut self.fresh_next, &mut self.cost_ns[paced]);
        namespace.enter(|| {
            pin(order.core)?;
            if paced == 1 && cost_ns.is_none() {
                // An order of no length is over at once.
                write(ebpf, "orders", [words[0], 0, 0, 0, 0, 0])?;
                write(ebpf, "progress", begin)?;
                *cost_ns = Some(call(ebpf, &frame, TRIAL)?);
            }
            write(ebpf, "orders", words)?;
            write(ebpf, "progress", begin)?;
            let most = order.count.unwrap_or(u64::MAX);
            let mut left = length;
            loop {
                let repeat = cost_ns.map_or(REPEAT, |cost| repetitions(left, cost));
                let repeat = u64::from(repeat).min(most).max(64) as u32;
                let cost = call(ebpf, &frame, repeat)?;
                if paced == 0 {
                    *cost_ns = Some(cost);
                }
                let [packets, bytes, _, start_ns, last_ns, over, fresh, _, next, epoch] =
                    read::<10>(ebpf, "progress")?;
                *fresh_next = [next, epoch];
                let spent = Duration::from_nanos(last_ns.saturating_sub(start_ns));
                if over != 0 || packets >= most {
                    return Ok(Sent { packets, bytes, length: spent, fresh });
                }
                left = length.saturating_sub(spent);
            }
        })
    }
}

/// Repetitions that take a little longer than `left`.
fn repetitions(left: Duration, cost_ns: u64) -> u32 {
    (left.as_nanos() as f64 / cost_ns.max(1) as f64 * MARGIN) as u32
}

/// One call of the kernel; answers what a repetition cost in nanoseconds, as the kernel measured it.
fn call(ebpf: &mut Ebpf, frame: &[u8], repeat: u32) -> Result<u64> {
    let program = bpf::xdp(ebpf, "pktgen")?;
    let run = live::run(program, frame, Ingress::default(), repeat, 64);
    run.map(|run| run.duration_ns).map_err(failed("run", "pktgen"))
}

/// The time between two frames; never 0, which would be as fast as the core can.
fn gap(rate_pps: u64) -> u64 {
    ((1_000_000_000 << GAP_BITS) / rate_pps.max(1)).max(1)
}

/// Pins the calling thread to one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|errno| system("pin a thread to core", &core.to_string())(errno.into()))
}

/// The number of an interface of the namespace that the thread is in.
pub(crate) fn index(veth: &str) -> Result<u32> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)
        .map_err(system("open", "a socket"))?;
    rustix::net::netdevice::name_to_index(&socket, veth)
        .map_err(|errno| system("find interface", veth)(errno.into()))
}

fn write<const N: usize>(ebpf: &mut Ebpf, map: &'static str, words: [u64; N]) -> Result<()> {
    bpf::array::<[u64; N]>(ebpf, map)?.set(0, words, 0).map_err(failed("write map", map))
}

fn read<const N: usize>(ebpf: &mut Ebpf, map: &'static str) -> Result<[u64; N]> {
    bpf::array::<[u64; N]>(ebpf, map)?.get(&0, 0).map_err(failed("read map", map))
}

fn pair(first: u32, second: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    bytes
}
