//! Machines as data: what is found on each, how much it matters, and the command that mends it.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use af_xdp_rs::{Channels, Feature, Mode, Ring, Rings, XdpSupport};
use machine::{
    CHECKS, Core, Facts, Finding, Grade, Irq, Kernel, Link, Memory, Nic, Plan, Policy, Pool,
    Program, Queue, Rss, Topology, judge,
};

/// An appliance as it should be: four cores, two igc ports, workers on cores 2 and 3.
fn appliance() -> (Facts, Plan) {
    let core = |id| Core {
        id,
        package: 0,
        node: 0,
        siblings: vec![id],
        isolated: id >= 2,
        tickless: id >= 2,
        governor: Some("performance".to_owned()),
    };
    let facts = Facts {
        kernel: Kernel {
            release: "6.12.48-amd64".to_owned(),
            sockets: Some(true),
            missing: vec![],
            jit: Some(1),
            busy_poll_us: Some(0),
            clock: Some("tsc".to_owned()),
            tools_missing: vec![],
        },
        topology: Topology { cores: (0..4).map(core).collect() },
        memory: Memory {
            available_bytes: 8 << 30,
            huge_bytes: 2 << 20,
            pools: vec![Pool { node: 0, total: 64, free: 64, path: "/pool".to_owned() }],
            transparent: Some("always".to_owned()),
        },
        links: [Some(port("eth0", 100)), Some(port("eth1", 110))],
        daemons: vec!["chronyd".to_owned()],
        policy: Policy {
            path: "policy.toml".to_owned(),
            database: "GeoLite2-Country.mmdb, 5 days old".to_owned(),
            ..Policy::default()
        },
        running: false,
    };
    let plan = Plan {
        interfaces: ["eth0".to_owned(), "eth1".to_owned()],
        cores: vec![2, 3],
        mode: Mode::Auto,
        busy: true,
        frames: 16_384,
        flows: 1 << 20,
        leases: 1 << 18,
        fail_open: false,
    };
    (facts, plan)
}

/// A driver that does all for XDP.
const XDP: XdpSupport =
    XdpSupport { native: true, redirect: true, transmit: true, zero_copy: true };

/// A port with two queues whose interrupts run on core 0 and 1.
fn port(name: &str, irq: u32) -> Link {
    let feature = |name: &str, on, fixed| Feature { name: name.to_owned(), on, fixed };
    let queue = |number: u32| {
        let name = format!("{name}-TxRx-{number}");
        let effective = vec![number as usize];
        let irq = Irq { number: irq + number, name, allowed: vec![0, 1], effective };
        Queue { number, irq: Some(irq) }
    };
    Link {
        name: name.to_owned(),
        index: irq,
        driver: "igc".to_owned(),
        up: true,
        carrier: Some(true),
        ethernet: true,
        duplex: Some("full".to_owned()),
        mtu_bytes: 1500,
        rx_queues: 2,
        tx_queues: 2,
        quiet: Some(true),
        features: vec![
            feature("rx-vlan-hw-parse", false, false),
            feature("rx-gro", true, false),
            feature("rx-lro", false, false),
        ],
        channels: Some(Channels { combined: Ring { now: 2, most: 4 }, ..Channels::default() }),
        rings: Some(Rings {
            rx: Ring { now: 2048, most: 4096 },
            tx: Ring { now: 256, most: 4096 },
        }),
        rss: Some(rss(&[0, 1])),
        nic: Nic {
            name: name.to_owned(),
            driver: Some("igc".to_owned()),
            node: None,
            queues: vec![queue(0), queue(1)],
        },
        defer: Some((0, 0)),
        xdp: Some(XDP),
        ..Link::default()
    }
}

fn rss(round: &[u32]) -> Rss {
    Rss {
        table: round.iter().copied().cycle().take(128).collect(),
        key: [0x6d, 0x5a].repeat(20),
        mirrors: false,
        fields: ["sdfn".to_owned(), "sd".to_owned()],
    }
}

/// What is not ok, worst first: check, what of, grade, and the commands.
fn complaints((facts, plan): &(Facts, Plan)) -> Vec<(&'static str, String, Grade, Vec<String>)> {
    let mut found: Vec<Finding> = judge(facts, plan);
    found.retain(|finding| finding.grade > Grade::Ok);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.grade));
    let one = |finding: Finding| {
        let ways = finding.ways.iter().map(ToString::to_string).collect();
        (finding.check, finding.of, finding.grade, ways)
    };
    found.into_iter().map(one).collect()
}

