//! Two policies that differ in one country, and a load that has all sides of them.

use lookup::{Geo, GeoFiles};

use crate::load::{Flow, Kind, Plan};
use crate::{Error, Result};

/// The service that the load is for.
const SERVER: [&str; 2] = ["10.1.0.10", "fd00:1::10"];
const PORT: u16 = 7;
const FLOWS: usize = 10_000;
/// Where the load is from: the class of a flow is the place of its share.
const SHARES: &str = "DE:35,NL:15,FR:20,US:15,unknown:15";

/// Let in by both policies.
pub(super) const ALWAYS: [(u8, &str); 2] = [(0, "DE"), (1, "NL")];
/// Let in by the second one alone.
pub(super) const SOMETIMES: (u8, &str) = (2, "FR");
/// Let in by neither.
pub(super) const NEVER: [(u8, &str); 2] = [(3, "US"), (4, "unknown")];
/// All of them.
pub(super) const CLASSES: u8 = 5;

/// The two policies: `[0]` without the country, `[1]` with it.
pub(super) fn policies() -> [String; 2] {
    [r#"["home"]"#, r#"["home", "guests"]"#].map(|allow| {
        format!(
            "[group.home]\ncountries = [\"DE\", \"NL\"]\n\n\
             [group.guests]\ncountries = [\"FR\"]\n\n\
             [domain.public]\nexposure = \"external\"\nallow = {allow}\n\n\
             [[domain.public.service]]\nname = \"echo\"\nnetworks = [\"10.1.0.0/24\", \"fd00:1::/64\"]\n\
             proto = \"udp\"\nports = [\"{PORT}\"]\n"
        )
    })
}

/// The flows of the load, from the embedded table's networks.
pub(super) fn flows() -> Result<Vec<Flow>> {
    let geo = Geo::load(&GeoFiles::default(), &[])
        .map_err(|error| Error::Usage(format!("the embedded geo table: {error}")))?;
    let plan = Plan {
        flows: FLOWS,
        shares: SHARES.parse()?,
        targets: (SERVER[0].parse().ok(), SERVER[1].parse().ok()),
        port: PORT,
        kind: Kind::Udp,
        seed: 11,
    };
    plan.draw(&geo.keys())
}
