//! From a path to a ruleset: the policy, the lists and databases that it names, the compilation.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::document::{LoadError, Problem};
use crate::geo::{Geo, GeoError, GeoFiles};
use crate::policy::Policy;
use crate::{Revision, Ruleset};

/// The largest policy; text that a person wrote.
const POLICY_BYTES: u64 = 64 << 20;

impl Ruleset {
    /// Reads a policy and all that it names, relative to its folder, and compiles it.
    ///
    /// # Errors
    /// Every mistake of the policy, or the first database that cannot be used; nothing is taken from
    /// a policy with a mistake.
    pub fn load(path: &Path, revision: Revision) -> Result<(Self, Vec<Problem>), LoadError> {
        let (policy, geo, mut warnings) = Policy::load(path)?;
        let ruleset = Self::compile(&policy, &geo, revision).map_err(|error| {
            LoadError::from(Problem::nowhere(error.to_string(), "make the policy smaller"))
        })?;
        warnings.extend(unreached(&policy, &ruleset));
        Ok((ruleset, warnings))
    }
}

impl Policy {
    /// Reads a policy and the geo data that it asks for, with its overrides, uncompiled.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn load(path: &Path) -> Result<(Self, Geo, Vec<Problem>), LoadError> {
        let (policy, warnings) = read(path)?;
        let geo = geo(path, &policy)?;
        Ok((policy, geo, warnings))
    }
}

fn read(path: &Path) -> Result<(Policy, Vec<Problem>), LoadError> {
    let text = text(path).map_err(|error| {
        let message = format!("cannot read the policy `{}`: {error}", path.display());
        let help = "check the path and its permissions; docs/policy.md shows a first policy";
        LoadError::from(Problem::nowhere(message, help))
    })?;
    Policy::parse(path, text)
}

/// The text of a policy. A pipe may bring it, but nothing without end.
fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(POLICY_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > POLICY_BYTES {
        return Err(io::Error::other("it is larger than 64 MiB; long lists belong in `files`"));
    }
    Ok(text)
}

fn geo(path: &Path, policy: &Policy) -> Result<Geo, LoadError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let choice = &policy.geo;
    let files = GeoFiles {
        country: choice.country.as_ref().map(|name| folder.join(name.get_ref())),
        asn: choice.asn.as_ref().map(|name| folder.join(name.get_ref())),
    };
    Geo::load(&files, &policy.overrides).map_err(|error: GeoError| {
        // The message names the file; show the line of the policy that does.
        let text = error.to_string();
        let named = [(&choice.country, &files.country), (&choice.asn, &files.asn)];
        let line = named.into_iter().find_map(|(name, file)| {
            let shown = file.as_ref()?.display().to_string();
            text.contains(&shown).then(|| name.as_ref().map(toml::Spanned::span)).flatten()
        });
        let (message, help) = text.split_once("; ").unwrap_or((&text, "use another file"));
        LoadError::from(match line {
            Some(span) => Problem::error(policy.source(), span, message, help),
            None => Problem::nowhere(message, help),
        })
    })
}

fn unreached(policy: &Policy, ruleset: &Ruleset) -> Vec<Problem> {
    let services = ruleset.unreached();
    let remark = |service: &crate::policy::Service| {
        let message = format!("no packet reaches the service `{}`", service.name);
        let help = "more specific services take all of it: take it out, or change their networks";
        Problem::error(policy.source(), service.span.clone(), message, help).warning()
    };
    services.iter().map(|id| remark(&policy.services[usize::from(id.0)])).collect()
}
