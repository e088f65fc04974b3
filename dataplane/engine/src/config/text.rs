//! The shape of `gateway.toml`: sections with a place on every value, every key optional.

use std::ops::Range;

use lookup::document::{Document, Node, Section, entries, section, table, unknown_key, value};
use toml::{Spanned, de::DeValue};

section! {
    /// `[interface]`
    InterfaceText { outside: Spanned<String>, inside: Spanned<String>, }
}
section! {
    /// `[workers]`
    WorkersText {
        cores: Spanned<Vec<Spanned<u32>>>,
        mode: Spanned<String>,
        poll: Spanned<String>,
        burst: Spanned<u32>,
        frames: Spanned<u32>,
        flows: Spanned<u32>,
        leases: Spanned<u32>,
    }
}
section! {
    /// `[timeouts]`, in seconds
    TimeoutsText {
        tcp_opening: Spanned<u32>,
        tcp_open: Spanned<u32>,
        tcp_closing: Spanned<u32>,
        udp_opening: Spanned<u32>,
        udp_open: Spanned<u32>,
        icmp: Spanned<u32>,
        other_opening: Spanned<u32>,
        other_open: Spanned<u32>,
        fragment: Spanned<u32>,
    }
}
section! {
    /// `[drops]`
    DropsText {
        path: Spanned<String>,
        rate: Spanned<u32>,
        syslog: Spanned<String>,
        journald: Spanned<String>,
        patterns_s: Spanned<u32>,
        ; "rotate"
    }
}
section! {
    /// `[drops.rotate]`
    RotateText { size_mb: Spanned<u32>, every: Spanned<String>, keep: Spanned<u32>, }
}
section! {
    /// `[control]`
    ControlText { socket: Spanned<String>, group: Spanned<String>, metrics: Spanned<String>, }
}
section! {
    /// `[history]`
    HistoryText { path: Spanned<String>, keep: Spanned<u32>, }
}
section! {
    /// `[fail]`
    FailText { mode: Spanned<String>, }
}
section! {
    /// `[sandbox]`
    SandboxText { mode: Spanned<String>, read: Spanned<Vec<Spanned<String>>>, }
}

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct FileText {
    pub(super) policy: Option<Spanned<String>>,
    pub(super) interface: InterfaceText,
    /// Where `[interface]` stands; the start of the file when it is missing.
    pub(super) interface_span: Range<usize>,
    pub(super) workers: WorkersText,
    pub(super) timeouts: TimeoutsText,
    pub(super) drops: DropsText,
    pub(super) rotate: Option<RotateText>,
    pub(super) control: ControlText,
    pub(super) history: HistoryText,
    pub(super) fail: FailText,
    pub(super) sandbox: SandboxText,
}

const KEYS: &[&str] = &[
    "policy",
    "interface",
    "workers",
    "timeouts",
    "drops",
    "control",
    "history",
    "fail",
    "sandbox",
];

impl FileText {
    /// Reads the text; whatever does not fit is reported and left out.
    pub(super) fn read(document: &mut Document) -> Self {
        let source = document.source();
        let mut file = Self::default();
        for (key, node) in entries(document, &source) {
            match key.get_ref().as_str() {
                "policy" => file.policy = value(document, node),
                "interface" => {
                    file.interface_span = node.span();
                    file.interface = or_empty(document, "interface", node);
                }
                "workers" => file.workers = or_empty(document, "workers", node),
                "timeouts" => file.timeouts = or_empty(document, "timeouts", node),
                "drops" => (file.drops, file.rotate) = drops(document, node),
                "control" => file.control = or_empty(document, "control", node),
                "history" => file.history = or_empty(document, "history", node),
                "fail" => file.fail = or_empty(document, "fail", node),
                "sandbox" => file.sandbox = or_empty(document, "sandbox", node),
                _ => unknown_key(document, &key, "gateway.toml", KEYS),
            }
        }
        file
    }
}

fn or_empty<T: Section + Default>(document: &mut Document, path: &str, node: Node<'_>) -> T {
    section(document, path, node).unwrap_or_default()
}

/// `[drops]`, and `[drops.rotate]` where it has one.
fn drops(document: &mut Document, node: Node<'_>) -> (DropsText, Option<RotateText>) {
    let span = node.span();
    let Some(mut table) = table(document, "drops", node) else { return Default::default() };
    let rotate = table.remove("rotate").map(|node| or_empty(document, "drops.rotate", node));
    let rest = Spanned::new(span, DeValue::Table(table));
    (or_empty(document, "drops", rest), rotate)
}
