//! Captures as others write them, cut off anywhere, and with any byte changed.

use super::capture::{Capture, CaptureError, Record};
use super::packet::{Ends, frame};

/// A packet as it is written: seconds, nanoseconds, bytes on the wire, what was kept.
type Written = (u32, u32, u32, Vec<u8>);

/// A packet as it is read: nanoseconds since 1970, bytes on the wire, what was kept.
type Found = (u64, u32, Vec<u8>);

fn packets() -> Vec<Written> {
    vec![
        (1_700_000_000, 1_000, 60, vec![1; 60]),
        (1_700_000_000, 999_999_000, 1500, vec![2; 96]),
        (1_700_000_001, 0, 0, vec![]),
        (u32::MAX, 5_000, 7, vec![3; 7]),
    ]
}

/// Numbers in one order of bytes.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn u16(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

fn pcap(big: bool, nano: bool, packets: &[Written]) -> Vec<u8> {
    let order = Order { big };
    let mut file = order.u32(if nano { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }).to_vec();
    file.extend([order.u16(2), order.u16(4)].concat());
    file.extend([0, 0, 262_144, 0xf400_0001].map(|number| order.u32(number)).concat());
    for (seconds, nanoseconds, wire, bytes) in packets {
        let fraction = if nano { *nanoseconds } else { nanoseconds / 1000 };
        let head = [*seconds, fraction, bytes.len() as u32, *wire];
        file.extend(head.map(|number| order.u32(number)).concat());
        file.extend(bytes);
    }
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = order.u32(padded as u32 + 12);
    let padding = vec![0; padded - body.len()];
    [&order.u32(kind), &length, body, &padding, &length].concat()
}

/// A pcapng file; `resolution` is the value of if_tsresol.
fn pcapng(big: bool, resolution: Option<u8>, packets: &[Written]) -> Vec<u8> {
    let order = Order { big };
    let section = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    let mut file = block(order, 0x0a0d_0d0a, &section);
    let mut interface = [&order.u16(1)[..], &order.u16(0), &order.u32(0)].concat();
    // A name before it, of a length that needs padding.
    interface.extend([&order.u16(2)[..], &order.u16(4), b"eth0"].concat());
    if let Some(value) = resolution {
        interface.extend([&order.u16(9)[..], &order.u16(1), &[value, 0, 0, 0]].concat());
    }
    interface.extend([0; 4]);
    file.extend(block(order, 1, &interface));
    // A block that nobody knows.
    file.extend(block(order, 0x0bad, &[9; 13]));
    let per_s = match resolution {
        None => 1_000_000,
        Some(power) if power & 0x80 != 0 => 1_u64 << (power & 0x7f),
        Some(power) => 10_u64.pow(power.into()),
    };
    for (seconds, nanoseconds, wire, bytes) in packets {
        let part = u128::from(*nanoseconds) * u128::from(per_s) / 1_000_000_000;
        let units = u64::from(*seconds) * per_s + part as u64;
        let head = [0, (units >> 32) as u32, units as u32, bytes.len() as u32, *wire];
        let head = head.map(|number| order.u32(number)).concat();
        file.extend(block(order, 6, &[&head[..], bytes].concat()));
    }
    file
}

/// All packets of a file, and how it ended.
fn read(file: &[u8]) -> (Vec<Found>, Option<CaptureError>) {
    let mut found = Vec::new();
    let mut capture = match Capture::open(file) {
        Ok(capture) => capture,
        Err(error) => return (found, Some(error)),
    };
    loop {
        match capture.next() {
            Ok(Some(record)) => {
                found.push((record.time_ns, record.wire_bytes, record.bytes.to_vec()));
            }
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
    }
}

fn expected(packets: &[Written]) -> Vec<Found> {
    let time = |it: &Written| u64::from(it.0) * 1_000_000_000 + u64::from(it.1);
    packets.iter().map(|it| (time(it), it.2, it.3.clone())).collect()
}

/// All forms of one recording.
fn forms() -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for big in [false, true] {
        forms.extend([false, true].map(|nano| pcap(big, nano, &packets())));
        forms.extend([None, Some(6), Some(9)].map(|it| pcapng(big, it, &packets())));
    }
    forms
}

