//! What the driver does to frames before the gateway sees them, and how they get to it.

use af_xdp_rs::Mode;

use super::Case;
use crate::{
    facts::Link,
    finding::{Finding, Grade, Way, hand},
    setting::{Change, Setting},
};

/// Taking out 802.1Q and 802.1ad tags, by their names in the kernel (`net/ethtool/common.c`).
pub const STRIPPING: [&str; 2] = ["rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"];
/// Joining packets in the NIC.
const JOINING: [&str; 2] = ["rx-lro", "rx-gro-hw"];
/// Drivers of Linux 6.1 that read and write a UMEM themselves, and those that run programs; newer
/// kernels say it themselves.
const ZERO_COPY: [&str; 6] = ["i40e", "ice", "igc", "ixgbe", "mlx5_core", "stmmac"];
const NATIVE: [&str; 18] = [
    "atlantic",
    "bnxt_en",
    "dpaa2-eth",
    "ena",
    "hv_netvsc",
    "igb",
    "ixgbevf",
    "mlx4_en",
    "mvneta",
    "mvpp2",
    "nfp",
    "qede",
    "sfc",
    "tap",
    "tun",
    "veth",
    "virtio_net",
    "enetc",
];
/// The least that a burst of small packets should find room in: 1.5 ms at 1 Gb/s.
const LEAST_RING: u32 = 2048;

pub(super) fn check(case: &Case<'_>, link: &Link) -> Vec<Finding> {
    let mut findings = vec![mode(case, link)];
    findings.extend(tags(link));
    findings.extend(joined(link));
    findings.push(gro(link));
    findings.extend(ring(case, link));
    findings.extend(polls(link));
    findings
}

/// How frames get to user space.
fn mode(case: &Case<'_>, link: &Link) -> Finding {
    let driver = link.driver.as_str();
    // virtnet_xdp_set in drivers/net/virtio_net.c, where the host can't be told to stop joining.
    let stubborn = link.feature("rx-gro-hw").is_some_and(|joins| joins.on && joins.fixed);
    let refuses = driver == "virtio_net" && stubborn;
    let (native, zero_copy) = match link.xdp {
        _ if refuses => (false, false),
        Some(xdp) => (xdp.native && xdp.redirect, xdp.zero_copy),
        None => {
            (ZERO_COPY.contains(&driver) || NATIVE.contains(&driver), ZERO_COPY.contains(&driver))
        }
    };
    let best = match (native, zero_copy) {
        (_, true) => "zerocopy",
        (true, false) => "copy",
        (false, false) => "skb",
    };
    let (is, grade) = match case.plan.mode {
        Mode::ZeroCopy if !zero_copy => (format!("{driver} has no zero-copy"), Grade::Fatal),
        Mode::Copy if !native => (format!("{driver} runs no XDP program"), Grade::Fatal),
        Mode::Copy if zero_copy => ("copy, as configured; zerocopy is there".into(), Grade::Advice),
        Mode::Skb if native => (format!("skb, as configured; {best} is there"), Grade::Advice),
        Mode::Auto if !zero_copy => (format!("{best}: {driver} has no better"), Grade::Advice),
        _ => (best.to_owned(), Grade::Ok),
    };
    let why = "with zero-copy the NIC writes into the gateway's memory; copy takes two copies of each \
               packet, skb a socket buffer as well";
    let way = match case.plan.mode {
        Mode::Auto => "a NIC whose driver has it: igc, ixgbe, i40e, ice, mlx5".to_owned(),
        _ => "[workers] mode = \"auto\" in gateway.toml".to_owned(),
    };
    let finding = Finding::new("mode", &link.name, is, "zerocopy", why);
    finding.unless(grade == Grade::Ok, grade, [hand(way)])
}

/// VLAN tags stay in the frames.
fn tags(link: &Link) -> Option<Finding> {
    let on: Vec<_> = STRIPPING
        .into_iter()
        .filter_map(|name| link.feature(name))
        .filter(|feature| feature.on)
        .collect();
    let fixed = on.iter().any(|feature| feature.fixed);
    let names: Vec<_> = on.iter().map(|feature| feature.name.as_str()).collect();
    let is = match (names.as_slice(), fixed) {
        ([], _) => "stay in frames".to_owned(),
        (_, true) => "taken out, always".to_owned(),
        (_, false) => format!("taken out ({})", names.join(", ")),
    };
    let why = "a tag beside the frame is seen by no program: the VLAN would not be judged, and the \
               frame leave without it. palisade run turns this off, and on again when it stops; some \
               drivers reset their rings for it, so off for good is better";
    let finding = Finding::new("vlan-tags", &link.name, is, "stay in frames", why);
    if fixed {
        return Some(finding.unless(false, Grade::Fatal, [hand("use another interface")]));
    }
    Some(finding.unless(on.is_empty(), Grade::Advice, names.iter().map(|name| off(link, name))))
}