#[test]
fn an_appliance_as_it_should_be_has_no_complaint() {
    assert_eq!(complaints(&appliance()), []);
    for finding in judge(&appliance().0, &appliance().1) {
        assert!(!finding.why.is_empty() && !finding.should.is_empty(), "{finding:?}");
        assert!(finding.ways.is_empty(), "{finding:?}");
    }
}

/// One thing that is wrong, and the one complaint that it should bring: check, grade, a command.
type Case = (fn(&mut Facts, &mut Plan), &'static str, Grade, &'static str);

fn outside(facts: &mut Facts) -> &mut Link {
    facts.links[0].as_mut().unwrap()
}

/// A driver of which the kernel does not say what it does.
fn unknown(facts: &mut Facts, plan: &mut Plan, driver: &str) {
    outside(facts).driver = driver.to_owned();
    outside(facts).xdp = None;
    plan.leases = 0;
}

fn inside(facts: &mut Facts) -> &mut Link {
    facts.links[1].as_mut().unwrap()
}

fn both(facts: &mut Facts, change: fn(&mut Link)) {
    facts.links.iter_mut().flatten().for_each(change);
}

fn feature(link: &mut Link, name: &str, fixed: bool) {
    link.features.retain(|feature| feature.name != name);
    link.features.push(Feature { name: name.to_owned(), on: true, fixed });
}

