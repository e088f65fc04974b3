//! The screen drawn from recorded answers: what must be on it at which size.

use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::picture::{cells, plain, svg};
use super::rates::Rates;
use super::sample::Sample;
use super::state::{State, View};

/// A gateway that says everything, two seconds apart.
const FULL: [&str; 2] = [
    include_str!("../../tests/data/status-1.json"),
    include_str!("../../tests/data/status-2.json"),
];
/// One of an older version, which lacks what came later.
const OLD: &str = include_str!("../../tests/data/status-old.json");

fn sample(text: &str) -> Sample {
    serde_json::from_str(text).unwrap()
}

/// The state after answers two seconds apart.
fn state(answers: &[&str]) -> State {
    let mut state = State::new(View::Overview, Duration::from_secs(2));
    let begin = Instant::now();
    for (turn, answer) in (0..).zip(answers) {
        state.take(Ok(sample(answer)), begin + Duration::from_secs(2 * turn));
    }
    state
}

fn rows(cells: &Buffer) -> Vec<String> {
    let row = |y| (0..cells.area.width).map(|x| cells[(x, y)].symbol()).collect::<String>();
    (0..cells.area.height).map(row).collect()
}

fn screen(state: &State, width: u16, height: u16) -> String {
    rows(&cells(state, width, height)).join("\n")
}

