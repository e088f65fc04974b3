//! Time that this thread ran: what others do on the machine disturbs caches, not the clock.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds on a core since `work` began, in this thread; and what it answered.
pub(crate) fn spent_ns<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = on_core();
    let answer = work();
    let spent = on_core().saturating_sub(before);
    (spent.as_nanos() as f64, answer)
}

fn on_core() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_costs_nothing_and_work_does() {
        let (asleep_ns, ()) = spent_ns(|| std::thread::sleep(Duration::from_millis(50)));
        let (awake_ns, sum) =
            spent_ns(|| (0..10_000_000_u64).fold(0, |a, b| std::hint::black_box(a ^ b)));
        assert!(asleep_ns < 20e6, "{asleep_ns}");
        assert!(awake_ns > 1e6, "{awake_ns} {sum}");
    }
}