#[rustfmt::skip] // a case on two lines
const CASES: &[Case] = &[
    // The machine.
    (|facts, _| facts.kernel.release = "5.10.0-28-amd64".into(),
        "kernel", Grade::Fatal, "apt install"),
    (|facts, _| facts.kernel.release = "odd".into(), "kernel", Grade::Fatal, "apt install"),
    (|facts, _| facts.kernel.sockets = Some(false), "af-xdp", Grade::Fatal, "CONFIG_XDP_SOCKETS"),
    (|facts, _| facts.kernel.missing = vec!["CAP_BPF"], "capabilities", Grade::Fatal, "setcap"),
    (|facts, _| facts.kernel.jit = Some(0), "jit", Grade::Warning, "echo 1 > /proc/sys/net/core/bpf_jit_enable"),
    (|facts, _| facts.kernel.tools_missing = vec!["ethtool"], "tools", Grade::Warning, "apt install"),
    (|facts, _| facts.kernel.clock = Some("hpet".into()), "clock", Grade::Advice, "dmesg"),
    (|facts, _| facts.daemons.clear(), "time", Grade::Advice, "chrony"),
    (|facts, _| facts.daemons.push("irqbalance".into()),
        "irqbalance", Grade::Warning, "IRQBALANCE_BANNED_CPULIST=2-3"),
    // Cores.
    (|_, plan| plan.cores = vec![2, 9], "cores", Grade::Fatal, "choose from 0-3"),
    (|facts, _| facts.topology.cores[3].siblings = vec![2, 3], "siblings", Grade::Warning, "cores"),
    (|facts, _| facts.topology.cores[2].isolated = false,
        "isolation", Grade::Advice, "isolcpus=domain,managed_irq,2-3 nohz_full=2-3"),
    (|facts, _| facts.topology.cores[2].governor = Some("powersave".into()),
        "clock-rate", Grade::Advice, "echo performance > /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"),
    // Memory.
    (|facts, _| facts.memory.pools[0].free = 8, "huge-pages", Grade::Advice, "echo 88 > /pool"),
    (|facts, _| facts.memory.available_bytes = 1 << 20, "memory", Grade::Warning, "fewer flows"),
    (|facts, _| facts.memory.transparent = Some("never".into()),
        "large-tables", Grade::Advice, "echo madvise"),
    // Interfaces.
    (|facts, _| outside(facts).ethernet = false, "interface", Grade::Fatal, "gateway.toml"),
    (|facts, _| outside(facts).up = false, "up", Grade::Fatal, "ip link set dev eth0 up"),
    (|facts, _| outside(facts).carrier = Some(false), "cable", Grade::Warning, "ethtool eth0"),
    (|facts, _| outside(facts).duplex = Some("half".into()), "cable", Grade::Warning, "ethtool eth0"),
    (|facts, _| outside(facts).addresses = vec!["192.0.2.1/24".into()],
        "used-by", Grade::Warning, "ip address flush dev eth0"),
    (|facts, _| outside(facts).master = Some("br0".into()),
        "used-by", Grade::Warning, "ip link set dev eth0 nomaster"),
    (|facts, _| outside(facts).quiet = Some(false),
        "own-ipv6", Grade::Advice, "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6"),
    (|facts, _| outside(facts).virtual_function = true, "promiscuous", Grade::Warning, "trust on"),
    (|facts, _| both(facts, |link| link.mtu_bytes = 9000), "mtu", Grade::Fatal, "mtu 3818"),
    (|facts, _| outside(facts).mtu_bytes = 1600, "mtu", Grade::Warning, "ip link set dev eth0 mtu 1500"),
    (|facts, _| outside(facts).lower = Some(110), "interfaces", Grade::Fatal, "two ports"),
    (|facts, _| outside(facts).program = Some(Program { name: "drop".into(), id: 7, ours: false, word: "xdp" }),
        "xdp-program", Grade::Fatal, "ip link set dev eth0 xdp off"),
    (|facts, _| outside(facts).program = Some(Program { name: "palisade_xdp".into(), id: 7, ours: true, word: "xdp" }),
        "xdp-program", Grade::Warning, "palisade run"),
    // What a driver does to frames.
    (|facts, _| feature(outside(facts), "rx-vlan-hw-parse", false),
        "vlan-tags", Grade::Advice, "ethtool -K eth0 rx-vlan-hw-parse off"),
    (|facts, _| feature(outside(facts), "rx-vlan-stag-hw-parse", true),
        "vlan-tags", Grade::Fatal, "another interface"),
    (|facts, _| feature(outside(facts), "rx-lro", false), "lro", Grade::Warning, "ethtool -K eth0 rx-lro off"),
    (|facts, _| feature(outside(facts), "rx-gro-hw", true), "gro-hw", Grade::Warning, "guest_tso4=off"),
    (|facts, _| outside(facts).rings = Some(Rings { rx: Ring { now: 256, most: 4096 }, ..Rings::default() }),
        "rx-ring", Grade::Advice, "ethtool -G eth0 rx 2048"),
    (|facts, _| outside(facts).rings = Some(Rings { rx: Ring { now: 4096, most: 4096 }, ..Rings::default() }),
        "rx-ring", Grade::Advice, "ethtool -G eth0 rx 2048"),
    (|facts, _| outside(facts).threaded = true, "napi-threads", Grade::Advice, "threaded"),
    (|facts, _| outside(facts).defer = Some((2, 200_000)),
        "deferral", Grade::Advice, "echo 0 > /sys/class/net/eth0/napi_defer_hard_irqs"),
    (|facts, plan| { unknown(facts, plan, "r8169"); plan.mode = Mode::ZeroCopy; },
        "mode", Grade::Fatal, "mode = \"auto\""),
    (|facts, plan| unknown(facts, plan, "r8169"), "mode", Grade::Advice, "igc"),
    (|facts, _| outside(facts).xdp = Some(XdpSupport { zero_copy: false, ..XDP }),
        "mode", Grade::Advice, "igc"),
    // Queues.
    (|facts, _| outside(facts).rss = Some(rss(&[0, 1, 1, 1])), "symmetry", Grade::Advice, "equal 2"),
    (|facts, _| outside(facts).rss.as_mut().unwrap().key[3] = 1, "symmetry", Grade::Advice, "ethtool -X eth0 hkey 6d:5a:6d:5a:"),
    (|facts, _| outside(facts).rss.as_mut().unwrap().fields[1] = "sdfn".into(),
        "symmetry", Grade::Advice, "ethtool -N eth0 rx-flow-hash tcp4 sdfn"),
    (|facts, _| outside(facts).nic.queues[1].irq.as_mut().unwrap().effective = vec![3],
        "irqs", Grade::Warning, "echo 1 > /proc/irq/101/smp_affinity_list"),
    // The policy.
    (|facts, _| facts.policy.mistake = Some("unknown group".into()), "policy", Grade::Fatal, "palisade check policy.toml"),
    (|facts, _| facts.policy.warnings = vec![("odd".into(), "mend it".into())], "policy", Grade::Advice, "mend it"),
    (|facts, _| facts.policy.old = vec![("400 days old".into(), "fetch a new one".into())],
        "database", Grade::Warning, "fetch a new one"),
    (|_, plan| plan.fail_open = true, "fail-mode", Grade::Advice, "closed"),
    (|facts, _| {
        outside(facts).xdp = Some(XdpSupport { transmit: false, ..XDP });
    }, "leases", Grade::Advice, "gro on"),
    (|facts, _| outside(facts).xdp = None, "leases", Grade::Advice, "Linux 6.3"),
    (|facts, plan| {
        plan.busy = false;
        outside(facts).driver = "mlx5_core".into();
        inside(facts).nic.queues[1].irq.as_mut().unwrap().effective = vec![2];
    }, "leases", Grade::Advice, "ethtool -L eth0 combined 4"),
    (|facts, _| {
        outside(facts).driver = "unheard_of".into();
        outside(facts).channels = None;
    }, "leases", Grade::Advice, "ethtool -l"),
    (|facts, plan| {
        (plan.fail_open, plan.leases) = (true, 0);
        outside(facts).xdp = Some(XdpSupport { transmit: false, ..XDP });
    }, "fail-mode", Grade::Warning, "gro on"),
];

