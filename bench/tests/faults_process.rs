//! A gateway that is killed, stopped, or started twice, under load.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::{Fail, Gateway, Lab, Setup, binary};
use rustix::process::{Pid, Signal, kill_process};
use stress::*;

const DEATH: Duration = Duration::from_millis(400);

/// Kills a gateway under load and starts it again: meanwhile all gets through, or nothing.
fn kill_and_restart(lab: &Lab, fail: Fail) {
    let _servers = servers(lab);
    let setup = Setup { fail, ..setup(lab) };
    let mut gateway = Gateway::start(lab, &setup).unwrap();
    under_load(lab, |watch| {
        watch.flows(Instant::now());
        assert_eq!(watch.leaked(), 0);
        gateway.kill().unwrap();
        match fail {
            Fail::Closed => {
                assert_eq!(watch.trickle(DEATH), 0, "frames passed a dead gateway");
                silent(lab);
            }
            // A busy machine offers less in a given time.
            Fail::Open => note("kill -9, fail open, until 1,000 frames passed", watch.passes(1000)),
        }
        let begin = Instant::now();
        gateway = Gateway::start(lab, &setup).unwrap();
        note("start over a killed gateway, until its status answers", begin.elapsed());
        let again = watch.flows(begin);
        note(&format!("kill -9 and start, fail {fail:?}, until traffic flows"), again);
        assert!(again < Duration::from_secs(10), "{again:?}");
        thread::sleep(Duration::from_millis(100));
        let leaked = watch.leaked();
        assert_eq!(leaked > 0, fail == Fail::Open, "{leaked} forbidden frames");
        serves(lab);
        assert_eq!(watch.leaked(), leaked, "forbidden frames after the restart");
    });
    balance(&gateway);
}

#[test]
fn nothing_passes_a_killed_gateway_that_fails_closed() {
    let Some(lab) = site(1) else { return };
    kill_and_restart(&lab, Fail::Closed);
}

#[test]
fn everything_passes_a_killed_gateway_that_fails_open() {
    let Some(lab) = site(1) else { return };
    kill_and_restart(&lab, Fail::Open);
}

#[test]
fn a_stopped_gateway_goes_on_where_it_was() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        gateway.signal(Signal::STOP).unwrap();
        assert_eq!(watch.trickle(DEATH), 0, "a stopped process forwards nothing");
        // A new policy waits for the moment that it goes on.
        gateway.write_policy(&POLICY.replace(r#"["DE"]"#, r#"["FR"]"#)).unwrap();
        gateway.signal(Signal::HUP).unwrap();
        let begin = Instant::now();
        gateway.signal(Signal::CONT).unwrap();
        note("SIGSTOP, SIGCONT, until traffic flows", watch.flows(begin));
        until("revision 2", || gateway.status().unwrap().revision == 2);
        assert_eq!(watch.trickle(DEATH), 0, "flows outlived their permission");
        gateway.write_policy(POLICY).unwrap();
        gateway.ask(&["reload"]).unwrap();
        watch.flows(Instant::now());
        assert_eq!(watch.leaked(), 0);
        serves(&lab);
    });
    balance(&gateway);
}

#[test]
fn a_second_gateway_refuses_and_disturbs_nothing() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let first = setup(&lab);
    let swapped =
        Setup { outside: first.inside.clone(), inside: first.outside.clone(), ..first.clone() };
    let gateway = Gateway::start(&lab, &first).unwrap();
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        for second in [&first, &swapped] {
            let (exit, said) = Gateway::refused(&lab, second).unwrap();
            assert_eq!(exit.code(), Some(1), "{said}");
            assert!(said.contains("another process serves this queue"), "{said}");
            watch.flows(Instant::now());
        }
        let (exit, said) =
            same(&lab, &gateway).wait_with_output().map(|output| told_by(&output)).unwrap();
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("another gateway already serves"), "{said}");
        serves(&lab);
        assert_eq!(watch.leaked(), 0);
    });
    balance(&gateway);
}

/// A process over the configuration of a gateway: the same control socket, the same drop log.
fn same(lab: &Lab, gateway: &Gateway) -> Child {
    let mut command: Command = lab.gateway.command(binary().unwrap());
    command.arg("run").arg("--config").arg(gateway.folder().join("gateway.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn told_by(output: &std::process::Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn of_two_starts_at_once_one_serves() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let plain = setup(&lab);
    let swapped =
        Setup { outside: plain.inside.clone(), inside: plain.outside.clone(), ..plain.clone() };
    for second in [&plain, &swapped] {
        let pair = thread::scope(|scope| {
            let starts = [&plain, second].map(|one| scope.spawn(|| Gateway::start(&lab, one)));
            starts.map(|start| start.join().unwrap())
        });
        let mut served: Vec<Gateway> = pair.into_iter().filter_map(Result::ok).collect();
        assert_eq!(served.len(), 1);
        let mut gateway = served.remove(0);
        assert!(lab.gateway.run("ip link show").unwrap().matches("xdp").count() >= 2);
        // Over the same configuration too: the leftovers of a killed one invite both.
        gateway.kill().unwrap();
        let [mut one, mut other] = [same(&lab, &gateway), same(&lab, &gateway)];
        until("one of two gives up", || {
            one.try_wait().unwrap().is_some() || other.try_wait().unwrap().is_some()
        });
        until("the other one answers", || gateway.status().is_ok());
        if one.try_wait().unwrap().is_some() {
            std::mem::swap(&mut one, &mut other);
        }
        assert!(one.try_wait().unwrap().is_none(), "both gave up");
        kill_process(Pid::from_child(&one), Signal::TERM).unwrap();
        assert!(one.wait().unwrap().success());
        let (exit, said) = other.wait_with_output().map(|output| told_by(&output)).unwrap();
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("already serves"), "{said}");
    }
}
