//! VLAN tags stay in the frames: a NIC that takes them out is told not to.
//!
//! A stripped tag stands beside the frame, where neither an XDP program nor an AF_XDP socket sees it:
//! the frame would be judged without its VLAN, and leave without its tag. So stripping is turned off
//! before a socket is opened (some drivers reset their rings for it), and turned on again at a clean
//! stop where it was on. A killed gateway leaves it off, as it leaves its program, which may bridge.
//!
//! On a veth the features are there but do nothing: its peer writes the tag into the frame where the
//! peer's own `tx-vlan-hw-insert` is off (`drivers/net/veth.c`).

use af_xdp_rs::Interface as Link;
use machine::STRIPPING;

use crate::{Error, say};

/// An interface whose features can be asked for and set.
pub(crate) trait Device {
    /// Its name.
    fn name(&self) -> &str;
    /// Which of these are on.
    fn features(&self, of: &[&'static str]) -> Result<Vec<&'static str>, Error>;
    /// Turns them on or off as far as the driver can; which of them are on then.
    fn set(&self, names: &[&'static str], on: bool) -> Result<Vec<&'static str>, Error>;
}

impl Device for Link {
    fn name(&self) -> &str {
        &self.name
    }

    fn features(&self, of: &[&'static str]) -> Result<Vec<&'static str>, Error> {
        Ok(self.features(of)?)
    }

    fn set(&self, names: &[&'static str], on: bool) -> Result<Vec<&'static str>, Error> {
        Ok(self.set_features(names, on)?)
    }
}

/// Stripping is off: until this is dropped, or once it is held, until it is restored.
#[derive(Debug)]
pub(crate) struct Tags<D: Device> {
    device: D,
    were_on: Vec<&'static str>,
    held: bool,
}

impl<D: Device> Tags<D> {
    /// Turns stripping off.
    ///
    /// # Errors
    /// [`Error::TagStripping`] when the driver cannot.
    pub(crate) fn keep(device: D) -> Result<Self, Error> {
        let were_on = device.features(&STRIPPING)?;
        // From here on a failure puts back what was changed.
        let tags = Self { device, were_on, held: false };
        if tags.were_on.is_empty() {
            return Ok(tags);
        }
        let still_on = tags.device.set(&tags.were_on, false)?;
        if still_on.is_empty() {
            return Ok(tags);
        }
        let interface = tags.device.name().to_owned();
        Err(Error::TagStripping { interface, features: still_on })
    }

    /// A program is attached: only [`Tags::restore`] turns stripping on again.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// Takes over what an earlier gateway over the same interface has to put back.
    pub(crate) fn follow(&mut self, before: &mut Self) {
        self.were_on.append(&mut before.were_on);
    }

    /// Puts back what was changed; again, it does nothing.
    pub(crate) fn restore(&mut self) {
        let were_on = std::mem::take(&mut self.were_on);
        if were_on.is_empty() {
            return;
        }
        if let Err(error) = self.device.set(&were_on, true) {
            say(&error);
        }
    }
}

impl<D: Device> Drop for Tags<D> {
    fn drop(&mut self) {
        if !self.held {
            self.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A NIC with features that are on, some of which it cannot change.
    #[derive(Clone, Debug)]
    struct Nic {
        on: Rc<RefCell<Vec<&'static str>>>,
        fixed: &'static [&'static str],
    }

    impl Nic {
        fn new(on: &[&'static str], fixed: &'static [&'static str]) -> Self {
            Self { on: Rc::new(RefCell::new(on.to_vec())), fixed }
        }
    }

    impl Device for Nic {
        fn name(&self) -> &str {
            "eth7"
        }

        fn features(&self, of: &[&'static str]) -> Result<Vec<&'static str>, Error> {
            let on = self.on.borrow();
            Ok(of.iter().filter(|name| on.contains(name)).copied().collect())
        }

        fn set(&self, names: &[&'static str], on: bool) -> Result<Vec<&'static str>, Error> {
            let free = names.iter().filter(|name| !self.fixed.contains(name));
            let mut now = self.on.borrow_mut();
            now.retain(|have| !free.clone().any(|name| name == have));
            if on {
                now.extend(free);
            }
            drop(now);
            self.features(names)
        }
    }

    #[test]
    fn what_was_on_is_off_meanwhile_and_on_again_after() {
        for on in [&STRIPPING[..], &STRIPPING[..1], &STRIPPING[1..], &[], &["rx-checksum"]] {
            let nic = Nic::new(on, &[]);
            let mut tags = Tags::keep(nic.clone()).unwrap();
            let off =
                || assert_eq!(nic.features(&STRIPPING).unwrap(), Vec::<&str>::new(), "{on:?}");
            off();
            tags.hold();
            let mut next = Tags::keep(nic.clone()).unwrap();
            next.follow(&mut tags);
            drop(tags);
            off();
            next.restore();
            let mut after = nic.on.borrow().clone();
            after.sort_unstable();
            assert_eq!(after, on, "no more and no less");
        }
    }

    #[test]
    fn a_start_that_fails_puts_it_back_and_a_death_does_not() {
        let nic = Nic::new(&STRIPPING, &[]);
        drop(Tags::keep(nic.clone()).unwrap());
        assert_eq!(nic.features(&STRIPPING).unwrap(), STRIPPING);
        let mut tags = Tags::keep(nic.clone()).unwrap();
        tags.hold();
        drop(tags);
        assert_eq!(nic.features(&STRIPPING).unwrap(), Vec::<&str>::new());
    }

    #[test]
    fn a_nic_that_cannot_stop_is_refused_and_left_as_it_was() {
        for fixed in [&STRIPPING[..1], &STRIPPING[1..], &STRIPPING[..]] {
            let nic = Nic::new(&STRIPPING, fixed);
            let said = Tags::keep(nic.clone()).unwrap_err().to_string();
            assert!(said.contains("eth7") && said.contains(fixed[0]), "{said}");
            assert!(said.contains("ethtool"), "no way out: {said}");
            assert_eq!(nic.features(&STRIPPING).unwrap(), STRIPPING);
        }
        let harmless = Nic::new(&["rx-checksum"], &["rx-checksum"]);
        assert!(Tags::keep(harmless).is_ok());
    }
}
