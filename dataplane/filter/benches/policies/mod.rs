//! Policies of any size that judge the bench's frames alike.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use lookup::{ClassId, Loaded, Moment, Revision, Ruleset};

/// Countries, services and domains: each grows while the others stay as they are.
pub(crate) const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (10, 1, 1),
    (50, 1, 1),
    (250, 1, 1),
    (3, 30, 1),
    (3, 1000, 1),
    (3, 10, 10),
    (3, 100, 100),
    (250, 1000, 100),
];

/// The policy of the tests.
pub(crate) fn lab() -> String {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read_to_string(data.join("policy.toml")).expect("it is there")
}

/// Allows as many countries, DE among them and CN not, to as many services in as many domains. The
/// first serves port 53.
pub(crate) fn flat(countries: usize, services: usize, domains: usize) -> String {
    let others = codes().into_iter().filter(|code| code != "CN" && code != "DE");
    let list: Vec<String> =
        ["DE".to_owned()].into_iter().chain(others.take(countries - 1)).collect();
    let mut text = format!("[group.some]\ncountries = {list:?}\n");
    for domain in 0..domains {
        let _ = writeln!(text, "[domain.d{domain}]\nexposure = \"external\"\nallow = [\"some\"]");
        for service in (domain..services).step_by(domains) {
            let port = 53 + service;
            let _ = writeln!(
                text,
                "[[domain.d{domain}.service]]\nname = \"s{service}\"\nnetworks = [\"10.2.0.0/24\"]\n\
                 proto = \"udp\"\nports = [\"{port}\"]"
            );
        }
    }
    text
}

/// The countries of the embedded table.
fn codes() -> BTreeSet<String> {
    let world = compile("[egress]\nallow = [\"anyone\"]\n");
    let classes = (0..world.class_count() as u32).map(ClassId);
    let codes = classes.filter_map(|class| Some(world.class_country(class)?.to_string()));
    // The table has a few codes that stand for no country, which no policy may name.
    codes.filter(|code| !["AP", "EU"].contains(&code.as_str())).collect()
}

/// Compiles a policy whose files are those of the tests.
pub(crate) fn compile(text: &str) -> Ruleset {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let path = data.join("policy.toml");
    let loaded = Loaded::of(&path, text.to_owned(), Moment::default(), Revision(1));
    loaded.expect("it compiles").ruleset
}