/// Packets that the NIC joins are longer than the MTU.
fn joined(link: &Link) -> Vec<Finding> {
    let why = "a packet joined from several is longer than any frame, and is dropped; most drivers \
               refuse an XDP program meanwhile";
    let one = |name: &str| {
        let feature = link.feature(name)?;
        let check = if name == "rx-lro" { "lro" } else { "gro-hw" };
        let is = match (feature.on, feature.fixed) {
            (true, true) => "on, always",
            (true, false) => "on",
            (false, _) => "off",
        };
        let way = match feature.fixed {
            false => off(link, name),
            // A virtual machine's NIC, whose host joins for it.
            true => hand(
                "on the host: guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,\
                 guest_csum=off for the virtio device",
            ),
        };
        let finding = Finding::new(check, &link.name, is, "off", why);
        Some(finding.unless(!feature.on, Grade::Warning, [way]))
    };
    JOINING.into_iter().filter_map(one).collect()
}

/// The kernel's own joining does no harm: it is off while a program is attached.
fn gro(link: &Link) -> Finding {
    let on = link.feature("rx-gro").is_some_and(|feature| feature.on);
    let why = "the kernel joins packets behind a program in the driver, and none where a generic one is \
               attached (netif_elide_gro in include/linux/netdevice.h): never the gateway's";
    Finding::new("gro", &link.name, if on { "on" } else { "off" }, "either", why)
}

fn off(link: &Link, name: &str) -> Way {
    let setting = Setting::Feature { link: link.name.clone(), name: name.to_owned() };
    Way::Change(Change { setting, to: "off".to_owned() })
}

/// The NIC's own ring is long enough for a pause, and no longer than the frames that fill it.
fn ring(case: &Case<'_>, link: &Link) -> Option<Finding> {
    let rings = link.rings.filter(|rings| rings.rx.most > 0)?;
    let fill = af_xdp_rs::RingSizes::for_frames(case.plan.frames).fill;
    let least = LEAST_RING.min(fill).min(rings.rx.most);
    let (now, most) = (rings.rx.now, rings.rx.most);
    let why = "the ring holds what comes while a worker is held up; one longer than the fill ring \
               (frames / 8) is never full";
    let setting = Setting::Ring { link: link.name.clone(), kind: "rx".to_owned() };
    let to = if now > fill { fill } else { least };
    let way = Change { setting, to: to.to_string() }.into();
    let should = if least == fill { format!("{least}") } else { format!("{least} to {fill}") };
    let finding = Finding::new("rx-ring", &link.name, format!("{now} of {most}"), should, why);
    Some(finding.unless((least..=fill).contains(&now), Grade::Advice, [way]))
}

/// How the driver's polling is started.
fn polls(link: &Link) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = |name: &str, to: &str| {
        let path = format!("/sys/class/net/{}/{name}", link.name);
        Way::Change(Change { setting: Setting::File { path }, to: to.to_owned() })
    };
    if let Some((polls, flush_ns)) = link.defer {
        let is = format!("{polls} polls, {flush_ns} ns");
        let why =
            "put off, an interrupt comes up to this much later, and nothing polls in its place";
        let ways = [file("napi_defer_hard_irqs", "0"), file("gro_flush_timeout", "0")];
        let finding = Finding::new("deferral", &link.name, is, "at once", why);
        findings.push(finding.unless(polls == 0 || flush_ns == 0, Grade::Advice, ways));
    }
    if link.threaded {
        let why = "the threads that poll the driver run where the scheduler puts them, a worker's core \
                   among them";
        let way = hand(format!(
            "pin them (pgrep napi/{}-) off the workers' cores, or: echo 0 > /sys/class/net/{}/threaded",
            link.name, link.name
        ));
        let finding = Finding::new("napi-threads", &link.name, "on", "off, or pinned", why);
        findings.push(finding.unless(false, Grade::Advice, [way]));
    }
    findings
}
