//! An interface: the kernel's word on it, its driver's, and what else uses it.

use af_xdp_rs::{Channels, Feature, Interface, Rings, XdpSupport};

use super::Rss;
use crate::{Nic, Tree};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its driver, or the kind of a virtual link.
    pub driver: String,
    /// Whether it is up, and whether something answers at the other end.
    pub up: bool,
    /// See [`af_xdp_rs::Wire`].
    pub carrier: Option<bool>,
    /// Whether its frames are Ethernet's.
    pub ethernet: bool,
    /// Whether it takes frames that are addressed to others.
    pub promiscuous: bool,
    /// Whether it is a virtual function of a NIC that the host holds.
    pub virtual_function: bool,
    /// `full` or `half`, where the driver says.
    pub duplex: Option<String>,
    /// The largest packet, bytes.
    pub mtu_bytes: u32,
    /// Queues in use.
    pub rx_queues: u32,
    /// Queues in use.
    pub tx_queues: u32,
    /// The bridge or bond that it belongs to.
    pub master: Option<String>,
    /// The index of what it lies on, or of its other end.
    pub lower: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Whether its IPv6 is off (`disable_ipv6`).
    pub quiet: Option<bool>,
    /// What its driver can turn on.
    pub features: Vec<Feature>,
    /// Queues that its driver offers.
    pub channels: Option<Channels>,
    /// The NIC's own rings.
    pub rings: Option<Rings>,
    /// What its driver does for XDP; unknown before Linux 6.3.
    pub xdp: Option<XdpSupport>,
    /// The XDP program that it runs.
    pub program: Option<Program>,
    /// How flows are spread over queues.
    pub rss: Option<Rss>,
    /// Its hardware.
    pub nic: Nic,
    /// Whether its NAPI runs in threads (`threaded`).
    pub threaded: bool,
    /// Empty polls before an interrupt is waited for, and how long they are apart at most
    /// (`napi_defer_hard_irqs`, `gro_flush_timeout`).
    pub defer: Option<(u32, u64)>,
}

/// Whether a gateway's program is on an interface.
#[must_use]
pub fn serves(link: &str) -> bool {
    let found = Interface::find(link).ok();
    let program = found.and_then(|found| af_xdp_rs::attached(&found).ok().flatten());
    program.is_some_and(|program| program.ours)
}

/// An XDP program that is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Whether it is Palisade's.
    pub ours: bool,
    /// What `ip link set` calls the way that it is attached.
    pub word: &'static str,
}

impl Link {
    pub(super) fn read(tree: &Tree, name: &str) -> Option<Self> {
        let found = Interface::find(name).ok()?;
        let wire = found.wire().unwrap_or_default();
        let addresses = found.addresses().unwrap_or_default();
        let home = format!("/sys/class/net/{name}");
        // Sysfs may show another namespace, which may have an interface of this name.
        let ours = tree.value::<u32>(&format!("{home}/ifindex")) == Some(found.index);
        let value = |file: &str| tree.text(&format!("{home}/{file}")).filter(|_| ours);
        let number = |file: &str| value(file).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            name: found.name.clone(),
            index: found.index,
            driver: found.driver.clone(),
            up: found.up,
            carrier: wire.carrier,
            ethernet: wire.ethernet,
            promiscuous: found.promiscuous,
            virtual_function: ours && tree.path(&format!("{home}/device/physfn")).exists(),
            duplex: value("duplex").filter(|word| word == "full" || word == "half"),
            mtu_bytes: found.mtu_bytes,
            rx_queues: found.rx_queues,
            tx_queues: found.tx_queues,
            master: wire
                .master
                .map(|index| value_of(index, tree.target(&format!("{home}/master")))),
            lower: wire.lower,
            addresses: addresses.iter().map(|at| format!("{}/{}", at.ip, at.prefix)).collect(),
            quiet: tree
                .value::<u32>(&format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"))
                .map(|off| off != 0),
            features: found.all_features().unwrap_or_default(),
            channels: found.channels().ok().flatten(),
            rings: found.rings().ok().flatten(),
            xdp: found.xdp().ok().flatten(),
            program: af_xdp_rs::attached(&found).ok().flatten().map(|there| Program {
                word: there.attached.word(),
                name: there.name,
                id: there.id,
                ours: there.ours,
            }),
            rss: Rss::read(name),
            nic: if ours { Nic::read(tree, name) } else { Nic::default() },
            threaded: number("threaded").is_some_and(|on| on != 0),
            defer: number("napi_defer_hard_irqs")
                .zip(number("gro_flush_timeout"))
                .map(|(polls, ns)| (polls as u32, ns)),
        })
    }

    /// A feature, if the driver has it.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }
}

fn value_of(index: u32, name: Option<String>) -> String {
    name.unwrap_or_else(|| format!("interface {index}"))
}
