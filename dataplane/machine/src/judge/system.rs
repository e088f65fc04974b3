//! The kernel, this process's rights, the clock.

use super::Case;
use crate::{
    facts::Kernel,
    finding::{Finding, Grade, hand},
    setting::{Change, Setting},
};

const MACHINE: &str = "machine";
/// Debian 12's.
const OLDEST: (u32, u32) = (6, 1);
/// What reads the time in some nanoseconds; the others ask a device, for a microsecond or more.
const QUICK: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen"];

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let kernel = &case.facts.kernel;
    let mut findings = vec![version(kernel), rights(kernel), jit(kernel), tools(kernel)];
    findings.extend(sockets(kernel));
    findings.extend(spinning(case));
    findings.extend(clock(kernel));
    findings.push(time(case));
    findings
}

fn version(kernel: &Kernel) -> Finding {
    let (major, minor) = OLDEST;
    let why = "older kernels lack what the XDP program and its sockets need";
    Finding::new("kernel", MACHINE, &kernel.release, format!("{major}.{minor} or newer"), why)
        .unless(
            kernel.version().is_some_and(|version| version >= OLDEST),
            Grade::Fatal,
            [hand("apt install linux-image-amd64   # and restart")],
        )
}

fn sockets(kernel: &Kernel) -> Option<Finding> {
    let there = kernel.sockets?;
    let is = if there { "there" } else { "missing" };
    let why = "packets reach user space over AF_XDP sockets";
    let finding = Finding::new("af-xdp", MACHINE, is, "there", why);
    let way = hand("use a kernel with CONFIG_XDP_SOCKETS=y, as Debian's are");
    Some(finding.unless(there, Grade::Fatal, [way]))
}

fn rights(kernel: &Kernel) -> Finding {
    let is = match kernel.missing.as_slice() {
        [] => "all of them".to_owned(),
        missing => format!("no {}", missing.join(", ")),
    };
    let why = "a gateway opens raw sockets, loads and attaches an XDP program, and locks its packet \
               memory, without a limit if it has CAP_IPC_LOCK";
    let way =
        "run it as root, or: setcap cap_net_admin,cap_net_raw,cap_bpf,cap_ipc_lock+ep PROGRAM";
    Finding::new("capabilities", MACHINE, is, "all that a gateway needs", why).unless(
        kernel.missing.is_empty(),
        Grade::Fatal,
        [hand(way)],
    )
}

fn jit(kernel: &Kernel) -> Finding {
    let on = kernel.jit != Some(0);
    let is = if on { "compiled" } else { "interpreted" };
    let why = "an interpreted XDP program takes several times as long for each packet";
    let setting = Setting::File { path: "/proc/sys/net/core/bpf_jit_enable".to_owned() };
    let way = Change { setting, to: "1".to_owned() }.into();
    Finding::new("jit", MACHINE, is, "compiled", why).unless(on, Grade::Warning, [way])
}

fn tools(kernel: &Kernel) -> Finding {
    let missing = kernel.tools_missing.join(", ");
    let is = if missing.is_empty() { "there".to_owned() } else { format!("no {missing}") };
    let why = "hash keys are read, and NICs are changed, with ethtool and ip";
    let way = hand("apt install ethtool iproute2");
    Finding::new("tools", MACHINE, is, "ethtool and ip", why).unless(
        missing.is_empty(),
        Grade::Warning,
        [way],
    )
}

/// `poll` that spins before it sleeps.
fn spinning(case: &Case<'_>) -> Option<Finding> {
    let us = case.facts.kernel.busy_poll_us?;
    let why = "a worker that is to sleep would spin in the kernel first, all its idle time";
    let setting = Setting::File { path: "/proc/sys/net/core/busy_poll".to_owned() };
    let way = Change { setting, to: "0".to_owned() }.into();
    let finding = Finding::new("busy-poll", MACHINE, format!("{us} us"), "0 us", why);
    Some(finding.unless(us == 0 || case.plan.busy, Grade::Advice, [way]))
}

fn clock(kernel: &Kernel) -> Option<Finding> {
    let clock = kernel.clock.as_deref()?;
    let why = "the time is read once a burst, and from a device that takes microseconds";
    let finding = Finding::new("clock", MACHINE, clock, "tsc, or a hypervisor's", why);
    let way = hand("dmesg | grep -i clocksource   # why the kernel gave the TSC up");
    Some(finding.unless(QUICK.contains(&clock), Grade::Advice, [way]))
}

fn time(case: &Case<'_>) -> Finding {
    let daemons = case.facts.daemons.iter().filter(|name| *name != "irqbalance");
    let names: Vec<_> = daemons.map(String::as_str).collect();
    let is = if names.is_empty() { "nothing sets it".to_owned() } else { names.join(", ") };
    let why = "drop records carry the time, exceptions in the policy end by it, and a database's age \
               is reckoned with it";
    Finding::new("time", MACHINE, is, "set by a daemon", why).unless(
        !names.is_empty(),
        Grade::Advice,
        [hand("apt install chrony")],
    )
}
