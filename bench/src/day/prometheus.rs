//! A real Prometheus beside the gateway: it scrapes `/metrics` and answers the dashboard's queries.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use crate::error::system;
use crate::lab::{Lab, Scratch, http};
use crate::{Error, Result};

/// Where it listens, in the gateway's namespace.
const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Prometheus; ended when dropped.
#[derive(Debug)]
pub(super) struct Prometheus<'lab> {
    lab: &'lab Lab,
    child: Child,
    begin: SystemTime,
    _scratch: Scratch,
}

/// A line of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Series {
    /// Its labels.
    pub(super) metric: BTreeMap<String, String>,
    /// Unix seconds, and the value in text.
    values: Vec<(f64, String)>,
}

impl Series {
    /// Unix seconds and values; what is no number is left out.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let finite = |(at, text): &(f64, String)| {
            let value: f64 = text.parse().ok()?;
            value.is_finite().then_some((*at, value))
        };
        self.values.iter().filter_map(finite).collect()
    }
}

impl<'lab> Prometheus<'lab> {
    /// Starts it in the gateway's namespace, to scrape every second.
    pub(super) fn start(lab: &'lab Lab, target: SocketAddr) -> Result<Self> {
        let scratch = Scratch::new()?;
        let config = scratch.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: palisade\n    \
             static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        fs::write(&config, text).map_err(system("write", "prometheus.yml"))?;
        let mut command = lab.gateway.command("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", scratch.path().join("data").display()))
            .arg(format!("--web.listen-address={LISTEN}"))
            .args(["--log.level=error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let line = format!("{command:?}");
        let child = command.spawn().map_err(|source| Error::Start { command: line, source })?;
        let prometheus = Self { lab, child, begin: SystemTime::now(), _scratch: scratch };
        let asked = Instant::now();
        while prometheus.range("up", 5).map_or(true, |series| series.is_empty()) {
            if asked.elapsed() > PATIENCE {
                return Err(Error::Usage(format!("Prometheus scrapes nothing at {target}")));
            }
            thread::sleep(Duration::from_millis(200));
        }
        Ok(prometheus)
    }

    /// What an expression was since the start, every `step_s` seconds.
    pub(super) fn range(&self, expression: &str, step_s: u32) -> Result<Vec<Series>> {
        let unix = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
        };
        let (from, to) = (unix(self.begin), unix(SystemTime::now()));
        let query = encode(expression);
        let path =
            format!("/api/v1/query_range?query={query}&start={from:.3}&end={to:.3}&step={step_s}");
        let (status, body) = self.lab.gateway.enter(|| {
            let stream = TcpStream::connect(LISTEN).map_err(system("connect to", "Prometheus"))?;
            http(stream, "GET", &path, "")
        })?;
        if status != 200 {
            return Err(Error::Usage(format!("Prometheus refuses `{expression}`: {body}")));
        }
        let json = |source| Error::Json { object: format!("answer to {expression}"), source };
        let mut answer: Value = serde_json::from_str(&body).map_err(json)?;
        serde_json::from_value(answer["data"]["result"].take()).map_err(json)
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a query string (RFC 3986).
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_query_survives_its_address() {
        assert_eq!(encode("rate(a{b=\"c\"}[5s])"), "rate%28a%7Bb%3D%22c%22%7D%5B5s%5D%29");
    }
}
