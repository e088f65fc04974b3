//! Echo, and errors that are judged by what they embed.

use filter::{Action::*, DropReason};
use lookup::Side::{Inside, Outside};

use crate::frames::*;
use crate::lab::Lab;

const V4: [&str; 4] = ["198.51.100.1", "203.0.113.1", "10.2.0.1", "10.3.0.5"];
const V6: [&str; 4] = ["2001:db8:de::1", "2001:db8:c::1", "fd00:2::1", "fd00:3::5"];

fn at(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[test]
fn echo_to_a_service() {
    for [de, cn, server, client] in [V4, V6] {
        let mut lab = Lab::new("policy");
        assert_eq!(lab.send(Outside, &echo(de, server, false, 1)), Forward);
        assert_eq!(lab.send(Inside, &echo(server, de, true, 1)), Forward);
        assert_eq!(lab.counters().flows, 1);
        assert_eq!(lab.refused(Outside, &echo(cn, server, false, 1)), DropReason::Denied);
        assert_eq!(lab.refused(Outside, &echo(de, client, false, 1)), DropReason::NoService);
    }
}

#[test]
fn echo_from_the_inside_lets_replies_in_and_nothing_else() {
    for [de, cn, _, client] in [V4, V6] {
        let mut lab = Lab::with("policy", 2, 1024, 1000);
        assert_eq!(lab.send(Inside, &echo(client, cn, false, 9)), Drop);
        assert_eq!(lab.send(Inside, &echo(client, de, false, 9)), Forward);
        for worker in 0..2 {
            assert_eq!(lab.send_to(worker, Outside, &echo(de, client, true, 9)), Forward);
            for frame in [
                echo(de, client, true, 8),
                echo(de, client, false, 9),
                echo(cn, client, true, 9),
                udp(&at(de, 9), &at(client, 0)),
            ] {
                assert_eq!(lab.send_to(worker, Outside, &frame), Drop, "{frame:02x?}");
            }
        }
    }
}

#[test]
fn an_echo_reply_opens_nothing() {
    for [de, _, _, client] in [V4, V6] {
        let mut lab = Lab::new("policy");
        assert_eq!(lab.send(Inside, &echo(client, de, true, 9)), Forward);
        assert_eq!(lab.send(Outside, &echo(de, client, false, 9)), Drop);
        assert_eq!(lab.send(Outside, &echo(de, client, true, 9)), Drop);
        assert_eq!(lab.counters().flows, 0);
    }
}

#[test]
fn errors_follow_the_pair_they_embed() {
    for [de, cn, server, client] in [V4, V6] {
        let router = if de.contains(':') { "2001:db8:c::99" } else { "203.0.113.99" };
        let header = if de.contains(':') { 40 } else { 20 };
        let mut lab = Lab::new("policy");
        let reply = |to: &str| tcp(&at(server, 80), &at(to, 999), "SA");
        let query = udp(&at(client, 4000), &at(de, 53));
        // Judged: the service's pair, with whole and with cut embedded packets, from any router.
        for bytes in [header + 8, 500] {
            assert_eq!(lab.send(Outside, &error(router, server, &reply(de), bytes)), Forward);
            let refused = lab.refused(Outside, &error(router, server, &reply(cn), bytes));
            assert_eq!(refused, DropReason::Denied);
        }
        let cut = error(router, server, &reply(de), header + 7);
        assert_eq!(lab.refused(Outside, &cut), DropReason::IcmpMismatch);
        // Egress: only what was opened.
        let unreachable = error(router, client, &query, 500);
        assert_eq!(lab.refused(Outside, &unreachable), DropReason::NoService);
        assert_eq!(lab.send(Inside, &query), Forward);
        assert_eq!(lab.send(Outside, &unreachable), Forward);
        // To another than the sender of what it embeds.
        let astray = error(router, server, &query, 500);
        assert_eq!(lab.refused(Outside, &astray), DropReason::IcmpMismatch);
        // From the inside, about a packet that came from the outside.
        let syn = tcp(&at(de, 999), &at(server, 80), "S");
        assert_eq!(lab.send(Inside, &error(server, de, &syn, 500)), Forward);
        let syn = tcp(&at(cn, 999), &at(server, 80), "S");
        assert_eq!(lab.send(Inside, &error(server, cn, &syn, 500)), Drop);
        // Neither remembered anything but the query.
        assert_eq!(lab.counters().flows, 1);
    }
}

#[test]
fn errors_about_echo_and_about_errors() {
    for [de, _, server, client] in [V4, V6] {
        let mut lab = Lab::new("policy");
        let ping = echo(client, de, false, 5);
        assert_eq!(lab.send(Outside, &error(de, client, &ping, 500)), Drop);
        assert_eq!(lab.send(Inside, &ping), Forward);
        assert_eq!(lab.send(Outside, &error(de, client, &ping, 500)), Forward);
        let pong = echo(client, de, true, 5);
        assert_eq!(lab.send(Outside, &error(de, client, &pong, 500)), Drop);
        let about = error(de, server, &error(server, de, &ping, 500), 500);
        assert_eq!(lab.refused(Outside, &about), DropReason::IcmpMismatch);
    }
}

#[test]
fn errors_do_not_keep_a_flow_alive() {
    let mut lab = Lab::new("policy");
    let query = udp("10.3.0.5:4000", "198.51.100.1:53");
    lab.send(Inside, &query);
    for _ in 0..4 {
        lab.now_ms += 9_000;
        lab.send(Outside, &error("198.51.100.1", "10.3.0.5", &query, 500));
    }
    assert_eq!(lab.send(Outside, &udp("198.51.100.1:53", "10.3.0.5:4000")), Drop);
}

#[test]
fn errors_about_later_fragments_and_redirects() {
    let mut lab = Lab::new("policy");
    let reply = udp("10.2.0.1:53", "198.51.100.1:999");
    let later = fragment(&reply, 7, 8, false, &[0, 53, 3, 231, 0, 0, 0, 0]);
    let about = error("198.51.100.1", "10.2.0.1", &later, 500);
    assert_eq!(lab.refused(Outside, &about), DropReason::IcmpMismatch);
    let cut = fragment(&about, 7, 0, true, &about[34..66]);
    assert_eq!(lab.refused(Outside, &cut), DropReason::IcmpMismatch);
    let redirect = icmp("198.51.100.1", "10.2.0.1", 64, &[5, 1, 0, 0, 10, 2, 0, 9]);
    assert_eq!(lab.refused(Outside, &redirect), DropReason::IcmpRedirect);
}
