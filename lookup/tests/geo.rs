//! Geo sources: what they say agrees with `maxminddb`, and damaged ones are refused.

#![expect(clippy::unwrap_used, reason = "functions of tests, which clippy does not see as tests")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use lookup::{Asn, Country, CountryFrom, Geo, GeoError, GeoFiles, OriginKeys, Override};
use maxminddb::{Reader, path};

/// The directory of databases for development; tests without it say so and pass.
fn geo_dir() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/geo");
    let dir = std::env::var_os("PALISADE_GEO").map_or(beside, PathBuf::from);
    if !dir.is_dir() {
        eprintln!("skipped: no geo databases at {}; set PALISADE_GEO", dir.display());
        return None;
    }
    Some(dir)
}

fn load(country: Option<&Path>, asn: Option<&Path>) -> Result<Geo, GeoError> {
    load_with(country, asn, &[])
}

fn load_with(
    country: Option<&Path>,
    asn: Option<&Path>,
    over: &[Override],
) -> Result<Geo, GeoError> {
    let files = GeoFiles { country: country.map(Into::into), asn: asn.map(Into::into) };
    Geo::load(&files, over)
}

fn country(code: &str) -> Option<Country> {
    Country::new(code)
}

/// xorshift: the same addresses in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Every boundary of every network as `maxminddb` walks them, and random addresses.
fn addresses(reader: &Reader<Vec<u8>>) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for network in reader.networks(Default::default()).unwrap() {
        let network = network.unwrap().network().unwrap();
        match (network.network(), network.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let (first, last) = (u32::from(first), u32::from(last));
                let edge = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                all.extend(edge.map(|it| IpAddr::V4(it.into())));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let (first, last) = (u128::from(first), u128::from(last));
                let edge = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                all.extend(edge.map(|it| IpAddr::V6(it.into())));
            }
            _ => unreachable!(),
        }
    }
    let mut random = Random(0x5eed);
    for _ in 0..200_000 {
        let (high, low) = (random.next(), random.next());
        all.push(IpAddr::V4((high as u32).into()));
        // The allocated part, the old parts that stand for IPv4, and anywhere.
        let prefix = [0x2 << 124, 0x2002 << 112, 0x2001 << 112, 0xffff << 32, 0][low as usize % 5];
        let tail = [124, 112, 96, 32, 128][low as usize % 5];
        let noise = (u128::from(high) << 64 | u128::from(low)) & (u128::MAX >> (128 - tail));
        all.push(IpAddr::V6(Ipv6Addr::from(prefix | noise)));
    }
    all
}

fn key_of(keys: &OriginKeys, address: IpAddr) -> (Option<Country>, Option<Asn>) {
    let id = match address {
        IpAddr::V4(address) => *keys.v4.find(address.into()),
        IpAddr::V6(address) => *keys.v6.find(address.into()),
    };
    let key = keys.keys[id.0 as usize];
    (key.country, key.asn)
}

/// What `maxminddb` itself says.
fn expected(reader: &Reader<Vec<u8>>, address: IpAddr) -> (Option<Country>, Option<CountryFrom>) {
    let Ok(found) = reader.lookup(address) else { return (None, None) };
    let code = |path: &[_]| found.decode_path::<String>(path).ok().flatten();
    let nested = |name| code(&path![name, "iso_code"]).and_then(|code| Country::new(&code));
    let known = |it: &Country| it.as_str() != "ZZ";
    if let Some(country) = nested("country").filter(known) {
        return (Some(country), Some(CountryFrom::Country));
    }
    let flat = code(&path!["country_code"]).and_then(|code| Country::new(&code)).filter(known);
    if let Some(country) = flat {
        return (Some(country), Some(CountryFrom::CountryCode));
    }
    let registered = nested("registered_country").filter(known);
    (registered, registered.map(|_| CountryFrom::Registered))
}

/// The network as text; `maxminddb` gives IPv4 ones in an IPv6 tree their length there.
fn network_of(reader: &Reader<Vec<u8>>, address: IpAddr) -> String {
    reader.lookup(address).unwrap().network().unwrap().to_string()
}

