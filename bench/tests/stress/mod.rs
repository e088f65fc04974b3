//! What the fault tests share: a gateway under load, and what must hold after every fault.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lookup::{Geo, GeoFiles};
use palisade_bench::lab::{
    Answer, Books, CLIENT_VETH, Gateway, INSIDE, Lab, OUTSIDE, SERVER_VETH, Setup,
    check_identities, check_log,
};
use palisade_bench::load::{Class, Flow, Generator, Kind, Order, Plan, Sink};
use rustix::process::Signal;

use crate::common::*;

/// Offered by the generator: enough to fill every ring in a moment, with time left for others.
const RATE_PPS: u64 = 40_000;
/// One order of the generator; a test waits for the end of the last one.
const ORDER: Duration = Duration::from_millis(200);
/// How long traffic may take to flow (again).
const PATIENCE: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3);
/// The class of the only flows that the policy allows; those before it are forbidden.
const ALLOWED: u8 = 3;

/// A gateway whose worker leaves the first core to the generator.
pub fn setup(lab: &Lab) -> Setup {
    Setup { cores: vec![1], ..Setup::new(lab, POLICY) }
}

/// Flows to the echo service: German ones may, others may not.
pub fn flows() -> Vec<Flow> {
    let geo = Geo::load(&GeoFiles::default(), &[]).unwrap();
    let plan = Plan {
        flows: 20_000,
        shares: "US:30,CN:20,unknown:10,DE:40".parse().unwrap(),
        targets: (SERVER[0].parse().ok(), SERVER[1].parse().ok()),
        port: 7,
        seed: 4,
        kind: Kind::Udp,
    };
    plan.draw(&geo.keys()).unwrap()
}

/// What arrives at the servers while a load is offered.
pub struct Watch {
    sink: Sink,
    /// Frames offered so far, by orders that are done.
    pub offered: AtomicU64,
}

/// Runs `body` while the generator offers all flows, again and again.
pub fn under_load<T>(lab: &Lab, body: impl FnOnce(&mut Watch) -> T) -> T {
    let flows = flows();
    let mut watch = Watch { sink: Sink::at_servers(lab, 0).unwrap(), offered: AtomicU64::new(0) };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let generator = scope.spawn(|| {
            let mut sent = 0;
            let mut generator = Generator::outside(lab, &flows, 64).unwrap();
            let order = Order { length: ORDER, count: None, rate_pps: Some(RATE_PPS), core: 0 };
            while !stop.load(Ordering::Relaxed) {
                sent += generator.run(order).unwrap().packets;
            }
            sent
        });
        // A failed check must end the load too.
        let done = Done(&stop);
        let result = body(&mut watch);
        drop(done);
        watch.offered.store(generator.join().unwrap(), Ordering::Relaxed);
        result
    })
}

struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Watch {
    /// Frames of allowed flows so far.
    pub fn arrived(&mut self) -> u64 {
        self.sink.class(Class(ALLOWED)).unwrap().packets
    }

    /// Frames of forbidden flows so far.
    pub fn leaked(&mut self) -> u64 {
        (0..ALLOWED).map(|class| self.sink.class(Class(class)).unwrap().packets).sum()
    }

    /// Waits until allowed frames arrive; how long after `since` they did.
    pub fn flows(&mut self, since: Instant) -> Duration {
        let before = self.arrived();
        let begin = Instant::now();
        while self.arrived() == before {
            assert!(begin.elapsed() < PATIENCE, "nothing arrives any more");
            thread::sleep(Duration::from_millis(1));
        }
        since.elapsed()
    }

    /// Waits until so many more frames have arrived, allowed or not; how long they took.
    pub fn passes(&mut self, count: u64) -> Duration {
        let before = self.arrived() + self.leaked();
        let begin = Instant::now();
        while self.arrived() + self.leaked() < before + count {
            assert!(begin.elapsed() < PATIENCE, "fewer than {count} frames arrive");
            thread::sleep(Duration::from_millis(1));
        }
        begin.elapsed()
    }

    /// Waits for the frames that are on their way, and answers how many arrive after that.
    pub fn trickle(&mut self, length: Duration) -> u64 {
        thread::sleep(Duration::from_millis(100));
        let before = self.arrived() + self.leaked();
        thread::sleep(length);
        self.arrived() + self.leaked() - before
    }
}

/// Allowed clients of both families get their answer, others get nothing.
pub fn serves(lab: &Lab) {
    let cases = [
        (OFFICE[0], Try::Web, true),
        (OFFICE[1], Try::Postgres, true),
        (FOREIGN[0], Try::Web, false),
        (UNKNOWN[1], Try::Echo, false),
    ];
    assert_eq!(surprises(lab, &cases), Vec::<String>::new());
}

