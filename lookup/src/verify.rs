//! Whether a database may take the place of the one in force.
//!
//! Databases are made elsewhere and arrive by themselves: one that is cut off, of another kind, or
//! changed beyond belief must not decide who gets in. So it is asked of a few addresses that the
//! operator knows, and held against the one before: it is not much smaller, and under the same policy
//! few verdicts change. Costs: two compilations without lookup tables, once a reload that
//! brings another database.

use crate::diff::{Flips, SubjectFlips, flips};
use crate::document::{LoadError, Problem};
use crate::geo::{Geo, GeoInfo};
use crate::policy::Policy;
use crate::{Loaded, Moment, Ruleset, number};

/// Fewer IPv4 addresses than this many flip without question, so that small databases may change.
const FEW_IPV4: u64 = 1 << 24;
/// Likewise for IPv6: 1,024 networks of 32 bits, counted in /48s.
const FEW_IPV6_48S: u64 = 1 << (10 + 16);

/// How the operator lets a database through.
const ACCEPT: &str = "look with `palisade diff OLD NEW --policy POLICY`; if it is right, \
    `palisade reload --accept` takes it";

/// The canaries of a policy that its country database contradicts. Overrides do not count: they hold
/// whatever the database says.
pub(crate) fn canaries(policy: &Policy, geo: &Geo) -> Vec<Problem> {
    let wrong = policy.geo.canaries.iter().filter_map(|canary| {
        let found = geo.database_country(canary.address);
        if found == Some(canary.country) {
            return None;
        }
        let says = found.map_or_else(|| "no country".to_owned(), |it| it.to_string());
        let message = format!(
            "the country database says {says} of the canary {}, not {}",
            canary.address, canary.country
        );
        let help = "use another database, or correct the canary if the address has moved";
        Some(Problem::error(policy.source(), canary.span.clone(), message, help))
    });
    wrong.collect()
}

impl Loaded {
    /// Whether the databases may take the place of those of `before`, the ruleset in force; the same
    /// databases may.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, before: &Ruleset) -> Result<(), LoadError> {
        let old = before.databases().under(&self.policy.overrides);
        verify(&self.policy, &old, &self.geo, self.ruleset.now())
    }
}

/// Whether databases may take the place of others under a policy; the same ones may.
///
/// # Errors
/// What speaks against them: a canary that they contradict, under half of the networks, or too many
/// verdicts that change, by domain.
pub fn verify(policy: &Policy, old: &Geo, new: &Geo, now: Moment) -> Result<(), LoadError> {
    if old.same_data(new) {
        return Ok(());
    }
    let mut problems = canaries(policy, new);
    problems.extend(halved(policy, old, new));
    // What cannot be compiled is refused by compiling.
    let changed = flips((policy, old), (policy, new), now).ok();
    problems.extend(changed.and_then(|flips| flipped(policy, &flips)));
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

/// Databases that lost more than half of their networks.
fn halved(policy: &Policy, old: &Geo, new: &Geo) -> Vec<Problem> {
    let pairs = [
        ("country", Some(old.country_info()), Some(new.country_info())),
        ("ASN", old.asn_info(), new.asn_info()),
    ];
    let halved = |(kind, old, new): (&str, Option<&GeoInfo>, Option<&GeoInfo>)| {
        let (old, new) = (old?, new?);
        (new.networks < old.networks.div_ceil(2)).then(|| {
            let message = format!(
                "the new {kind} database has {} networks, the one in force {}: under half",
                number(new.networks as u64),
                number(old.networks as u64)
            );
            at_geo(
                policy,
                message,
                "was it cut off? download it again, or take it as it is with \
                    `palisade reload --accept`"
                    .to_owned(),
            )
        })
    };
    pairs.into_iter().filter_map(halved).collect()
}

/// More verdicts that change than the policy lets pass.
fn flipped(policy: &Policy, flips: &Flips) -> Option<Problem> {
    let share = policy.geo.max_flips;
    if share >= 1.0 {
        return None;
    }
    let limit = |placed: u64, few: u64| few.max((placed as f64 * share) as u64);
    let limits = [
        ("IPv4 addresses", flips.any.ipv4, flips.placed.ipv4, FEW_IPV4),
        ("IPv6 /48s", flips.any.ipv6_48s, flips.placed.ipv6_48s, FEW_IPV6_48S),
    ];
    let over: Vec<String> = limits
        .iter()
        .filter(|(_, flipped, placed, few)| *flipped > limit(*placed, *few))
        .map(|(what, flipped, placed, few)| {
            let (of, most) = (placed.max(&1), limit(*placed, *few));
            let percent = *flipped as f64 * 100.0 / *of as f64;
            let [flipped, placed, most] = [*flipped, *placed, most].map(number);
            format!("{flipped} {what} ({percent:.1} % of {placed}; at most {most} may)")
        })
        .collect();
    if over.is_empty() {
        return None;
    }
    let mut message = format!("the new database changes the verdict on {}", over.join(" and on "));
    for one in &flips.subjects {
        message += &format!("\n{}", sentence(one));
    }
    Some(at_geo(policy, message, ACCEPT.to_owned()))
}

/// A problem at the line that names the country database.
fn at_geo(policy: &Policy, message: String, help: String) -> Problem {
    match &policy.geo.country {
        Some(name) => Problem::error(policy.source(), name.span(), message, help),
        None => Problem::nowhere(message, help),
    }
}

/// What changes for one domain, with the countries that it concerns most.
fn sentence(one: &SubjectFlips) -> String {
    let subject = &one.subject;
    let name = match &subject.after {
        Some(domain) => format!("domain {domain}"),
        None => "egress".to_owned(),
    };
    let side = |extent: &crate::diff::Extent, what: &str| {
        let countries: Vec<String> = extent
            .countries
            .iter()
            .take(3)
            .map(|it| {
                let name =
                    |code: &Option<String>| code.clone().unwrap_or_else(|| "unknown".to_owned());
                let (before, after) = (name(&it.before), name(&it.country));
                if before == after { after } else { format!("{before} now {after}") }
            })
            .collect();
        let sizes = [(extent.ipv4, "IPv4 addresses"), (extent.ipv6_48s, "IPv6 /48s")];
        let sizes = sizes.into_iter().filter(|(size, _)| *size > 0);
        let sizes: Vec<_> = sizes.map(|(size, of)| format!("{} {of}", number(size))).collect();
        format!("{} {what} access ({})", sizes.join(" and "), countries.join(", "))
    };
    let sides = [(&one.allow_to_drop, "lose"), (&one.drop_to_allow, "gain")];
    let sides = sides.into_iter().filter(|(extent, _)| !extent.is_empty());
    let sides: Vec<_> = sides.map(|(extent, what)| side(extent, what)).collect();
    format!("  {name}: {}", sides.join("; "))
}