fn agrees(file: &Path, geo: &Geo, embedded: bool) {
    let reader = Reader::open_readfile(file).unwrap();
    let keys = geo.keys();
    let (mut asked, mut placed) = (0, 0);
    for address in addresses(&reader) {
        let (country, from) = expected(&reader, address);
        let origin = geo.origin(address);
        let from = from.map(|from| if embedded { CountryFrom::Embedded } else { from });
        assert_eq!((origin.country, origin.country_from), (country, from), "{address}");
        assert_eq!(key_of(&keys, address).0, country, "{address}");
        if country.is_some() {
            let prefix = origin.prefix.map(|prefix| prefix.to_string());
            assert_eq!(prefix, Some(network_of(&reader, address)), "{address}");
            placed += 1;
        }
        asked += 1;
    }
    assert!(placed > 20, "only {placed} of {asked} addresses have a country");
    println!("{}: {asked} addresses agree, {placed} with a country", file.display());
}

#[test]
fn embedded_agrees_with_its_source() {
    let Some(dir) = geo_dir() else { return };
    let geo = load(None, None).unwrap();
    let info = geo.country_info();
    assert!(info.embedded && info.source.contains("iptoasn") && info.source.contains("PDDL"));
    let file = dir.join("iptoasn-country.mmdb");
    let reader = Reader::open_readfile(&file).unwrap();
    assert_eq!(info.build_epoch_secs, Some(reader.metadata().build_epoch));
    assert_eq!(info.networks, 315_308 + 85_551);
    agrees(&file, &geo, true);
}

#[test]
fn databases_agree_with_maxminddb() {
    let Some(dir) = geo_dir() else { return };
    let mut files: Vec<PathBuf> = [
        "GeoIP2-City-Test",
        "GeoIP2-Country-Test",
        "GeoIP2-Enterprise-Test",
        "GeoLite2-Country-Test",
    ]
    .map(|name| dir.join("maxmind-test").join(name).with_extension("mmdb"))
    .to_vec();
    files.push(dir.join("iptoasn-country.mmdb"));
    if let Some(extra) = std::env::var_os("PALISADE_EXTRA_GEO") {
        let extra = fs::read_dir(extra).unwrap().map(|entry| entry.unwrap().path());
        files.extend(extra.filter(|path| path.extension().is_some_and(|it| it == "mmdb")));
    }
    for file in files {
        agrees(&file, &load(Some(&file), None).unwrap(), false);
    }
}

#[test]
fn operators_agree_with_maxminddb() {
    let Some(dir) = geo_dir() else { return };
    for name in ["GeoLite2-ASN-Test.mmdb", "GeoIP2-ISP-Test.mmdb"] {
        let file = dir.join("maxmind-test").join(name);
        let geo = load(None, Some(&file)).unwrap();
        let keys = geo.keys();
        let reader = Reader::open_readfile(&file).unwrap();
        let mut known = 0;
        for address in addresses(&reader) {
            let found = reader.lookup(address).unwrap();
            let number = found.decode_path::<u32>(&path!["autonomous_system_number"]).unwrap();
            assert_eq!(geo.origin(address).asn, number.map(Asn), "{address}");
            assert_eq!(key_of(&keys, address).1, number.map(Asn), "{address}");
            if number.is_some() && geo.origin(address).country.is_none() {
                let prefix = geo.origin(address).prefix.map(|prefix| prefix.to_string());
                assert_eq!(prefix, Some(network_of(&reader, address)), "{address}");
            }
            known += usize::from(number.is_some());
        }
        assert!(known > 100);
    }
}

