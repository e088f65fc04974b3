//! gateway.toml, through a file as at start.

use std::io::Write as _;

use engine::{Config, Error};

use crate::problems;

/// Whatever the file says, it is a configuration within its bounds or a list of problems.
pub(crate) fn run(data: &[u8]) {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a scratch file");
    file.write_all(data).expect("room for a scratch file");
    match Config::load(file.path()) {
        Ok(config) => {
            assert!(!config.cores.is_empty());
            assert_ne!(config.outside, config.inside);
            for name in [&config.outside, &config.inside] {
                assert!((1..=15).contains(&name.len()), "{name:?}");
            }
            assert!((512..=1 << 22).contains(&config.frames));
            assert!((64..=1 << 26).contains(&config.flows));
        }
        Err(Error::Config(error)) => {
            let text = std::str::from_utf8(data).expect("other bytes are refused when read");
            assert!(!error.to_string().is_empty());
            assert!(error.problems().iter().any(lookup::Problem::is_error));
            problems::check(error.problems(), &file.path().display().to_string(), text);
        }
        Err(error) => {
            assert!(std::str::from_utf8(data).is_err(), "text is read, right or wrong: {error}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let interface = "[interface]\noutside = \"eth0\"\ninside = \"eth1\"\n";
    let full = "policy = \"p.toml\"\n\
        [workers]\ncores = [0, 1]\nmode = \"skb\"\npoll = \"adaptive\"\nframes = 1024\nflows = 64\n\
        [drops]\npath = \"/tmp/d.jsonl\"\nrate = 0\n\
        [control]\nsocket = \"c.sock\"\nmetrics = \"[::1]:9477\"\n\
        [timeouts]\ntcp_open = 3600\n[fail]\nmode = \"open\"\n";
    let wrong = "polic = 3\n[workers]\ncores = [-1]\nmode = 'x'\n[interface]\noutside = \"é\"\n";
    [interface.to_owned(), format!("{full}{interface}"), wrong.to_owned()]
        .map(String::into_bytes)
        .into()
}
