//! The policy of the speed floor: one service, three countries.

/// A whole-world table, a domain, and a group that lets the load in.
pub(super) const TEXT: &str = r#"
[group.europe]
countries = ["DE", "FR", "NL"]

[domain.external]
exposure = "external"
allow    = ["europe"]

[[domain.external.service]]
name     = "time"
networks = ["10.1.0.0/24"]
proto    = "udp"
ports    = ["123"]
"#;
