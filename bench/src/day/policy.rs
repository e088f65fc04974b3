//! The day's policies and its database of a few large networks.

use crate::lab::Service;

/// The server, and what it does.
pub(super) const SERVER: &str = "10.1.0.10";
pub(super) const LOAD_PORT: u16 = 7;
pub(super) const DOORS: [(Service, u16); 3] =
    [(Service::Http, 80), (Service::TcpEcho, 9000), (Service::Database, 5432)];

/// Clients by where they are.
pub(super) const GERMAN: &str = "5.9.0.9";
pub(super) const FRENCH: &str = "51.15.0.9";
pub(super) const NORWEGIAN: &str = "84.208.0.9";
pub(super) const CONTRACTOR: &str = "12.34.56.78";
pub(super) const SWEEPER: &str = "203.0.113.77";
pub(super) const CLIENTS: [&str; 5] = [GERMAN, FRENCH, NORWEGIAN, CONTRACTOR, SWEEPER];

/// What is in force in the morning.
pub(super) const FIRST: &str = r#"[geo]
country  = "country.csv"
canaries = { "5.9.0.9" = "DE", "12.34.56.78" = "US" }

[group.europe]
countries = ["DE", "FR", "NL"]

[group.office]
networks  = ["5.9.0.0/16"]
countries = ["DE"]

[domain.shop]
exposure = "external"
allow    = ["europe"]

[[domain.shop.service]]
name     = "web"
networks = ["10.1.0.0/24"]
proto    = "tcp"
ports    = ["80", "9000"]

[[domain.shop.service]]
name     = "feed"
networks = ["10.1.0.0/24"]
proto    = "udp"
ports    = ["7"]

[domain.internal]
exposure = "internal"
allow    = ["office"]

[[domain.internal.service]]
name     = "postgres"
networks = ["10.1.0.0/24"]
proto    = "tcp"
ports    = ["1-79", "81-1023", "5432"]

[egress]
allow = ["europe"]
"#;

/// Norway comes in.
pub(super) fn with_norway() -> String {
    FIRST.replace(r#"["DE", "FR", "NL"]"#, r#"["DE", "FR", "NL", "NO"]"#)
}

/// France goes out.
pub(super) fn without_france() -> String {
    FIRST.replace(r#"["DE", "FR", "NL"]"#, r#"["DE", "NL"]"#)
}

/// A contractor may reach the database until a moment.
pub(super) fn with_exception(until: &str) -> String {
    FIRST.to_owned()
        + &format!(
            "\n[[domain.internal.exception]]\nname     = \"migration\"\nnetworks = [\"{CONTRACTOR}/32\"]\n\
             until    = {until}\nowner    = \"dba\"\nreason   = \"moves the orders to the new cluster\"\n"
        )
}

/// Networks of the database: first octet and country.
const NETWORKS: [(u8, &str); 12] = [
    (5, "DE"),
    (12, "US"),
    (23, "US"),
    (45, "BR"),
    (51, "FR"),
    (62, "NL"),
    (78, "DE"),
    (84, "NO"),
    (101, "CN"),
    (112, "CN"),
    (130, "US"),
    (145, "NL"),
];
/// What the vendor's update gets wrong: two of the largest European networks are moved.
const MOVED: [u8; 2] = [51, 78];

/// The database as CSV, as it was or as the vendor's update has it.
pub(super) fn database(updated: bool) -> String {
    let country = |(octet, country): (u8, &'static str)| match updated && MOVED.contains(&octet) {
        true => "US",
        false => country,
    };
    let line =
        |network: (u8, &'static str)| format!("{}.0.0.0/8,{}\n", network.0, country(network));
    NETWORKS.into_iter().map(line).collect()
}
