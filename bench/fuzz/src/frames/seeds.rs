//! Where the fuzzer begins: conversations of built packets, and raw frames of every kind.

use lookup::Side;

use super::{BUILT, HOUSEKEEP, INSIDE, NO_ROOM, RAW, RELOAD, SECOND, WAIT, build};

/// Every kind of packet of both families from both sides, raw; and conversations.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in 0..20 {
        for family in [0, 0x20] {
            let frame = build::frame(Side::Outside, &[family, 0, kind, 24]);
            all.push(raw(0, RAW, &frame));
            let tagged =
                build::tagged(&build::frame(Side::Inside, &[family | 0x11, 6, kind, 1]), &[7]);
            all.push(raw(4, RAW | INSIDE, &tagged));
        }
    }
    all.extend(odd().iter().map(|frame| raw(0, RAW, frame)));
    all.extend(talks());
    all
}

fn raw(setup: u8, op: u8, frame: &[u8]) -> Vec<u8> {
    let count = u8::try_from(frame.len()).expect("a short frame");
    [&[setup, op, count], frame].concat()
}

/// What no builder makes: options, extension headers, link traffic.
fn odd() -> Vec<Vec<u8>> {
    let v4 = build::frame(Side::Outside, &[0, 0, 0, 0]);
    let v6 = build::frame(Side::Outside, &[0x20, 0, 0, 0]);
    let mut optioned = v4[..34].to_vec();
    optioned[14] += 2;
    optioned[17] += 8;
    optioned.extend([148, 4, 0, 0, 1, 1, 1, 0]);
    optioned.extend(&v4[34..]);
    let mut routed = optioned.clone();
    routed[34..38].copy_from_slice(&[131, 7, 4, 0]);
    let chains: [&[u8]; 6] = [
        &[0, 0, 1, 4, 0, 0, 0, 0],
        &[60, 0, 1, 4, 0, 0, 0, 0],
        &[43, 0, 4, 0, 0, 0, 0, 0],
        &[43, 0, 0, 1, 0, 0, 0, 0],
        &[44, 0, 0, 0, 0, 0, 0, 9],
        &[51, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let mut all = vec![optioned, routed];
    all.extend(chains.map(|header| {
        let mut frame = v6[..54].to_vec();
        frame[19] += header.len() as u8;
        frame[20] = header[0];
        frame.push(v6[20]);
        frame.extend(&header[1..]);
        frame.extend(&v6[54..]);
        frame
    }));
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    all.push(arp);
    for (kind, hops) in [(135, 255), (136, 255), (143, 1)] {
        let mut frame = build::frame(Side::Outside, &[0x27, 0, 9, 0]);
        (frame[54], frame[21]) = (kind, hops);
        all.push(frame);
    }
    all
}

/// A step with a built packet.
fn built(op: u8, who: u8, ports: u8, kind: u8) -> [u8; 5] {
    [BUILT | op, who, ports, kind, 24]
}

fn talks() -> Vec<Vec<u8>> {
    let (syn, syn_ack, ack, fin, udp, first, later) = (0, 1, 2, 3, 7, 14, 15);
    let mut all = Vec::new();
    for (setup, second) in [(0, 0), (0x20, SECOND), (0x28, SECOND), (0x1d, 0)] {
        // A service, a connection from the inside, their ends, and a reload in between.
        let mut served = vec![setup];
        served.extend(built(0, 0, 0, syn));
        served.extend(built(INSIDE | second, 0, 0, syn_ack));
        served.extend(built(0, 0, 0, ack));
        served.push(RELOAD);
        served.extend(built(0, 0, 0, ack));
        served.extend(built(INSIDE | second, 0, 0, ack));
        all.push(served);
        let mut opened = vec![setup];
        opened.extend(built(INSIDE, 0x11, 6, syn));
        opened.extend(built(second, 0x11, 6, syn_ack));
        opened.extend(built(INSIDE, 0x11, 6, ack));
        opened.extend([WAIT, 12, HOUSEKEEP, NO_ROOM]);
        opened.extend(built(second, 0x11, 6, ack));
        opened.extend(built(INSIDE, 0x11, 6, fin));
        opened.extend([WAIT, 18]);
        opened.extend(built(second, 0x11, 6, ack));
        all.push(opened);
        let mut pieces = vec![setup];
        for kind in [later, first, later, later, udp] {
            pieces.extend(built(0, 0x20, 2, kind));
        }
        all.push(pieces);
    }
    all
}