#[test]
fn one_thing_wrong_is_one_complaint() {
    for (change, check, grade, command) in CASES {
        let (mut facts, mut plan) = appliance();
        change(&mut facts, &mut plan);
        let found = complaints(&(facts, plan));
        let [first, rest @ ..] = found.as_slice() else {
            unreachable!("{check} {command}: nothing found")
        };
        assert_eq!((first.0, first.2), (*check, *grade), "{command}: {found:?}");
        assert!(first.3.iter().any(|way| way.contains(command)), "{command}: {found:?}");
        // The same of the other side, at most.
        assert!(rest.iter().all(|other| other.0 == *check), "{command}: {found:?}");
    }
}

#[test]
fn every_check_has_its_line_in_the_documentation() {
    let page = include_str!("../../../docs/doctor.md");
    for check in CHECKS {
        assert!(page.contains(&format!("`{check}`")), "{check}");
    }
    let found = [appliance(), server()].map(|(facts, plan)| judge(&facts, &plan)).concat();
    for finding in found {
        assert!(CHECKS.contains(&finding.check), "{}", finding.check);
    }
    for (_, check, ..) in CASES {
        assert!(CHECKS.contains(check), "{check}");
    }
}

#[test]
fn queues_follow_the_workers_as_the_driver_counts_them() {
    let most = |combined, rx, tx| {
        let ring = |most| Ring { now: 4, most };
        Some(Channels { combined: ring(combined), rx: ring(rx), tx: ring(tx) })
    };
    for (rx, tx, channels, table, expected) in [
        // More than there are workers: frames on the others are nobody's.
        (4, 4, most(4, 0, 0), &[0, 1, 2, 3][..], &["ethtool -L eth0 combined 2"][..]),
        (4, 4, most(0, 8, 8), &[0, 1, 2, 3], &["ethtool -L eth0 rx 2", "ethtool -L eth0 tx 2"]),
        (4, 2, most(0, 8, 8), &[0, 1, 2, 3], &["ethtool -L eth0 rx 2"]),
        (4, 4, None, &[0, 1, 2, 3], &["list 4, one for each queue"]),
        // .. but not if no flow is put there.
        (4, 4, most(4, 0, 0), &[0, 1], &[]),
        // Fewer.
        (1, 1, most(4, 0, 0), &[0], &["ethtool -L eth0 combined 2"]),
        (2, 1, most(0, 2, 2), &[0, 1], &["ethtool -L eth0 tx 2"]),
        (1, 1, most(1, 0, 0), &[0], &["list 1; it has no more queues"]),
    ] {
        let (mut facts, plan) = appliance();
        let link = outside(&mut facts);
        (link.rx_queues, link.tx_queues, link.channels) = (rx, tx, channels);
        link.rss = Some(rss(table));
        let found = complaints(&(facts, plan));
        let ways: Vec<_> = found.iter().filter(|one| one.0 == "queues").collect();
        let ways: Vec<_> = ways.iter().flat_map(|one| one.3.clone()).collect();
        assert_eq!(ways.len(), expected.len(), "{rx} {tx} {channels:?}: {ways:?}");
        for (way, words) in ways.iter().zip(expected) {
            assert!(way.contains(words), "{way}");
        }
    }
}

