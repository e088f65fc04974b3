//! Every metric that the dashboard and the alert rules name is served by a real gateway.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use crate::Result;
use crate::error::system;
use crate::lab::{Lab, http};

/// Where the dashboard and the rules stand, from the top of the repository.
pub(super) const FOLDER: &str = "docs/grafana";

/// The names of the files of a folder that a gateway in a lab does not serve.
///
/// # Errors
/// When the files cannot be read, or `/metrics` does not answer.
pub fn unserved(lab: &Lab, address: SocketAddr, folder: &Path) -> Result<BTreeSet<String>> {
    let (_, text) = lab.gateway.enter(|| {
        let stream = TcpStream::connect(address).map_err(system("connect to", "/metrics"))?;
        http(stream, "GET", "/metrics", "")
    })?;
    let served = names(&text);
    let mut wanted = BTreeSet::new();
    for file in ["palisade.json", "alerts.yml"] {
        let path = folder.join(file);
        let text =
            std::fs::read_to_string(&path).map_err(system("read", &path.display().to_string()))?;
        wanted.extend(names(&text));
    }
    Ok(wanted.difference(&served).cloned().collect())
}

/// Everything in a text that is named as our metrics are.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    text.split(word).filter(|name| name.starts_with("palisade_")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_found_in_expressions() {
        let text = "sum by (a) (rate(palisade_flows{x=\"y\"}[5m])) > palisade_geo_age_days # TYPE";
        let found: Vec<_> = names(text).into_iter().collect();
        assert_eq!(found, ["palisade_flows", "palisade_geo_age_days"]);
    }
}
