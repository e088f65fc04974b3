//! The sink: an XDP program on the far side that counts the generator's frames and drops them.

use std::time::Duration;

use aya::Ebpf;
use aya::maps::PerCpuValues;
use aya::programs::XdpMode;

use super::bpf::{self, failed};
use super::delays::{BUCKETS, Delays};
use super::flow::Class;
use crate::Result;
use crate::error::system;
use crate::lab::{CLIENT_VETH, Lab, Namespace, SERVER_VETH};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/sink.bpf.o");

/// Classes that a mark can name.
const CLASSES: u8 = 64;

/// What arrived of a class, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Bytes of them, without FCS.
    pub bytes: u64,
    /// Frames that came after a later one of the same flow (RFC 4737).
    pub reordered: u64,
    /// Sum of the times from when they should have gone out to the sink.
    pub delay_ns: u64,
    /// Sequence numbers that were left out by a later frame of the flow: lost, or reordered.
    pub gaps: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Count {
    /// From the first frame to the last.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_nanos(self.last_ns.saturating_sub(self.first_ns))
    }

    /// Frames a second.
    #[must_use]
    pub fn rate_pps(&self) -> f64 {
        let seconds = self.length().as_secs_f64();
        if seconds > 0.0 { self.packets as f64 / seconds } else { 0.0 }
    }

    fn add(&mut self, [packets, bytes, reordered, first_ns, last_ns, delay_ns, gaps, _]: [u64; 8]) {
        if packets == 0 {
            return;
        }
        self.first_ns = if self.packets == 0 { first_ns } else { self.first_ns.min(first_ns) };
        self.last_ns = self.last_ns.max(last_ns);
        self.packets += packets;
        self.bytes += bytes;
        self.reordered += reordered;
        self.delay_ns += delay_ns;
        self.gaps += gaps;
    }
}

/// An attached sink; detached when dropped.
#[derive(Debug)]
pub struct Sink {
    ebpf: Ebpf,
}

impl Sink {
    /// Counts what reaches the servers; watches the order of the first `flows` flows.
    ///
    /// # Errors
    /// When the program cannot be loaded or attached.
    pub fn at_servers(lab: &Lab, flows: usize) -> Result<Self> {
        Self::at(&lab.servers, SERVER_VETH, flows)
    }

    /// Counts what reaches the clients.
    ///
    /// # Errors
    /// When the program cannot be loaded or attached.
    pub fn at_clients(lab: &Lab, flows: usize) -> Result<Self> {
        Self::at(&lab.clients, CLIENT_VETH, flows)
    }

    /// Counts what reaches an interface of a namespace.
    ///
    /// # Errors
    /// When the program cannot be loaded or attached.
    pub fn at(namespace: &Namespace, veth: &str, flows: usize) -> Result<Self> {
        let mut ebpf = bpf::load(OBJECT, "sink", "reached", flows)?;
        namespace.enter(|| {
            bpf::xdp(&mut ebpf, "sink")?
                .attach(veth, XdpMode::Driver)
                .map_err(failed("attach", "sink"))
        })?;
        Ok(Self { ebpf })
    }

    /// What arrived of a class so far.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn class(&mut self, class: Class) -> Result<Count> {
        let counts = bpf::per_cpu::<[u64; 8]>(&mut self.ebpf, "counts")?;
        let values = counts.get(&u32::from(class.0), 0).map_err(failed("read map", "counts"))?;
        let mut count = Count::default();
        values.iter().for_each(|value| count.add(*value));
        Ok(count)
    }

    /// What arrived of all classes so far.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn total(&mut self) -> Result<Count> {
        let counts = bpf::per_cpu::<[u64; 8]>(&mut self.ebpf, "counts")?;
        let mut count = Count::default();
        for class in 0..u32::from(CLASSES) {
            let values = counts.get(&class, 0).map_err(failed("read map", "counts"))?;
            values.iter().for_each(|value| count.add(*value));
        }
        Ok(count)
    }

    /// How long the frames of all classes took so far.
    ///
    /// # Errors
    /// When the counters cannot be read.
    pub fn delays(&mut self) -> Result<Delays> {
        let delays = bpf::per_cpu::<u64>(&mut self.ebpf, "delays")?;
        let bucket = |bucket| {
            let values = delays.get(&bucket, 0).map_err(failed("read map", "delays"))?;
            Ok(values.iter().sum())
        };
        (0..BUCKETS as u32).map(bucket).collect::<Result<_>>().map(Delays::new)
    }

    /// Begins to count anew; the sequences that flows have reached stay.
    ///
    /// # Errors
    /// When the counters cannot be written.
    pub fn reset(&mut self) -> Result<()> {
        let cores = aya::util::nr_cpus().map_err(|(file, source)| system("read", file)(source))?;
        let mut counts = bpf::per_cpu::<[u64; 8]>(&mut self.ebpf, "counts")?;
        for class in 0..u32::from(CLASSES) {
            let zeros = PerCpuValues::try_from(vec![[0; 8]; cores]);
            let zeros = zeros.map_err(system("prepare", "counts"))?;
            counts.set(class, zeros, 0).map_err(failed("write map", "counts"))?;
        }
        let mut delays = bpf::per_cpu::<u64>(&mut self.ebpf, "delays")?;
        for bucket in 0..BUCKETS as u32 {
            let zeros = PerCpuValues::try_from(vec![0; cores]);
            let zeros = zeros.map_err(system("prepare", "delays"))?;
            delays.set(bucket, zeros, 0).map_err(failed("write map", "delays"))?;
        }
        Ok(())
    }
}
