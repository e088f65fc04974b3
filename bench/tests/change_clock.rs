//! Exceptions that end by themselves, and reloads many times a second, with traffic running.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::*;
use palisade_bench::lab::{Answer, Gateway, Haul, Service, Setup, Transfer};
use stress::*;

fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[test]
fn an_exception_stops_its_flow_in_the_second_it_ends() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let until_s = unix_s() as u64 + 5;
    let until = lookup::Moment(until_s);
    let policy = format!(
        "{POLICY}\n[[domain.external.exception]]\nname = \"auditor\"\nnetworks = [\"{}/32\"]\n\
         until = {until}\nowner = \"anna\"\nreason = \"the audit\"\n",
        FOREIGN[0]
    );
    let gateway = Gateway::start(&lab, &Setup { policy, ..setup(&lab) }).unwrap();
    let to = SocketAddr::new(ip(SERVER[0]), 7);
    let haul = Haul::new(Service::UdpEcho, ip(FOREIGN[0]), to, 4 << 20).paced(200_000);
    let transfer = Transfer::start(&lab.clients, haul).unwrap();
    until_moves(&transfer);
    let shown = told(&gateway)["policy"]["exceptions"][0].clone();
    assert_eq!((&shown["name"], &shown["owner"]), (&"auditor".into(), &"anna".into()), "{shown}");

    // The last byte comes back in the second of the end, and none after it.
    let (mut bytes, mut last_s) = (transfer.bytes(), unix_s());
    while unix_s() < until_s as f64 + 2.0 {
        if transfer.bytes() > bytes {
            (bytes, last_s) = (transfer.bytes(), unix_s());
        }
        thread::sleep(Duration::from_millis(2));
    }
    let late_s = last_s - until_s as f64;
    note("last byte after the end of the exception", Duration::from_secs_f64(late_s.max(0.0)));
    assert!((-0.5..0.9).contains(&late_s), "{late_s} s after the end");
    assert_eq!(ask(&lab, FOREIGN[0], Try::Web, Duration::from_millis(500)), Answer::Silence);
    let status = told(&gateway);
    assert_eq!(status["revision"], 2);
    assert_eq!(status["policy"]["exceptions"], serde_json::json!([]));
    let history = gateway.ask(&["history"]).unwrap();
    assert!(history.contains("exception ended"), "{history}");
    drop(transfer);
    serves(&lab);
    balance(&gateway);
}

fn until_moves(transfer: &Transfer) {
    let before = transfer.bytes();
    until("the transfer", || transfer.bytes() > before);
}

/// Two policies in turn: Germany may under both, the other sources of the load under neither.
#[test]
fn ten_reloads_a_second_lose_no_packet_and_no_verdict_is_of_a_third_policy() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let wide = POLICY.replacen(r#"countries = ["DE"]"#, r#"countries = ["DE", "FR"]"#, 1);
    let stop = AtomicBool::new(false);
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        let (times, slowest) = thread::scope(|scope| {
            let changes = scope.spawn(|| {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let next = if times.len() % 2 == 0 { &wide } else { POLICY };
                    gateway.write_policy(next).unwrap();
                    let said = gateway.ask(&["reload", "--json"]).unwrap();
                    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
                    let ms = |key: &str| said[key].as_f64().unwrap();
                    times.push([ms("compile_ms"), ms("swap_ms"), ms("total_ms")]);
                    thread::sleep(Duration::from_millis(100).saturating_sub(begin.elapsed()));
                }
                times
            });
            let mut slowest = Duration::ZERO;
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(5) {
                slowest = slowest.max(watch.flows(Instant::now()));
            }
            stop.store(true, Ordering::Relaxed);
            (changes.join().unwrap(), slowest)
        });
        let median = |place: usize| {
            let mut column: Vec<f64> = times.iter().map(|row| row[place]).collect();
            column.sort_by(f64::total_cmp);
            Duration::from_secs_f64(column[column.len() / 2] / 1e3)
        };
        assert!(times.len() > 5, "{} reloads", times.len());
        eprintln!("{} reloads in 5 s", times.len());
        note("reload under load, compiled", median(0));
        note("reload under load, swapped", median(1));
        note("reload under load, command to effect", median(2));
        note("longest without an allowed frame", slowest);
        assert_eq!(watch.leaked(), 0);
    });
    let status = gateway.quiet_status().unwrap();
    // Every packet is forwarded, or dropped for its verdict: none for the reload.
    let reasons: Vec<_> = status.dropped.keys().map(String::as_str).collect();
    assert!(reasons.iter().all(|reason| ["denied", "not_allowed"].contains(reason)), "{reasons:?}");
    let kernel: u64 = status.interfaces.iter().map(|it| it.kernel_dropped + it.shed).sum();
    eprintln!("received {}, dropped by the kernel {kernel}", status.received);
    balance(&gateway);
}