fn press(state: &mut State, code: KeyCode) {
    state.key(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn rates_are_the_difference_over_the_time() {
    let state = state(&FULL);
    let rates = state.rates.as_ref().unwrap();
    let (one, two) = (sample(FULL[0]), sample(FULL[1]));
    assert_eq!(rates.interval_s, Some(2.0));
    assert_eq!(rates.received.per_s, Some((two.received - one.received) as f64 / 2.0));
    for domain in &rates.domains {
        let of = |sample: &Sample| sample.domains[&domain.domain].dropped;
        assert_eq!(domain.dropped.per_s, Some((of(&two) - of(&one)) as f64 / 2.0));
    }
    let countries = rates.countries.as_ref().unwrap();
    let all: u64 = countries.iter().map(|row| row.dropped.total).sum();
    let domains: u64 = rates.domains.iter().map(|row| row.dropped.total).sum();
    assert_eq!(all, domains, "the recorded gateway counts each drop of a domain in one country");
}

#[test]
fn the_time_of_a_worker_is_told_in_shares_of_what_went_by() {
    let mut state = state(&FULL);
    let worker = &state.rates.as_ref().unwrap().workers[0];
    let time = worker.time.unwrap();
    let all = time.idle + time.receive + time.classify + time.transmit + time.housekeeping;
    assert!((all - 1.0).abs() < 1e-9 && (time.idle - 0.55).abs() < 1e-9, "{time:?}");
    let packets = worker.received.per_s.unwrap() * 2.0;
    assert!((time.packet_ns.unwrap() - 890e6 / packets).abs() < 1e-6, "{time:?}");
    state.view = View::Workers;
    assert!(screen(&state, 80, 24).contains("55.0 %"));
}

#[test]
fn a_restart_has_no_rates_and_no_negative_ones() {
    let state = state(&[FULL[1], FULL[0]]);
    let rates = state.rates.as_ref().unwrap();
    assert_eq!((rates.interval_s, rates.received.per_s), (None, None));
    assert!(state.history.is_empty());
    assert!(screen(&state, 80, 24).contains("received –"));
}

#[test]
fn every_page_fits_every_size() {
    for answers in [&FULL[..], &[FULL[0]], &[OLD, OLD], &[]] {
        let mut state = state(answers);
        for view in View::ALL {
            state.view = view;
            for (width, height) in
                [(80, 24), (200, 60), (110, 36), (40, 12), (20, 8), (1, 1), (300, 5)]
            {
                let shown = cells(&state, width, height);
                assert_eq!(rows(&shown).len(), usize::from(height));
            }
        }
    }
}

#[test]
fn eighty_columns_show_what_matters() {
    let state = state(&FULL);
    let shown = screen(&state, 80, 24);
    for words in ["revision", "received", "forwarded", "domains", "reasons", "countries", "sources"]
    {
        assert!(shown.contains(words), "no {words} in:\n{shown}");
    }
    let rates = state.rates.as_ref().unwrap();
    let busiest =
        rates.sources.as_ref().unwrap().iter().max_by_key(|row| row.dropped.total).unwrap();
    assert!(shown.contains(&busiest.source), "no {} in:\n{shown}", busiest.source);
    assert!(shown.contains("q quit"), "{shown}");
}

#[test]
fn a_wide_screen_shows_operators_and_workers_too() {
    let shown = screen(&state(&FULL), 160, 48);
    for words in ["operators", "workers", "p99", "AS"] {
        assert!(shown.contains(words), "no {words} in:\n{shown}");
    }
}

#[test]
fn what_a_gateway_does_not_say_is_absent_and_not_zero() {
    let mut state = state(&[OLD, OLD]);
    for view in [View::Countries, View::Operators, View::Sources] {
        state.view = view;
        let shown = screen(&state, 80, 24);
        assert!(shown.contains("this gateway does not say"), "{view:?}:\n{shown}");
    }
    state.view = View::Workers;
    assert!(screen(&state, 80, 24).contains('–'), "the time of a burst is absent");
    let json = serde_json::to_value(state.rates.as_ref().unwrap()).unwrap();
    assert!(json["sources"].is_null() && json["countries"].is_null(), "{json}");
}

#[test]
fn what_needs_attention_is_on_every_page() {
    let mut answer: serde_json::Value = serde_json::from_str(FULL[1]).unwrap();
    answer["policy"]["pending"] =
        serde_json::json!({"revision": 18, "back_to": 17, "remaining_s": 42});
    answer["policy"]["differs"] = true.into();
    answer["warnings"] = serde_json::json!(["one", "two", "three"]);
    let mut state = state(&[FULL[0], &answer.to_string()]);
    for view in View::ALL {
        state.view = view;
        let shown = screen(&state, 80, 24);
        assert!(shown.contains("revision 18 goes back to 17 in 42 s"), "{view:?}:\n{shown}");
    }
    state.view = View::Overview;
    assert!(screen(&state, 80, 24).contains("2 more"));
    state.view = View::Policy;
    assert!(screen(&state, 80, 24).contains("three"));
}

#[test]
fn a_gateway_goes_away_and_comes_back() {
    let mut state = state(&FULL);
    let received = state.rates.as_ref().unwrap().received.total;
    state.take(Err("connection refused".to_owned()), Instant::now());
    let shown = screen(&state, 80, 24);
    assert!(shown.contains("no gateway answers") && shown.contains("last answer"), "{shown}");
    assert_eq!(state.rates.as_ref().unwrap().received.total, received);
    state.take(Ok(sample(FULL[0])), Instant::now());
    assert!(!screen(&state, 80, 24).contains("no gateway answers"));
}

#[test]
fn keys_change_the_page_the_order_and_the_pace() {
    let mut state = state(&FULL);
    for (place, view) in View::ALL.into_iter().enumerate() {
        press(&mut state, KeyCode::Char((b'1' + place as u8) as char));
        assert_eq!(state.view, view);
    }
    press(&mut state, KeyCode::Tab);
    assert_eq!(state.view, View::Overview);
    press(&mut state, KeyCode::BackTab);
    assert_eq!(state.view, View::Policy);

    let paces = |state: &mut State, key| {
        let mut seen = vec![state.every.as_millis()];
        for _ in 0..9 {
            press(state, KeyCode::Char(key));
            seen.push(state.every.as_millis());
        }
        seen
    };
    assert_eq!(paces(&mut state, '+')[..5], [2000, 1000, 500, 200, 200]);
    assert_eq!(paces(&mut state, '-').last(), Some(&60_000));

    press(&mut state, KeyCode::Up);
    press(&mut state, KeyCode::Home);
    press(&mut state, KeyCode::PageDown);
    assert_eq!(state.scroll, 10);
    press(&mut state, KeyCode::Char('q'));
    assert!(state.quit);
}

#[test]
fn a_paused_screen_stands_still_and_goes_on_without_a_jump() {
    let mut state = state(&FULL[..1]);
    let begin = Instant::now();
    press(&mut state, KeyCode::Char(' '));
    state.take(Ok(sample(FULL[1])), begin + Duration::from_secs(2));
    let one = sample(FULL[0]).received;
    assert_eq!(state.rates.as_ref().unwrap().received.total, one);
    assert!(screen(&state, 80, 24).contains("paused"));
    press(&mut state, KeyCode::Char('p'));
    state.take(Ok(sample(FULL[1])), begin + Duration::from_secs(4));
    assert_eq!(state.rates.as_ref().unwrap().received.per_s, Some(0.0));
}

#[test]
fn the_order_is_that_of_the_key() {
    let mut state = state(&FULL);
    state.view = View::Countries;
    let firsts = |state: &State| {
        let shown = cells(state, 100, 40);
        rows(&shown).iter().skip(5).filter_map(|row| row.get(..2).map(str::to_owned)).collect()
    };
    let by_dropped: Vec<String> = firsts(&state);
    press(&mut state, KeyCode::Char('s'));
    let by_allowed: Vec<String> = firsts(&state);
    press(&mut state, KeyCode::Char('s'));
    let by_name: Vec<String> = firsts(&state);
    assert!(by_dropped != by_allowed, "{by_dropped:?}");
    let names: Vec<_> =
        by_name.iter().filter(|name| name.chars().all(char::is_uppercase)).collect();
    assert!(names.len() > 3 && names.is_sorted(), "{names:?}");
}

#[test]
fn plain_text_has_every_table_and_no_escapes() {
    let state = state(&FULL);
    let text = plain(state.rates.as_ref().unwrap());
    for title in ["domains", "reasons", "countries", "operators", "sources", "workers", "frames"] {
        assert!(text.lines().any(|line| line.contains(title)), "no {title} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_picture_is_well_formed() {
    let mut odd: serde_json::Value = serde_json::from_str(FULL[1]).unwrap();
    odd["warnings"] = serde_json::json!(["a <b> & \"c\""]);
    let text = svg(&cells(&state(&[FULL[0], &odd.to_string()]), 110, 36));
    assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    for word in ["&lt;b&gt;", ">&amp;<"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    assert_eq!(text.matches("<text ").count(), text.matches("</text>").count());
}

/// Every number of an answer gets a value of its own.
fn number_all(value: &mut serde_json::Value, path: &str, seen: &mut Vec<(String, u64)>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields
                .iter_mut()
                .for_each(|(name, value)| number_all(value, &format!("{path}/{name}"), seen));
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| number_all(item, path, seen));
        }
        serde_json::Value::Number(_) => {
            let own = 1000 + seen.len() as u64;
            *value = own.into();
            seen.push((path.to_owned(), own));
        }
        _ => {}
    }
}

/// What the gateway says, the screen says too: all numbers but those of parts that are summed up.
#[test]
fn every_number_of_the_status_is_printed() {
    let mut answer: serde_json::Value = serde_json::from_str(FULL[1]).unwrap();
    let mut numbers = Vec::new();
    number_all(&mut answer, "", &mut numbers);
    let sample: Sample = serde_json::from_value(answer).unwrap();
    let (dropped, kernel) = (sample.dropped.values().sum::<u64>(), numbers.len());
    assert!(kernel > 100, "{kernel}");
    let rates = Rates::between(None, &sample);
    let shown = serde_json::to_string(&rates).unwrap();
    let left_out = [
        "/queues",
        "/workers/revision",
        "/workers/passed",
        "/workers/shadow",
        "/workers/records",
        // Of other seconds than those between two answers.
        "/time/share",
        "/time/packet_ns",
        "/time/asleep_share",
    ];
    for (path, value) in numbers {
        let summed = path.starts_with("/workers/dropped");
        if !summed && !left_out.iter().any(|part| path.contains(part)) {
            assert!(shown.contains(&value.to_string()), "{path} is not in:\n{shown}");
        }
    }
    assert_eq!(rates.dropped.total, dropped);
}

#[test]
fn rates_are_printed_as_one_object() {
    let rates = Rates::between(Some((&sample(FULL[0]), 2.0)), &sample(FULL[1]));
    let json = serde_json::to_value(&rates).unwrap();
    for field in ["received", "domains", "countries", "asns", "sources", "workers", "pending"] {
        assert!(json.get(field).is_some(), "no {field} in {json}");
    }
    assert!(json["received"]["per_s"].as_f64().unwrap() > 0.0);
}
