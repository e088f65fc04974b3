//! Which system calls each kind of thread may make, as seccomp programs (`seccomp(2)`).
//!
//! A call whose arguments are looked at is not in the kernel's bitmap. Of those that a worker makes in a turn
//! that is one alone, which sends many packets.

use std::collections::BTreeMap;

use libc as c;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::lists::{BESIDE, MAIN, NEVER, OLD, WORKER};
use super::{Kind, failed};
use crate::Error;

/// Commands of `bpf(2)` that read and set values of maps: counters, and the valve.
const MAP_LOOKUP_ELEM: u64 = 1;
const MAP_UPDATE_ELEM: u64 = 2;
/// The command that runs a program, which sends packets many at once.
const PROG_RUN: u64 = 10;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The program for a kind of thread; with `logged` it refuses nothing.
pub(super) fn program(kind: Kind, logged: bool) -> Result<BpfProgram, Error> {
    let refuse = SeccompAction::Errno(c::EPERM.cast_unsigned());
    let other = if logged { SeccompAction::Log } else { refuse };
    compile(rules(kind)?, other, SeccompAction::Allow)
}

/// What holds for every thread: some calls end the process, and one is said not to exist, because what it
/// asks for stands where no program can look. The libc then asks in the old way.
pub(super) fn never() -> Result<Vec<BpfProgram>, Error> {
    let absent = SeccompAction::Errno(c::ENOSYS.cast_unsigned());
    Ok(vec![
        compile(each(NEVER), SeccompAction::Allow, SeccompAction::KillProcess)?,
        compile(each(&[c::SYS_clone3]), SeccompAction::Allow, absent)?,
    ])
}

fn rules(kind: Kind) -> Result<Rules, Error> {
    let mut rules = [each(WORKER), each(OLD.0)].into_iter().flatten().collect::<Rules>();
    // No memory that can be written and executed, or becomes so.
    let data = SeccompCmpOp::MaskedEq(number(c::PROT_EXEC));
    rules.insert(c::SYS_mmap, vec![when(2, data.clone(), 0)?]);
    rules.insert(c::SYS_mprotect, vec![when(2, data, 0)?]);
    // To end oneself; nobody else.
    rules.insert(c::SYS_tgkill, one_of(0, &[std::process::id().into()])?);
    // To go to another core, and to be named after it: oneself.
    rules.insert(c::SYS_sched_setaffinity, one_of(0, &[0])?);
    rules.insert(c::SYS_prctl, one_of(0, &[c::PR_SET_NAME, c::PR_SET_VMA].map(number))?);
    rules.insert(c::SYS_bpf, one_of(0, &[PROG_RUN])?);
    if kind == Kind::Worker {
        return Ok(rules);
    }
    rules.extend(each(BESIDE).into_iter().chain(each(OLD.1)));
    let thread = number(c::CLONE_THREAD);
    rules.insert(c::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    let ioctls = [c::FIONBIO, c::FIOCLEX, c::TCGETS, c::TIOCGWINSZ];
    rules.insert(c::SYS_ioctl, one_of(1, &ioctls)?);
    rules.insert(c::SYS_prlimit64, one_of(0, &[0])?);
    let mut families = [c::AF_UNIX, c::AF_INET, c::AF_INET6].map(number).to_vec();
    if kind == Kind::Main {
        families.extend([c::AF_NETLINK, c::AF_XDP].map(number));
        rules.extend(each(MAIN));
    } else {
        rules.insert(c::SYS_bpf, one_of(0, &[MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM])?);
    }
    rules.insert(c::SYS_socket, one_of(0, &families)?);
    Ok(rules)
}

/// Calls whose arguments do not matter.
fn each(calls: &[c::c_long]) -> Rules {
    calls.iter().map(|call| (*call, Vec::new())).collect()
}

/// A rule: an argument, its place counted from 0, is as said. All that are asked for have 32 bits.
fn when(place: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, Error> {
    let condition = SeccompCondition::new(place, Dword, is, value);
    condition.and_then(|condition| SeccompRule::new(vec![condition])).map_err(|error| wrong(&error))
}

/// The rules of an argument that is one of these.
fn one_of(place: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    values.iter().map(|value| when(place, SeccompCmpOp::Eq, *value)).collect()
}

fn compile(rules: Rules, other: SeccompAction, listed: SeccompAction) -> Result<BpfProgram, Error> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| wrong(&error))?;
    let filter = SeccompFilter::new(rules, other, listed, arch).map_err(|error| wrong(&error))?;
    filter.try_into().map_err(|error| wrong(&error))
}

fn number(value: c::c_int) -> u64 {
    value.cast_unsigned().into()
}

fn wrong(error: &seccompiler::BackendError) -> Error {
    failed("list system calls", error)
}
