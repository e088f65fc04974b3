//! Policies for the pipeline: of any number of countries, services and domains.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use lookup::{Country, Revision, Ruleset};

use crate::error::system;
use crate::{Error, Result};

/// How large a policy is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Countries in the group that is allowed, the load's among them.
    pub(super) countries: usize,
    /// Services of each domain.
    pub(super) services: usize,
    /// Domains.
    pub(super) domains: usize,
}

impl Size {
    pub(super) const SMALL: Self = Self { countries: 3, services: 1, domains: 1 };

    /// The address and port of the last service: the one that the load asks for.
    pub(super) fn last_service(&self, six: bool) -> (IpAddr, u16) {
        service(self.domains - 1, self.services - 1, six)
    }
}

/// An address and a port for every service.
fn service(domain: usize, service: usize, six: bool) -> (IpAddr, u16) {
    // Up to 127 domains of 1024 services.
    let number = (domain << 10 | service) as u32;
    let address = if six {
        Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number) << 64 | 1).into()
    } else {
        Ipv4Addr::from_bits(0x0a00_0001 | number << 7).into()
    };
    (address, 443)
}

/// A ruleset over the embedded table; `allowed` begins with the countries of the load.
pub(super) fn ruleset(size: Size, allowed: &[Country]) -> Result<Ruleset> {
    let countries = &allowed[..size.countries.clamp(1, allowed.len())];
    let names: Vec<String> = countries.iter().map(|country| format!("{country:?}")).collect();
    let mut text = format!("[group.some]\ncountries = [{}]\n", quoted(&names));
    for domain in 0..size.domains {
        // A String takes every write.
        let _ = write!(text, "[domain.d{domain}]\nexposure = \"external\"\nallow = [\"some\"]\n");
        for number in 0..size.services {
            let (four, port) = service(domain, number, false);
            let (six, _) = service(domain, number, true);
            let _ = write!(
                text,
                "[[domain.d{domain}.service]]\nname = \"s{number}\"\n\
                 networks = [\"{four}/32\", \"{six}/128\"]\nproto = \"udp\"\nports = [\"{port}\"]\n"
            );
        }
    }
    let name =
        format!("palisade-pipeline-{}-{:?}.toml", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).map_err(system("write", &path.display().to_string()))?;
    let loaded = Ruleset::load(&path, SystemTime::now().into(), Revision(1));
    // What stays behind in a scratch folder harms nobody.
    let _ = std::fs::remove_file(&path);
    loaded.map(|(ruleset, _)| ruleset).map_err(|error| Error::Usage(error.to_string()))
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}