/// Nobody gets through.
pub fn silent(lab: &Lab) {
    for from in [OFFICE[0], OFFICE[1], FOREIGN[0]] {
        assert_ne!(ask(lab, from, Try::Web, SHORT), Answer::Reached, "{from}");
    }
}

/// An allowed client gets its answer within a few tries: neighbours may have to be found again.
pub fn recovers(lab: &Lab) {
    let begin = Instant::now();
    while ask(lab, OFFICE[0], Try::Web, LONG) != Answer::Reached {
        assert!(begin.elapsed() < PATIENCE, "no answer any more");
    }
}

/// Waits until `true`.
pub fn until(what: &str, mut come: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !come() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The whole status as JSON, also what the contract does not name.
pub fn told(gateway: &Gateway) -> serde_json::Value {
    serde_json::from_str(&gateway.ask(&["status", "--json"]).unwrap()).unwrap()
}

/// Whether a warning of the status has this text.
pub fn warns(gateway: &Gateway, text: &str) -> bool {
    told(gateway)["warnings"].to_string().contains(text)
}

/// Stops a gateway, and checks its books, its frames and its last words.
pub fn balance(gateway: &Gateway) {
    let status = gateway.quiet_status().unwrap();
    stop_blind(gateway);
    let said = gateway.log();
    assert!(said.contains("palisade: stopped after"), "{said}");
    for trouble in ["did not come home", "panicked", "could not be written"] {
        assert!(!said.contains(trouble), "{said}");
    }
    let log = gateway.drops().unwrap();
    let books: Books = [check_identities(&status), check_log(&status, &log)].concat();
    assert_eq!(books, Books::new(), "{status:#?}");
}

/// Asks a gateway to stop whose drop log nobody can read back, and waits for its end.
pub fn stop_blind(gateway: &Gateway) -> Duration {
    let begin = Instant::now();
    gateway.signal(Signal::TERM).unwrap();
    let stat = format!("/proc/{}/stat", gateway.pid());
    until("the stop", || {
        // Its parent, which reaps it, is this process.
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    });
    begin.elapsed()
}

/// Notes a duration for the longer script, which wants medians.
pub fn note(what: &str, took: Duration) {
    let ms = took.as_secs_f64() * 1e3;
    eprintln!("{what}: {ms:.1} ms");
    if let Some(path) = std::env::var_os("PALISADE_NOTES") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{}", serde_json::json!({ "what": what, "ms": ms })).unwrap();
    }
}

/// Sets an end of a wire up after it was down, with all that the kernel forgot of it.
pub fn revive(lab: &Lab, end: &str) {
    match end {
        CLIENT_VETH => host(lab, end),
        SERVER_VETH => host(lab, end),
        _ => drop(lab.gateway.run(&format!("ip link set {end} up")).unwrap()),
    }
}

fn host(lab: &Lab, end: &str) {
    let namespace = if end == CLIENT_VETH { &lab.clients } else { &lab.servers };
    namespace.run(&format!("ip link set {end} up")).unwrap();
    for family in ["", "-6 "] {
        namespace.run(&format!("ip {family}route replace default dev {end}")).unwrap();
    }
    if end == CLIENT_VETH {
        everyone().into_iter().for_each(|address| lab.add_client(ip(address)).unwrap());
    } else {
        SERVER.into_iter().for_each(|address| lab.add_server(ip(address)).unwrap());
    }
}

/// Takes a wire of the gateway away, as the removal of a NIC does.
pub fn unplug(lab: &Lab, end: &str) {
    lab.gateway.run(&format!("ip link delete {end}")).unwrap();
}

/// Lays a new wire in its place: another interface of the same name.
pub fn plug(lab: &Lab, end: &str) {
    let (namespace, veth, mac) = match end {
        OUTSIDE => (&lab.clients, CLIENT_VETH, "02:00:00:00:00:c0"),
        _ => (&lab.servers, SERVER_VETH, "02:00:00:00:00:50"),
    };
    assert!([OUTSIDE, INSIDE].contains(&end));
    let gateway = lab.gateway.name();
    let line =
        format!("ip link add {veth} address {mac} type veth peer name {end} netns {gateway}");
    namespace.run(&line).unwrap();
    namespace.run(&format!("ethtool -K {veth} tx off tso off gso off gro on")).unwrap();
    let silence = |file: String, value| {
        move || {
            std::fs::write(format!("/proc/sys/net/{file}"), value).unwrap();
            Ok(())
        }
    };
    lab.gateway.enter(silence(format!("ipv6/conf/{end}/disable_ipv6"), "1")).unwrap();
    namespace.enter(silence(format!("ipv6/conf/{veth}/accept_dad"), "0")).unwrap();
    namespace.enter(silence(format!("ipv4/conf/{veth}/rp_filter"), "0")).unwrap();
    host(lab, veth);
    lab.gateway.run(&format!("ip link set {end} up")).unwrap();
}