/// Two sockets of eight cores, mlx5 on node 1, as it comes from the shop.
fn server() -> (Facts, Plan) {
    let (mut facts, mut plan) = appliance();
    let core = |id| Core {
        id,
        package: (id / 8) as u32,
        node: (id / 8) as u32,
        siblings: vec![id],
        isolated: false,
        tickless: false,
        governor: Some("powersave".to_owned()),
    };
    facts.topology.cores = (0..16).map(core).collect();
    facts.memory.pools =
        [0, 1].map(|node| Pool { node, total: 0, free: 0, path: format!("/node{node}") }).to_vec();
    facts.daemons = vec!["irqbalance".to_owned()];
    both(&mut facts, |link| {
        link.driver = "mlx5_core".to_owned();
        link.nic.node = Some(1);
        (link.rx_queues, link.tx_queues) = (16, 16);
        link.channels =
            Some(Channels { combined: Ring { now: 16, most: 16 }, ..Channels::default() });
        link.rings =
            Some(Rings { rx: Ring { now: 1024, most: 8192 }, tx: Ring { now: 1024, most: 8192 } });
        let mut spread = rss(&(0..16).collect::<Vec<_>>());
        spread.key = (0..40).collect();
        link.rss = Some(spread);
        feature(link, "rx-vlan-hw-parse", false);
    });
    plan.cores = vec![1, 9];
    (facts, plan)
}

#[test]
fn a_server_of_two_sockets_from_the_shop() {
    let found = complaints(&server());
    let of = |check: &str, of: &str| -> Vec<String> {
        let ways = found.iter().filter(|one| one.0 == check && one.1 == of);
        ways.flat_map(|one| one.3.clone()).collect()
    };
    assert_eq!(of("queues", "eth0"), ["ethtool -L eth0 combined 2"]);
    assert_eq!(of("queues", "eth1"), ["ethtool -L eth1 combined 2"]);
    assert_eq!(of("vlan-tags", "eth1"), ["ethtool -K eth1 rx-vlan-hw-parse off"]);
    assert_eq!(of("rx-ring", "eth0"), ["ethtool -G eth0 rx 2048"]);
    assert_eq!(of("nodes", "workers"), ["[workers] cores in gateway.toml: choose from 8-15"]);
    assert_eq!(of("huge-pages", "node 0"), ["echo 16 > /node0"]);
    assert_eq!(of("huge-pages", "node 1"), ["echo 16 > /node1"]);
    assert_eq!(of("clock-rate", "workers").len(), 2);
    // Interrupts go to cores of the NIC's node that no worker has.
    assert_eq!(
        of("irqs", "eth0"),
        ["echo 8 > /proc/irq/100/smp_affinity_list", "echo 10 > /proc/irq/101/smp_affinity_list"]
    );
    assert!(of("symmetry", "eth0, eth1")[0].starts_with("ethtool -X eth0 hkey 6d:5a:6d:5a:"));
    assert!(of("irqbalance", "eth0")[0].contains("BANNED_CPULIST=1,9"));
}

#[test]
fn a_virtual_machine_of_two_cores_has_nothing_to_spare() {
    let (mut facts, mut plan) = appliance();
    facts.topology.cores.truncate(2);
    for core in &mut facts.topology.cores {
        (core.isolated, core.tickless, core.governor) = (false, false, None);
    }
    both(&mut facts, |link| {
        link.driver = "virtio_net".to_owned();
        link.rss = None;
        link.rings = Some(Rings { rx: Ring { now: 256, most: 256 }, tx: Ring::default() });
        feature(link, "rx-gro-hw", true);
    });
    plan.cores = vec![0, 1];
    let found = complaints(&(facts.clone(), plan.clone()));
    let checks: Vec<_> = found.iter().map(|one| one.0).collect();
    assert_eq!(
        checks,
        ["cores-left", "gro-hw", "gro-hw", "mode", "mode"],
        "no isolation, no interrupts to move, no larger ring: {found:?}"
    );
    plan.busy = false;
    let found = complaints(&(facts, plan));
    assert!(found.iter().all(|one| one.0 != "cores-left"), "workers that sleep share a core");
}

#[test]
fn what_a_running_gateway_uses_is_not_missing() {
    let (mut facts, plan) = appliance();
    facts.running = true;
    facts.memory.available_bytes = 1 << 20;
    facts.memory.pools[0].free = 0;
    both(&mut facts, |link| {
        let name = "palisade_xdp".to_owned();
        link.program = Some(Program { name, id: 7, ours: true, word: "xdp" });
        link.promiscuous = true;
    });
    assert_eq!(complaints(&(facts, plan)), []);
}

#[test]
fn a_machine_that_says_nothing_is_judged_by_what_it_lacks() {
    let (_, plan) = appliance();
    let found = complaints(&(Facts::default(), plan));
    let fatal: Vec<_> = found.iter().filter(|one| one.2 == Grade::Fatal).map(|one| one.0).collect();
    assert_eq!(fatal, ["kernel", "cores", "interface", "interface"]);
}
