//! Runs the models. With `MODELS_PREEMPTIONS` the number of times that one thread may interrupt
//! another in a run (2 without it; `scripts/models` takes more): most mistakes need one or two.

use models::{publication, rings, table};

/// Every run of a model, within the bound.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("MODELS_PREEMPTIONS").ok().and_then(|text| text.parse().ok());
    builder.preemption_bound = Some(bound.unwrap_or(2));
    builder.max_branches = 100_000;
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{} runs", runs.load(std::sync::atomic::Ordering::Relaxed));
}

#[test]
fn stamps_find_only_what_was_put() {
    explore(table::only_what_was_put);
}

#[test]
fn stamps_change_never_lands_elsewhere() {
    explore(table::a_change_never_lands_elsewhere);
}

#[test]
fn stamps_lose_no_change() {
    explore(table::no_change_is_lost);
}

#[test]
fn stamps_give_one_of_two_the_place() {
    explore(table::one_of_two_has_the_place);
}

#[test]
fn pinholes_lose_no_close() {
    explore(table::a_close_is_not_lost);
}

#[test]
fn pinholes_see_both_directions() {
    explore(table::both_directions_count);
}

#[test]
fn pinholes_close_twins_together() {
    explore(table::twins_close_together);
}

#[test]
fn rings_keep_the_order() {
    explore(|| rings::in_order(3, 0));
}

#[test]
fn rings_wrap() {
    explore(|| rings::in_order(3, u32::MAX - 1));
}

#[test]
fn rings_lose_no_frame() {
    explore(|| rings::there_and_back(3));
}

#[test]
fn rings_leave_no_packet_asleep() {
    explore(rings::no_packet_sleeps);
}

#[test]
fn publication_goes_forward_and_frees_at_home() {
    explore(|| publication::reloads(1, 2));
}

#[test]
fn publication_to_two_workers() {
    explore(|| publication::reloads(2, 1));
}

#[test]
fn publication_is_seen_when_told() {
    explore(publication::seen_when_told);
}
