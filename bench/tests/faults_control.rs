//! Clients of the control socket that ask nothing, slowly, or too much, under load.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;
mod stress;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use palisade_bench::lab::Gateway;
use stress::*;

/// How long a client may take to ask, and some for a loaded machine.
const ASK: Duration = Duration::from_secs(9);

/// Waits until the gateway ends a connection.
fn ended(mut stream: &UnixStream) -> bool {
    stream.set_read_timeout(Some(ASK)).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn resident_bytes(gateway: &Gateway) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/statm", gateway.pid())).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_thousand_idle_clients_and_slow_and_endless_ones_keep_nobody_from_asking() {
    let Some(lab) = site(1) else { return };
    let _servers = servers(&lab);
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    let socket = gateway.socket();
    under_load(&lab, |watch| {
        watch.flows(Instant::now());
        let before = resident_bytes(&gateway);
        let idle: Vec<_> = (0..1000).map(|_| UnixStream::connect(&socket).unwrap()).collect();
        let begin = Instant::now();
        gateway.status().unwrap();
        note("status beside 1,000 idle clients", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());

        thread::scope(|scope| {
            let slow = scope.spawn(|| {
                let mut stream = UnixStream::connect(&socket).unwrap();
                let begin = Instant::now();
                for byte in b"GET /status HTTP/1.1\r\nhost: palisade\r\nx: ".iter().cycle() {
                    if stream.write_all(&[*byte]).is_err() {
                        break;
                    }
                    assert!(begin.elapsed() < ASK, "a slow client is served for ever");
                    thread::sleep(Duration::from_millis(200));
                }
            });
            let endless = scope.spawn(|| {
                let mut stream = UnixStream::connect(&socket).unwrap();
                let head = "POST /reload HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                let part = vec![b'x'; 1 << 20];
                let taken = (0..1024).take_while(|_| stream.write_all(&part).is_ok()).count();
                assert!(taken < 64, "{taken} MiB of a body that nobody reads were taken");
            });
            slow.join().unwrap();
            endless.join().unwrap();
        });
        gateway.status().unwrap();
        assert!(idle.iter().all(ended), "an idle client is kept for ever");
        let grown = resident_bytes(&gateway).saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes more");
        watch.flows(Instant::now());
        assert_eq!(watch.leaked(), 0);
    });
    balance(&gateway);
}

#[test]
fn a_removed_control_socket_comes_back() {
    let Some(lab) = site(1) else { return };
    let gateway = Gateway::start(&lab, &setup(&lab)).unwrap();
    fs::remove_file(gateway.socket()).unwrap();
    let begin = Instant::now();
    until("an answer", || gateway.status().is_ok());
    note("control socket removed, until it answers", begin.elapsed());
    // What is somebody else's now stays as it is.
    fs::remove_file(gateway.socket()).unwrap();
    fs::write(gateway.socket(), "mine").unwrap();
    thread::sleep(Duration::from_millis(1200));
    let socket = gateway.socket();
    assert_eq!(fs::read_to_string(&socket).unwrap(), "mine");
    fs::remove_file(&socket).unwrap();
    until("an answer", || gateway.status().is_ok());
    balance(&gateway);
}
