//! Geo files: MaxMind DB and CSV for both axes, and the embedded table's own form.
//!
//! The first byte says which. A file is taken whole or refused; what was taken answers every address
//! as its covers do.

use std::io::Write as _;
use std::net::IpAddr;

use lookup::{Geo, GeoFiles};

use crate::mmdb::{Value, write};

/// Loads the file as a policy would.
pub(crate) fn run(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    match kind % 5 {
        0 => load(".mmdb", true, bytes),
        1 => load(".mmdb", false, bytes),
        2 => load(".csv", true, bytes),
        3 => load(".csv", false, bytes),
        _ => compact(bytes),
    }
}

fn load(suffix: &str, country: bool, bytes: &[u8]) {
    let mut file = tempfile::Builder::new().suffix(suffix).tempfile().expect("a scratch file");
    file.write_all(bytes).expect("room for a scratch file");
    let path = Some(file.path().to_owned());
    let one = crate::data("countries.csv");
    let files = if country {
        GeoFiles { country: path, asn: None }
    } else {
        GeoFiles { country: Some(one), asn: path }
    };
    match Geo::load(&files, &[]) {
        Ok(geo) => taken(&geo, country),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn taken(geo: &Geo, country: bool) {
    let info = if country { Some(geo.country_info()) } else { geo.asn_info() };
    assert!(info.is_some_and(|info| info.networks > 0), "a file of nothing is refused");
    let keys = geo.keys();
    let edges_v4 = keys.v4.iter().flat_map(|(first, last, _)| [first, last]);
    for address in edges_v4.take(64) {
        agrees(geo, keys.keys[keys.v4.find(address).0 as usize], IpAddr::V4(address.into()));
    }
    let edges_v6 = keys.v6.iter().flat_map(|(first, last, _)| [first, last]);
    for address in edges_v6.take(64) {
        agrees(geo, keys.keys[keys.v6.find(address).0 as usize], IpAddr::V6(address.into()));
    }
}

fn agrees(geo: &Geo, key: lookup::OriginKey, address: IpAddr) {
    let origin = geo.origin(address);
    assert_eq!((origin.country, origin.asn), (key.country, key.asn), "{address}");
    if let Some(prefix) = origin.prefix {
        assert!(prefix.contains(&address), "{address} in {prefix}");
    }
}

/// The checksum is made right, so that the rest is read.
fn compact(body: &[u8]) {
    let whole = [MAGIC.as_slice(), &checksum(body).to_le_bytes(), body].concat();
    match lookup::unpack(&whole) {
        // Each network takes two bytes at least.
        Ok(networks) => assert!(networks * 2 <= body.len()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

const MAGIC: &[u8; 8] = b"PALIGEO1";

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    use Value::{Map, Number, Text};
    let (de, fr) = (Map(&[("iso_code", Text("DE"))]), Map(&[("iso_code", Text("FR"))]));
    let v4 = |octets: [u8; 4]| u128::from(u32::from_be_bytes(octets));
    let mut all = Vec::new();
    for bits in [24, 28, 32] {
        let nested = [
            (v4([198, 51, 100, 0]) << 96, 24, Map(&[("country", de)])),
            (v4([203, 0, 113, 0]) << 96, 25, Map(&[("registered_country", fr)])),
        ];
        all.push([vec![0], write(4, bits, "GeoLite2-Country", &nested)].concat());
        let flat = [
            (v4([192, 0, 2, 0]), 120, Map(&[("country_code", Text("NL"))])),
            (0x2001_0db8 << 96, 32, Map(&[("country", Text("CN"))])),
        ];
        all.push([vec![0], write(6, bits, "country", &flat)].concat());
        let operators = [
            (v4([198, 51, 100, 0]) << 96, 24, Map(&[("autonomous_system_number", Number(3320))])),
            (v4([192, 0, 2, 0]) << 96, 24, Map(&[("asn", Text("AS64500"))])),
        ];
        all.push([vec![1], write(4, bits, "asn", &operators)].concat());
    }
    let texts: [(u8, &str); 4] = [
        (2, "# c\nstart,end,code\n1.0.0.0,1.0.0.255,AU\n2001:200::/32,JP\n"),
        (2, "\"1.0.0.0\",\"1.0.2.254\",\"DE\"\r\n10.0.0.0/8,-\n10.1.0.0/16,ZZ\n"),
        (3, "1.0.0.0,1.0.0.255,13335,CLOUDFLARENET\n2001:200::,2001:200:ffff::,AS2500\n"),
        (3, "::/0,1\n0.0.0.0/0,4294967295\n255.255.255.255,255.255.255.255,0\n"),
    ];
    all.extend(texts.map(|(kind, text)| [vec![kind], text.as_bytes().to_vec()].concat()));
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a scratch file");
    file.write_all(b"1.0.0.0/24,DE\n1.0.4.0/22,FR\n2001:db8::/32,DE\n").expect("room");
    let packed = lookup::pack(file.path(), "a test", "none").expect("it packs");
    all.push([&[4], &packed[16..]].concat());
    all
}
