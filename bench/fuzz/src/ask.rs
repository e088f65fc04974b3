//! Lines of `explain --batch`, and its `--from` and `--to`.

use std::sync::OnceLock;

use lookup::{Ask, Moment, Query, Revision, Ruleset, Side, Verdict};

use crate::data;

fn rules() -> &'static Ruleset {
    static RULES: OnceLock<Ruleset> = OnceLock::new();
    RULES.get_or_init(|| {
        Ruleset::load(&data("rich.toml"), Moment::default(), Revision(1)).expect("it compiles").0
    })
}

/// Every line is answered or refused with a way out; the two spellings of a question agree.
pub(crate) fn run(data: &[u8]) {
    for line in data.split(|&byte| byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        match Ask::parse_line(text.trim()) {
            Ok(ask) => answer(&ask),
            Err(error) => assert!(!error.message.is_empty() && !error.help.is_empty()),
        }
        if let Some((from, to)) = text.trim().split_once(' ') {
            for side in [Side::Outside, Side::Inside] {
                if let Ok(ask) = Ask::parse(from, to, side) {
                    answer(&ask);
                }
            }
        }
    }
}

fn answer(ask: &Ask) {
    let rules = rules();
    let explanation = rules.explain(ask);
    let json = serde_json::to_value(&explanation).expect("an answer is JSON");
    let (remote, local, local_port) = match ask.side {
        Side::Outside => (ask.from, ask.to, ask.to_port),
        Side::Inside => (ask.to, ask.from, ask.from_port.unwrap_or(0)),
    };
    let judgement = rules.judge(Query {
        side: ask.side,
        remote: rules.class(remote),
        local: rules.class(local),
        proto: ask.proto.folded(),
        local_port,
        vlan: rules.vlan(ask.vlan),
    });
    let verdict = if judgement.verdict == Verdict::Allow { "allow" } else { "drop" };
    assert_eq!(json["verdict"], verdict, "{ask:?}");
    assert_eq!(json["verdict"] == "allow", json["reason"].is_null(), "{ask:?}");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "198.51.100.1 10.2.0.1 tcp 5432",
        "[2001:db8:de::1]:999 [fd00:2::1] tcp 80\n203.0.113.1 10.2.0.1 udp 53 inside",
        "10.2.0.1:80 192.0.2.1 tcp 999 inside\n10.3.0.5 203.0.113.1 icmp - inside",
        "198.51.100.1 10.2.0.1:5432/tcp\n2001:db8:f::1 [fd00:2::1]:53/udp",
        "::ffff:198.51.100.1 fd00:2::1 47 0\n198.51.100.1 fd00:2::1 esp 0\n\u{e9} a tcp 99999",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
