//! What gateway.toml may say, and what is answered when it says something else.

use std::time::Duration;

use super::*;

const FOLDER: &str = "/etc/palisade";

fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let source = Source { name: "gateway.toml".into(), text: text.into() };
    Config::read(source, Path::new(FOLDER), 3)
}

const INTERFACES: &str = "[interface]\noutside = \"eth0\"\ninside = \"eth1\"\n";

#[test]
fn every_key_but_interface_has_a_default() {
    let config = read(INTERFACES).unwrap();
    assert_eq!(config.policy, Path::new("/etc/palisade/policy.toml"));
    assert_eq!((config.outside.as_str(), config.inside.as_str()), ("eth0", "eth1"));
    assert_eq!(config.cores, [3]);
    assert_eq!((config.mode, config.poll, config.burst), (Mode::Auto, Poll::Busy, 64));
    assert_eq!((config.frames, config.flows), (16_384, 1 << 20));
    assert_eq!(config.timeouts, Timeouts::default());
    let drops = Drops {
        path: "/var/log/palisade/drops.jsonl".into(),
        records_per_s: 10_000,
        rotate: None,
        syslog: None,
        journald: None,
        patterns: Some(Duration::from_secs(60)),
    };
    assert_eq!(config.drops, drops);
    assert_eq!(config.socket, Path::new("/run/palisade/control.sock"));
    assert_eq!(config.metrics, None);
    assert_eq!(config.history, HistoryConfig { path: None, keep: 64 });
    assert_eq!(config.fail, FailMode::Closed);
    assert_eq!((config.group, config.sandbox), (None, SandboxConfig::default()));
}

#[test]
fn every_key_is_taken() {
    let text = "policy = \"p.toml\"\n\
        [workers]\ncores = [0, 2]\nmode = \"skb\"\npoll = \"adaptive\"\nburst = 32\nframes = 1024\nflows = 64\n\
        [timeouts]\ntcp_opening = 1\ntcp_open = 604800\ntcp_closing = 3\nudp_opening = 4\n\
        udp_open = 5\nicmp = 6\nother_opening = 7\nother_open = 8\nfragment = 9\n\
        [drops]\npath = \"/tmp/d-{domain}.jsonl\"\nrate = 0\nsyslog = \"udp:[::1]:514\"\n\
        journald = \"/run/systemd/journal/socket\"\npatterns_s = 0\n\
        [drops.rotate]\nsize_mb = 5\nevery = \"12h\"\nkeep = 3\n\
        [control]\nsocket = \"c.sock\"\ngroup = \"palisade\"\nmetrics = \"127.0.0.1:9477\"\n\
        [history]\npath = \"past\"\nkeep = 7\n\
        [fail]\nmode = \"open\"\n\
        [sandbox]\nmode = \"log\"\nread = [\"/srv/geo\", \"lists\"]\n";
    let config = read(&format!("{text}{INTERFACES}")).unwrap();
    assert_eq!(config.policy, Path::new("/etc/palisade/p.toml"));
    assert_eq!(config.cores, [0, 2]);
    assert_eq!((config.mode, config.poll, config.burst), (Mode::Skb, Poll::Adaptive, 32));
    assert_eq!((config.frames, config.flows), (1024, 64));
    let timeouts = Timeouts {
        tcp_opening_s: 1,
        tcp_open_s: 604_800,
        tcp_closing_s: 3,
        udp_opening_s: 4,
        udp_open_s: 5,
        icmp_s: 6,
        other_opening_s: 7,
        other_open_s: 8,
        fragment_s: 9,
    };
    assert_eq!(config.timeouts, timeouts);
    let every = Some(Duration::from_secs(43_200));
    let drops = Drops {
        path: "/tmp/d-{domain}.jsonl".into(),
        records_per_s: 0,
        rotate: Some(Rotate { size_bytes: Some(5 << 20), every, keep: 3 }),
        syslog: Some(Syslog::Udp("[::1]:514".parse().unwrap())),
        journald: Some("/run/systemd/journal/socket".into()),
        patterns: None,
    };
    assert_eq!(config.drops, drops);
    assert_eq!(config.socket, Path::new("/etc/palisade/c.sock"));
    assert_eq!(config.metrics, Some("127.0.0.1:9477".parse().unwrap()));
    assert_eq!(config.group.as_deref(), Some("palisade"));
    let read = Some(vec!["/srv/geo".into(), "/etc/palisade/lists".into()]);
    assert_eq!(config.sandbox, SandboxConfig { mode: SandboxMode::Log, read });
    assert_eq!(config.history, HistoryConfig { path: Some("/etc/palisade/past".into()), keep: 7 });
    assert_eq!(config.fail, FailMode::Open);
}