#[test]
fn bad_data_is_refused() {
    let Some(dir) = geo_dir() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(dir.join("maxmind-test/bad-data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 21);
    let more = [
        "GeoIP2-City-Test-Invalid-Node-Count",
        "GeoLite2-ASN-Test",
        "MaxMind-DB-no-ipv4-search-tree",
        "MaxMind-DB-test-broken-pointers-24",
        "MaxMind-DB-test-broken-search-tree-24",
        "MaxMind-DB-test-mixed-32",
    ];
    files.extend(more.map(|name| dir.join("maxmind-test").join(name).with_extension("mmdb")));
    for file in files {
        let error = load(Some(&file), None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&file.display().to_string()), "{text}");
        let asn = load(None, Some(&file));
        assert_eq!(asn.is_ok(), file.ends_with("GeoLite2-ASN-Test.mmdb"), "{}", file.display());
        println!("{text}");
    }
}

/// Whatever happens to the bytes of a file: it is read or refused, in time in proportion to it.
#[test]
fn damage_never_panics() {
    let Some(dir) = geo_dir() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("damaged.mmdb");
    let small = scratch.path().join("small.csv"); // quicker than the embedded table
    fs::write(&small, "1.0.0.0/24,AU\n").unwrap();
    let mut random = Random(0xdead_beef);
    let (mut read, mut refused) = (0, 0);
    for name in ["GeoLite2-Country-Test", "GeoIP2-City-Test", "GeoLite2-ASN-Test"] {
        let whole = fs::read(dir.join("maxmind-test").join(name).with_extension("mmdb")).unwrap();
        let cuts = (0..whole.len()).step_by(197).chain(whole.len() - 250..whole.len());
        let mut damaged: Vec<Vec<u8>> = cuts.map(|end| whole[..end].to_vec()).collect();
        for flips in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..=flips % 8 {
                // Every other time in the metadata, which is the last 300 bytes or so.
                let span = if flips % 2 == 0 { bytes.len() } else { 400 };
                let at = bytes.len() - 1 - random.next() as usize % span;
                bytes[at] ^= 1 << (random.next() % 8);
            }
            damaged.push(bytes);
        }
        for bytes in damaged {
            fs::write(&file, bytes).unwrap();
            for (country, asn) in [(&file, None), (&small, Some(file.as_path()))] {
                match load(Some(country), asn) {
                    Ok(_) => read += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    println!("{read} read, {refused} refused");
    assert!(read > 0 && refused > 0);
}

#[test]
fn paths_that_are_no_database() {
    let scratch = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        (scratch.path().join("missing.mmdb"), "cannot read"),
        (scratch.path().to_path_buf(), "is not a file"),
        (PathBuf::from("/dev/zero"), "is not a file"),
        (write("empty.mmdb", b""), "is empty"),
        (write("text.mmdb", b"1.0.0.0,1.0.0.255,AU\n"), "must be named *.csv"),
        (write("titles.csv", b"start,end,country\n"), "holds no country"),
        (
            write("code.csv", b"1.0.0.0,1.0.0.255,AU\n2.0.0.0,2.0.0.1,Atlantis\n"),
            "line 2: `Atlantis`",
        ),
        (write("order.csv", b"1.0.0.9,1.0.0.1,AU\n"), "line 1: 1.0.0.9 to 1.0.0.1 is no range"),
        (write("family.csv", b"1.0.0.9,::1,AU\n"), "line 1: 1.0.0.9 to ::1 is no range"),
        (
            write("address.csv", b"1.0.0.0,1.0.0.255,AU\n16777216,16777471,AU\n"),
            "line 2: `16777216`",
        ),
        (write("short.csv", b"# ok\n\n1.0.0.0,1.0.0.255\n"), "line 3: no country"),
        (write("word.csv", b"\xff\xfe\n"), "line 1: not UTF-8"),
    ];
    for (path, words) in cases {
        let text = load(Some(&path), None).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
    }
}

#[test]
fn csv_of_all_shapes() {
    let scratch = tempfile::tempdir().unwrap();
    let (places, operators) = (scratch.path().join("c.csv"), scratch.path().join("a.CSV"));
    let text = "start,end,country\r\n\"1.0.0.0\",\"1.0.0.255\",\"AU\"\r\n# note\n1.0.1.0,1.0.3.255,cn\n\
                2001:db8::,2001:db8:0:2::,JP\n10.0.0.0/8,DE\n10.1.0.0/16,FR\n9.0.0.0,9.0.0.0,-\n";
    fs::write(&places, text).unwrap();
    let text = "1.0.0.0,1.0.0.255,13335,\"CLOUDFLARENET, Inc.\"\n2001:db8::/32,AS64500,x\n11.0.0.0/8,0,none\n";
    fs::write(&operators, text).unwrap();
    let geo = load(Some(&places), Some(&operators)).unwrap();
    let cases = [
        ("1.0.0.9", "AU", "1.0.0.0/24", 13335),
        ("1.0.1.9", "CN", "1.0.1.0/24", 0),
        ("1.0.2.9", "CN", "1.0.2.0/23", 0),
        ("10.0.0.1", "DE", "10.0.0.0/8", 0),
        ("10.1.0.1", "FR", "10.1.0.0/16", 0),
        ("2001:db8:0:1::5", "JP", "2001:db8::/63", 64500),
        ("2001:db8:0:2::", "JP", "2001:db8:0:2::/128", 64500),
        ("2001:db8:0:2::1", "", "2001:db8::/32", 64500),
        ("9.0.0.0", "", "", 0),
        ("11.0.0.1", "", "", 0),
    ];
    let keys = geo.keys();
    for (address, code, prefix, asn) in cases {
        let origin = geo.origin(address.parse().unwrap());
        let asn = (asn != 0).then_some(Asn(asn));
        assert_eq!((origin.country, origin.asn), (country(code), asn), "{address}");
        assert_eq!(origin.prefix.map(|it| it.to_string()).unwrap_or_default(), prefix, "{address}");
        assert_eq!(key_of(&keys, address.parse().unwrap()), (country(code), asn), "{address}");
    }
    assert_eq!(geo.country_info().build_epoch_secs, None);
    assert_eq!(geo.asn_info().unwrap().source, operators.display().to_string());
}

#[test]
fn overrides_beat_databases() {
    let scratch = tempfile::tempdir().unwrap();
    let operators = scratch.path().join("a.csv");
    fs::write(&operators, "1.0.0.0/16,100\n2001:200::/32,200\n").unwrap();
    let over = |network: &str, code: &str, asn: u32| Override {
        network: network.parse().unwrap(),
        country: country(code),
        asn: (asn != 0).then_some(Asn(asn)),
        reason: None,
    };
    let overrides = [
        over("1.0.0.128/25", "", 300),
        over("1.0.0.0/24", "DE", 0),
        over("1.0.0.64/26", "FR", 400),
        over("2001:200::/48", "NO", 0),
        over("0.0.0.0/8", "", 500),
    ];
    let geo = load_with(None, Some(&operators), &overrides).unwrap();
    let bare = load(None, None).unwrap();
    let (au, jp) = (bare.origin([1, 0, 4, 1].into()), bare.origin("2001:200:1::".parse().unwrap()));
    assert!(au.country.is_some() && jp.country.is_some());
    let text = |country: Option<Country>| country.map(|it| it.to_string()).unwrap_or_default();
    let (au_code, jp_code) = (text(au.country), text(jp.country));
    let (au_net, jp_net) = (au.prefix.unwrap().to_string(), jp.prefix.unwrap().to_string());
    let (is, was) = (Some(CountryFrom::Override), Some(CountryFrom::Embedded));
    let cases = [
        ("1.0.0.1", "DE", is, 100, "1.0.0.0/24"),
        ("1.0.0.65", "FR", is, 400, "1.0.0.64/26"),
        ("1.0.0.200", "DE", is, 300, "1.0.0.0/24"),
        ("1.0.4.1", &au_code, was, 100, &au_net),
        ("2001:200::1", "NO", is, 200, "2001:200::/48"),
        ("2001:200:1::", &jp_code, was, 200, &jp_net),
        ("0.0.0.1", "", None, 500, "0.0.0.0/8"),
    ];
    let keys = geo.keys();
    for (address, code, from, asn, prefix) in cases {
        let address: IpAddr = address.parse().unwrap();
        let origin = geo.origin(address);
        assert_eq!((origin.country, origin.country_from), (country(code), from), "{address}");
        assert_eq!(origin.asn, Some(Asn(asn)), "{address}");
        assert_eq!(origin.prefix.unwrap().to_string(), prefix, "{address}");
        assert_eq!(key_of(&keys, address), (country(code), Some(Asn(asn))), "{address}");
    }
    assert_eq!(bare.origin(Ipv4Addr::new(10, 0, 0, 1).into()), Default::default());
}

#[test]
fn keys_are_dense_and_distinct() {
    let keys = load(None, None).unwrap().keys();
    let mut seen = vec![false; keys.keys.len()];
    for id in keys.v4.iter().map(|it| *it.2).chain(keys.v6.iter().map(|it| *it.2)) {
        seen[id.0 as usize] = true;
    }
    assert!(seen.iter().all(|&seen| seen));
    let distinct: std::collections::HashSet<_> = keys.keys.iter().collect();
    assert_eq!(distinct.len(), keys.keys.len());
}