#[test]
fn every_form_gives_the_same_packets() {
    for (number, file) in forms().iter().enumerate() {
        let (found, error) = read(file);
        assert!(error.is_none(), "form {number}: {error:?}");
        assert_eq!(found, expected(&packets()), "form {number}");
    }
    // Units of a power of 2 are cut off to the unit.
    let (found, _) = read(&pcapng(false, Some(0x80 | 10), &packets()));
    assert_eq!(found[1].0, 1_700_000_000_000_000_000 + 1023 * 1_000_000_000 / 1024);
    // Two sections, the second in another order.
    let two = [pcapng(false, None, &packets()), pcapng(true, Some(9), &packets())].concat();
    assert_eq!(read(&two).0, expected(&[packets(), packets()].concat()));
}

#[test]
fn a_file_that_is_cut_anywhere_gives_what_comes_before() {
    let all = expected(&packets());
    for (number, file) in forms().iter().enumerate() {
        for length in 0..file.len() {
            let (found, error) = read(&file[..length]);
            assert_eq!(found, all[..found.len()], "form {number}, {length} bytes");
            let proper = error.is_none();
            assert!(
                proper || matches!(error, Some(CaptureError::Cut(_) | CaptureError::Strange)),
                "form {number}, {length} bytes: {error:?}"
            );
            // Only between packets may a file end.
            assert!(!proper || length >= 24, "form {number}, {length} bytes");
        }
    }
}

#[test]
fn a_file_with_any_bytes_changed_ends() {
    let mut seed = 7_u64;
    let mut random = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    for round in 0..20_000 {
        let mut file = forms()[round % 10].clone();
        for _ in 0..=random(4) {
            let at = random(file.len());
            file[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        let (found, _) = read(&file);
        let kept: usize = found.iter().map(|(.., bytes)| bytes.len()).sum();
        assert!(kept <= file.len(), "more than there is");
        for (time_ns, wire_bytes, bytes) in &found {
            for link in [1, 101, 113, 276, 9] {
                let record = Record { time_ns: *time_ns, link, wire_bytes: *wire_bytes, bytes };
                let mut whole = Vec::new();
                if frame(&record, &mut whole) {
                    assert!(whole.len() <= bytes.len() + (256 << 10) + 14);
                    let _ = Ends::of(&whole);
                }
            }
        }
    }
}

#[test]
fn what_is_no_capture_is_called_so() {
    for text in [&b""[..], b"abc", b"GIF89a and more", &[0; 100], &[0x0a, 0x0d, 0x0d]] {
        assert!(matches!(read(text).1, Some(CaptureError::Strange)), "{text:?}");
    }
    let mut huge = pcap(false, false, &packets());
    huge[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&huge).1, Some(CaptureError::Damaged { at: 40, .. })));
}

#[test]
fn packets_of_any_link_become_frames() {
    let packet = [
        &[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1][..],
        &[0, 53, 4, 0, 0, 8, 0, 0],
    ]
    .concat();
    let mut six = vec![0; 40];
    (six[0], six[6], six[39]) = (0x60, 59, 1);
    let cases = [
        (1, [&[0; 12][..], &[8, 0], &packet].concat()),
        (1, [&[0; 12][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 8, 0], &packet].concat()),
        (101, packet.clone()),
        (228, packet.clone()),
        (113, [&[0; 14][..], &[8, 0], &packet].concat()),
        (276, [&[8, 0][..], &[0; 18], &packet].concat()),
    ];
    for (link, bytes) in cases {
        let record = Record { time_ns: 0, link, wire_bytes: bytes.len() as u32, bytes: &bytes };
        let mut whole = Vec::new();
        assert!(frame(&record, &mut whole), "{link}");
        let ends = Ends::of(&whole).unwrap();
        let shown = (ends.src.to_string(), ends.src_port, ends.dst.to_string(), ends.dst_port);
        assert_eq!(shown, ("192.0.2.1".into(), 53, "198.51.100.1".into(), 1024), "{link}");
        assert_eq!(ends.vlan, if bytes.len() == 12 + 10 + 28 { 9 } else { 0 });
        // What was not kept is there as zeros.
        let short = Record { wire_bytes: bytes.len() as u32 + 100, ..record };
        let length = whole.len();
        assert!(frame(&short, &mut whole));
        assert_eq!(whole.len(), length + 100);
    }
    let record = Record { time_ns: 0, link: 101, wire_bytes: 40, bytes: &six };
    let mut whole = Vec::new();
    assert!(frame(&record, &mut whole));
    assert_eq!(Ends::of(&whole).unwrap().dst.to_string(), "::1");
    assert!(!frame(&Record { link: 147, ..record }, &mut whole));
}