/// A line put before the interfaces, and what is answered: line, column, message, help.
const MISTAKES: [(&str, usize, usize, &str, &str); 23] = [
    ("polic = \"p\"", 1, 1, "unknown key `polic` in `gateway.toml`", "did you mean `policy`?"),
    ("policy = 3", 1, 10, "invalid type", "put it in quotes"),
    ("[worker]\ncores = [1]", 1, 2, "unknown key `worker`", "did you mean `workers`?"),
    ("[workers]\ncore = [1]", 2, 1, "unknown key `core` in `workers`", "did you mean `cores`?"),
    ("[workers]\ncores = []", 2, 9, "no cores", "one worker runs on each"),
    ("[workers]\ncores = [1, 1]", 2, 13, "core 1 stands twice", "remove one"),
    ("[workers]\ncores = [-1]", 2, 10, "invalid value", "whole number"),
    ("[workers]\nmode = \"zero-copy\"", 2, 8, "unknown mode `zero-copy`", "`zerocopy`?"),
    ("[workers]\npoll = \"x\"", 2, 8, "unknown poll mode `x`", "busy, adaptive, interrupt"),
    ("[workers]\nburst = 65", 2, 9, "65 is out of range", "choose 1 to 64"),
    ("[workers]\nframes = 8", 2, 10, "8 is out of range", "choose 512 to"),
    ("[timeouts]\nudp = 5", 2, 1, "unknown key `udp` in `timeouts`", "`udp_open`"),
    ("[timeouts]\nicmp = 0", 2, 8, "0 is out of range", "choose 1 to 604800; the default is 60"),
    ("[timeouts]\ntcp_open = 604801", 2, 12, "604801 is out of range", "the default is 7440"),
    ("[timeouts]\nfragment = 0.5", 2, 12, "invalid type", "whole number"),
    ("[control]\nmetrics = \"9477\"", 2, 11, "not an address", "127.0.0.1:9477"),
    ("[fail]\nmode = \"close\"", 2, 8, "unknown fail mode `close`", "`closed`?"),
    ("[drops]\nrate = -5", 2, 8, "invalid value", "whole number"),
    ("[drops]\nsyslog = \"/dev/log\"", 2, 10, "not where a syslog server", "unix:/dev/log"),
    ("[drops]\nrotat = 1", 2, 1, "unknown key `rotat` in `drops`", "`rotate`?"),
    ("[drops.rotate]\nevery = \"1\"", 2, 9, "`1` is no time", "12h or 1d"),
    ("[drops.rotate]\nkeep = 0", 2, 8, "0 is out of range", "choose 1 to"),
    ("[drops.rotate]\nsize = 5", 2, 1, "unknown key `size` in `drops.rotate`", "`size_mb`?"),
];

#[test]
fn a_mistake_is_answered_with_its_place_and_what_to_do() {
    for (text, line, column, message, help) in MISTAKES {
        let problems = read(&format!("{text}\n{INTERFACES}")).expect_err(text);
        let [problem] = &problems[..] else { panic!("{text}: {problems:?}") };
        let finding = problem.finding();
        assert_eq!((finding.line, finding.column), (Some(line), Some(column)), "{text}");
        assert!(finding.message.contains(message), "{text}: {}", finding.message);
        assert!(finding.help.contains(help), "{text}: {}", finding.help);
    }
}

#[test]
fn the_interfaces_are_named_and_differ() {
    for (text, message) in [
        ("", "no outside interface is named"),
        ("[interface]\noutside = \"eth0\"", "no inside interface is named"),
        ("[interface]\noutside = \"a\"\ninside = \"a\"", "outside and inside are the same"),
        ("[interface]\noutside = \"a-name-of-16-chr\"\ninside = \"b\"", "not the name"),
    ] {
        let problems = read(text).expect_err(text);
        assert!(problems[0].to_string().contains(message), "{text}: {problems:?}");
    }
}

#[test]
fn all_mistakes_are_answered_at_once() {
    let problems = read("[fail]\nmode = \"x\"\n[workers]\ncores = []\n").unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_rotation_goes_by_size_unless_it_goes_by_time_alone() {
    let rotate = |text: &str| read(&format!("[drops.rotate]\n{text}\n{INTERFACES}")).unwrap();
    let (megabytes, hour) = (Some(100 << 20), Some(Duration::from_secs(3600)));
    for (text, size_bytes, every) in [
        ("", megabytes, None),
        ("every = \"60m\"", None, hour),
        ("every = \"1h\"\nsize_mb = 100", megabytes, hour),
    ] {
        let rotate = rotate(text).drops.rotate;
        assert_eq!(rotate, Some(Rotate { size_bytes, every, keep: 7 }), "{text}");
    }
}
