//! Workers that come, go and move while packets flow: the others lose none, and every packet is
//! accounted for.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use af_xdp_rs::{Interface as Link, Socket, SocketConfig, Umem, UmemConfig};
use common::*;
use palisade_bench::lab::{Gateway, Hops, INSIDE, Lab, Setup, Status, Worker, check_identities};
use palisade_bench::load::{Class, Flow, Generator, Kind, Order, Sent, Sink, spread};

/// Frames a second of each queue: little enough for cores that are shared with the generators.
const PPS: u64 = 5_000;

/// Flows of a class, from the office to the echo service.
fn flows(class: u8) -> Vec<Flow> {
    let first = Flow {
        source: ip(OFFICE[0]),
        target: ip(SERVER[0]),
        source_port: 1024 + u16::from(class) * 1000,
        target_port: 7,
        class: Class(class),
        kind: Kind::Udp,
    };
    spread(first, 100)
}

/// Two loads at once, one a queue: a generator's frames arrive on the queue that has the number of its
/// core. `meanwhile` runs beside them; what each of them sent.
fn loaded(lab: &Lab, length: Duration, meanwhile: impl FnOnce()) -> [Sent; 2] {
    thread::scope(|scope| {
        let loads = [0, 1].map(|core| {
            scope.spawn(move || {
                let mut generator = Generator::outside(lab, &flows(core as u8), 64).unwrap();
                let order = Order { length, count: None, rate_pps: Some(PPS), core };
                generator.run(order).unwrap()
            })
        });
        meanwhile();
        loads.map(|load| load.join().unwrap())
    })
}

fn assign(gateway: &Gateway, body: &str) -> (u16, String) {
    gateway.post("/workers", body).unwrap()
}

fn assigned(gateway: &Gateway, body: &str) {
    let (status, answer) = assign(gateway, body);
    assert_eq!(status, 200, "{body}: {answer}");
}

fn working(status: &Status) -> Vec<(u32, u32)> {
    let at_work = status.workers.iter().filter(|worker| worker.state == "working");
    at_work.map(|worker| (worker.queue, worker.core)).collect()
}

/// Cores that the threads of workers may run on, by their names.
fn pinned(gateway: &Gateway) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let mut found: Vec<_> = tasks
        .flatten()
        .filter_map(|task| {
            let status = fs::read_to_string(task.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                Some(line.trim().to_owned())
            };
            Some((field("Name:")?, field("Cpus_allowed_list:")?))
        })
        .filter(|(name, _)| name.starts_with("worker-"))
        .collect();
    found.sort();
    found
}

/// What arrived of each class, and what the gateway says, once nothing moves any more.
fn settled(gateway: &Gateway, sink: &mut Sink) -> ([u64; 2], Status) {
    let status = gateway.quiet_status().unwrap();
    let arrived = [0, 1].map(|class| sink.class(Class(class)).unwrap().packets);
    (arrived, status)
}

fn outside(status: &Status) -> (u64, u64) {
    let outside = &status.interfaces[0];
    (outside.unserved_dropped, outside.kernel_dropped)
}

