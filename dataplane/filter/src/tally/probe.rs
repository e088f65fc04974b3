//! How many different networks knock at one door: a domain's or a service's.
//!
//! A network is an IPv4 /24 or an IPv6 /48. The estimate covers the window of [`WINDOW_S`] seconds that
//! runs and the one before. A window ends by itself when the first drop of the next one comes, so that
//! nothing has to be swept.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use super::spread::{Registers, Spread};

pub(super) const WINDOW_S: u32 = 600;

/// See the module. One thread writes.
#[derive(Debug, Default)]
pub(super) struct Probe {
    window: AtomicU64,
    now: Registers<16>,
    before: Registers<16>,
}

impl Probe {
    #[inline]
    pub(super) fn see(&self, hash: u64, now_s: u32) {
        let window = u64::from(now_s / WINDOW_S);
        if self.window.load(Acquire) != window {
            self.turn(window);
        }
        self.now.see(hash);
    }

    #[cold]
    fn turn(&self, window: u64) {
        let next = self.window.load(Acquire) + 1 == window;
        let before = if next { self.now.read() } else { Spread::default() };
        self.before.write(&before);
        self.now.write(&Spread::default());
        self.window.store(window, Release);
    }

    pub(super) fn clear(&self) {
        self.turn(0);
    }

    /// What was seen lately. A reader that meets the end of a window may miss what it held.
    pub(super) fn read(&self, now_s: u32) -> Spread<16> {
        let (window, wanted) = (self.window.load(Acquire), u64::from(now_s / WINDOW_S));
        let mut seen = Spread::default();
        if window + 1 >= wanted {
            seen.join(&self.now.read());
        }
        if window >= wanted {
            seen.join(&self.before.read());
        }
        seen
    }
}
