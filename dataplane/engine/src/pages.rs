//! Huge pages for the flow tables.

use std::mem::MaybeUninit;

/// Asks the kernel for them; without, tables lie on ordinary pages.
pub(crate) struct Huge;

impl filter::Pages for Huge {
    fn large<T>(&self, room: &mut [MaybeUninit<T>]) {
        af_xdp_rs::huge(room);
    }
}