#[test]
fn workers_come_move_and_go_and_every_packet_is_accounted_for() {
    let Some(lab) = site(2) else { return };
    let setup = Setup { cores: vec![1], ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let mut sink = Sink::at_servers(&lab, 200).unwrap();
    let before = (Hops::read(&lab).unwrap(), gateway.quiet_status().unwrap());
    let (mut served, mut moved) = (Vec::new(), Vec::new());
    let pause = || thread::sleep(Duration::from_millis(400));
    let sent = loaded(&lab, Duration::from_millis(3500), || {
        pause();
        assigned(&gateway, r#"{"cores": [1, 0], "why": "one more"}"#);
        served.push(working(&gateway.status().unwrap()));
        pause();
        assigned(&gateway, r#"{"cores": [0, 1], "why": "the other way round"}"#);
        moved = pinned(&gateway);
        served.push(working(&gateway.status().unwrap()));
        pause();
        assigned(&gateway, r#"{"poll": "interrupt", "burst": 16}"#);
        served.push(working(&gateway.status().unwrap()));
        pause();
        assigned(&gateway, r#"{"poll": "busy", "burst": 64, "cores": [0]}"#);
        served.push(working(&gateway.status().unwrap()));
        pause();
        assigned(&gateway, r#"{"poll": "adaptive", "cores": [1, 0]}"#);
        pause();
        assigned(&gateway, r#"{"cores": [1]}"#);
    });
    let (arrived, status) = settled(&gateway, &mut sink);
    let expected = [vec![(0, 1), (1, 0)], vec![(0, 0), (1, 1)], vec![(0, 0), (1, 1)], vec![(0, 0)]];
    assert_eq!(served, expected);
    let names = [("worker-0".to_owned(), "0".to_owned()), ("worker-1".to_owned(), "1".to_owned())];
    assert_eq!(moved, names);

    // Both identities, of each worker, and all workers together are the whole.
    assert_eq!(check_identities(&status), Vec::<String>::new(), "{status:#?}");
    let hops = Hops::read(&lab).unwrap().since(before.0);
    let (unserved, refused) = (outside(&status).0 - outside(&before.1).0, outside(&status).1);
    assert_eq!((hops.refused, hops.unsent, refused), (0, 0, 0), "the load was too much");
    // The worker that stayed lost nothing at all, wherever it went and however it waited.
    assert_eq!(arrived[0], sent[0].packets, "{status:#?}");
    // The other queue was served for a while: what no worker saw the program dropped and counted.
    let told = arrived[1] + unserved;
    assert!((sent[1].packets..=sent[1].packets + LINK).contains(&told), "{told}: {status:#?}");
    assert!(arrived[1] > PPS && unserved > PPS / 2, "{arrived:?} {unserved}");
    let resting: Vec<&Worker> =
        status.workers.iter().filter(|worker| worker.state == "resting").collect();
    assert_eq!(resting.len(), 1);
    assert!(resting[0].queue == 1 && resting[0].received >= arrived[1], "{resting:?}");
    let warned = status.warnings.iter().any(|one| one.starts_with("workers"));
    assert!(!warned, "it is as configured again: {:?}", status.warnings);

    let log = gateway.log();
    assert!(log.contains("workers by root") && log.contains("; one more"), "{log}");
    settle(gateway);
}

#[test]
fn what_is_refused_changes_nothing() {
    let Some(lab) = site(2) else { return };
    let setup = Setup { cores: vec![1], ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    for (body, code, words) in [
        (r#"{"cores": []}"#, 400, "no cores"),
        (r#"{"cores": [1, 1]}"#, 400, "core 1 stands twice"),
        (r#"{"cores": [1, 900]}"#, 409, "core 900 is not online"),
        (r#"{"burst": 0}"#, 400, "choose 1 to 64"),
        (r#"{"burst": 65}"#, 400, "choose 1 to 64"),
        (r#"{"poll": "sometimes"}"#, 400, "unknown variant"),
        (r#"{"trial_s": 0}"#, 400, "a trial lasts"),
        (r#"{"kores": [1]}"#, 400, "unknown field"),
    ] {
        let (status, answer) = assign(&gateway, body);
        assert!(status == code && answer.contains(words), "{body}: {status} {answer}");
    }

    // Somebody else has the queue of one interface: the other one's socket is let go again.
    let (socket, umem) = lab
        .gateway
        .enter(|| {
            let link = Link::find(INSIDE).unwrap();
            let (umem, _free) = Umem::new(&UmemConfig::default()).unwrap();
            Ok((Socket::bind(&umem, &link, 1, &SocketConfig::for_frames(16384)).unwrap(), umem))
        })
        .unwrap();
    let mut sink = Sink::at_servers(&lab, 200).unwrap();
    let sent = loaded(&lab, Duration::from_millis(2800), || {
        let wanted = r#"{"cores": [0, 1], "poll": "interrupt", "burst": 8}"#;
        let (status, answer) = assign(&gateway, wanted);
        assert!(status == 409 && answer.contains("the workers are as they were"), "{answer}");
    });
    let (arrived, status) = settled(&gateway, &mut sink);
    assert_eq!((working(&status), status.poll.as_str()), (vec![(0, 1)], "adaptive"));
    assert_eq!(pinned(&gateway), [("worker-1".to_owned(), "1".to_owned())]);
    assert_eq!(arrived[0], sent[0].packets, "the worker that stayed lost nothing");
    assert_eq!(arrived[1], 0);
    let unserved = outside(&status).0;
    assert!((sent[1].packets..=sent[1].packets + LINK).contains(&unserved), "{unserved}");
    let log = gateway.log();
    assert!(
        log.contains("refused: the workers are as they were") && !log.contains("before:"),
        "{log}"
    );

    drop((socket, umem));
    assigned(&gateway, r#"{"cores": [0, 1]}"#);
    assert_eq!(working(&gateway.status().unwrap()), [(0, 0), (1, 1)]);
    settle(gateway);
}

#[test]
fn a_trial_goes_back_by_itself() {
    let Some(lab) = site(2) else { return };
    let setup = Setup { cores: vec![1], ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    assigned(&gateway, r#"{"cores": [1, 0], "poll": "busy", "trial_s": 1}"#);
    let status = gateway.status().unwrap();
    assert_eq!((status.poll.as_str(), working(&status).len()), ("busy", 2));
    assert!(status.warnings.iter().any(|one| one.contains("on trial")), "{:?}", status.warnings);
    thread::sleep(Duration::from_millis(1500));
    let status = gateway.status().unwrap();
    assert_eq!((status.poll.as_str(), working(&status)), ("adaptive", vec![(0, 1)]));
    assert!(gateway.log().contains("workers by trial over"), "{}", gateway.log());
    // A reload reaches a worker that rests, too: it holds no old ruleset.
    let answer = gateway.reload(POLICY).unwrap();
    assert!(answer.contains("taken by every worker"), "{answer}");
    settle(gateway);
}

#[test]
fn the_command_measures_applies_and_writes() {
    let Some(lab) = site(1) else { return };
    let setup = Setup { cores: vec![1], poll: "busy", ..Setup::new(&lab, POLICY) };
    let gateway = Gateway::start(&lab, &setup).unwrap();
    let (status, answer) = assign(&gateway, r#"{"cores": [0, 1]}"#);
    assert!(status == 400 && answer.contains("opened with 1 queue"), "{status} {answer}");
    let silent = thread::scope(|scope| {
        let mut generator = Generator::outside(&lab, &flows(0), 64).unwrap();
        let order =
            Order { length: Duration::from_secs(3), count: None, rate_pps: Some(20), core: 0 };
        scope.spawn(move || generator.run(order).unwrap());
        gateway.ask(&["tune", "--measure", "1"]).unwrap_err().to_string()
    });
    assert!(silent.contains("too few packets come"), "{silent}");
    assert_eq!(gateway.status().unwrap().poll, "busy", "what was tried is over");
    let told = thread::scope(|scope| {
        let mut generator = Generator::outside(&lab, &flows(0), 64).unwrap();
        let order =
            Order { length: Duration::from_secs(8), count: None, rate_pps: Some(PPS), core: 0 };
        scope.spawn(move || generator.run(order).unwrap());
        let words = ["tune", "--measure", "1", "--cores", "1", "--burst", "64", "--json"];
        gateway.ask(&words).unwrap()
    });
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let tried = told["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 3, "each mode once: {told}");
    for trial in tried {
        let pps = trial["figures"]["received_pps"].as_f64().unwrap();
        assert!((pps / PPS as f64 - 1.0).abs() < 0.2, "{trial}");
        let used = trial["figures"]["used_cores"].as_f64().unwrap();
        assert_eq!(used > 0.9, trial["roster"]["poll"] == "busy", "{trial}");
    }
    assert_ne!(told["proposed"]["poll"], "busy", "a mode that sleeps takes less of a core");
    assert_eq!(gateway.status().unwrap().poll, "busy", "nothing stays without --apply");

    let said = gateway.ask(&["tune", "--poll", "interrupt", "--cores", "0", "--apply"]).unwrap();
    assert!(said.contains("in force: cores = [0], poll = \"interrupt\""), "{said}");
    let status = gateway.status().unwrap();
    assert_eq!((status.poll.as_str(), working(&status)), ("interrupt", vec![(0, 0)]));
    let file = gateway.folder().join("gateway.toml");
    let before = fs::read_to_string(&file).unwrap();
    gateway.ask(&["tune", "--poll", "interrupt", "--cores", "0", "--write"]).unwrap();
    let after = fs::read_to_string(&file).unwrap();
    let expected =
        before.replace("cores = [1]", "cores = [0]").replace("\"busy\"", "\"interrupt\"");
    assert_eq!(after, expected);
    settle(gateway);
}

/// Asleep without traffic, and every nanosecond told.
#[test]
fn a_worker_without_traffic_sleeps_and_tells_where_its_time_goes() {
    let Some(lab) = site(1) else { return };
    for (poll, sleeps) in [("busy", false), ("adaptive", true), ("interrupt", true)] {
        let setup = Setup { cores: vec![1], poll, ..Setup::new(&lab, POLICY) };
        let gateway = Gateway::start(&lab, &setup).unwrap();
        thread::sleep(Duration::from_millis(300));
        let before = gateway.status().unwrap().workers.remove(0).time;
        thread::sleep(Duration::from_millis(700));
        let after = gateway.status().unwrap().workers.remove(0).time;
        let all = (after.total_ns.total() - before.total_ns.total()) as f64;
        assert!((0.5..0.9).contains(&(all / 1e9)), "{poll}: {all}");
        let asleep = (after.asleep_ns - before.asleep_ns) as f64 / all;
        let idle = (after.total_ns.idle - before.total_ns.idle) as f64 / all;
        assert!(idle > 0.9, "{poll}: idle {idle}");
        assert_eq!(asleep > 0.95, sleeps, "{poll}: asleep {asleep}");
        assert!(sleeps || after.sleeps == 0, "{poll}: {after:?}");
        settle(gateway);
    }
}
