//! From a path to a ruleset: the policy, the lists and databases that it names, the compilation.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::document::{LoadError, Problem};
use crate::geo::{Geo, GeoError, GeoFiles};
use crate::policy::Policy;
use crate::{Moment, Revision, Ruleset, verify};

/// The largest policy; text that a person wrote.
const POLICY_BYTES: u64 = 64 << 20;

/// A policy with all that it names, read and compiled.
#[derive(Debug)]
pub struct Loaded {
    /// What was written.
    pub policy: Policy,
    /// The databases that it names, with its overrides.
    pub geo: Geo,
    /// Both, compiled.
    pub ruleset: Ruleset,
    /// What is allowed, and probably not meant.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Reads the policy at a path and all that it names, relative to its folder, and compiles it as
    /// it is at a moment.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn read(path: &Path, now: Moment, revision: Revision) -> Result<Self, LoadError> {
        Self::of(path, file(path)?, now, revision)
    }

    /// The same of a text that is to be taken for what stands at the path.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn of(
        path: &Path,
        text: String,
        now: Moment,
        revision: Revision,
    ) -> Result<Self, LoadError> {
        Self::after(path, text, now, revision, None)
    }

    fn after(
        path: &Path,
        text: String,
        now: Moment,
        revision: Revision,
        before: Option<&Geo>,
    ) -> Result<Self, LoadError> {
        let (policy, geo, mut warnings) = policy(path, text, now, before)?;
        let ruleset = Ruleset::compile(&policy, &geo, now, revision).map_err(|error| {
            LoadError::from(Problem::nowhere(error.to_string(), "make the policy smaller"))
        })?;
        warnings.extend(unreached(&policy, &ruleset));
        warnings.extend(policy.overruled(&ruleset));
        Ok(Self { policy, geo, ruleset, warnings })
    }
}

impl Ruleset {
    /// Reads a policy and all that it names, relative to its folder, and compiles it as it is at a
    /// moment.
    ///
    /// # Errors
    /// Every mistake of the policy, or the first database that cannot be used; nothing is taken from
    /// a policy with a mistake.
    pub fn load(
        path: &Path,
        now: Moment,
        revision: Revision,
    ) -> Result<(Self, Vec<Problem>), LoadError> {
        let Loaded { ruleset, warnings, .. } = Loaded::read(path, now, revision)?;
        Ok((ruleset, warnings))
    }

    /// Reads and compiles the policy that is to follow this ruleset: the text, or without one what
    /// stands at the path. Databases whose files did not change since are shared, not read again.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn reload(
        &self,
        path: &Path,
        text: Option<String>,
        now: Moment,
        revision: Revision,
    ) -> Result<Loaded, LoadError> {
        let text = text.map_or_else(|| file(path), Ok)?;
        Loaded::after(path, text, now, revision, Some(&self.databases()))
    }
}

impl Policy {
    /// Reads a policy and the geo data that it asks for, with its overrides, uncompiled. The moment
    /// is for the warnings.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn load(path: &Path, now: Moment) -> Result<(Self, Geo, Vec<Problem>), LoadError> {
        Self::load_text(path, file(path)?, now)
    }

    /// The same of a text that is to be taken for what stands at the path.
    ///
    /// # Errors
    /// As [`Ruleset::load`].
    pub fn load_text(
        path: &Path,
        text: String,
        now: Moment,
    ) -> Result<(Self, Geo, Vec<Problem>), LoadError> {
        policy(path, text, now, None)
    }
}

fn policy(
    path: &Path,
    text: String,
    now: Moment,
    before: Option<&Geo>,
) -> Result<(Policy, Geo, Vec<Problem>), LoadError> {
    let (policy, mut warnings) = Policy::parse(path, text)?;
    let geo = geo(path, &policy, before)?;
    let wrong = verify::canaries(&policy, &geo);
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    warnings.extend(policy.ended(now));
    Ok((policy, geo, warnings))
}

fn file(path: &Path) -> Result<String, LoadError> {
    text(path).map_err(|error| {
        let message = format!("cannot read the policy `{}`: {error}", path.display());
        let help = "check the path and its permissions; docs/policy.md shows a first policy";
        LoadError::from(Problem::nowhere(message, help))
    })
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

fn geo(path: &Path, policy: &Policy, before: Option<&Geo>) -> Result<Geo, LoadError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let choice = &policy.geo;
    let files = GeoFiles {
        country: choice.country.as_ref().map(|name| folder.join(name.get_ref())),
        asn: choice.asn.as_ref().map(|name| folder.join(name.get_ref())),
    };
    Geo::load_after(&files, &policy.overrides, before).map_err(|error: GeoError| {
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
