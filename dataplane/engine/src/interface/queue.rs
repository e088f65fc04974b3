//! One queue of both interfaces: its wires, and whether its frames go to a worker.
//!
//! A queue shares nothing with the others but the program, which looks its socket up by number: it
//! gets a worker, or loses it, while the others go on.

use af_xdp_rs::{Socket, SocketConfig, Umem, UmemConfig};

use super::{Interface, Mode, lock, umem_for};
use crate::{Config, Error, say, worker::Wires};

/// A UMEM and the two sockets of `queue` on it, of interfaces that are served already.
///
/// # Errors
/// What the kernel refuses, with the way out.
pub(crate) fn wires(interfaces: &[Interface], config: &Config, queue: u32) -> Result<Wires, Error> {
    let [outside, inside] = interfaces else {
        return Err(Error::Away);
    };
    let umem = umem_for(config.frames, [&outside.link, &inside.link])?;
    sockets([outside, inside], &umem, config.mode, queue)
}

/// The same of interfaces that are about to be served.
pub(super) fn sockets(
    [outside, inside]: [&Interface; 2],
    shape: &UmemConfig,
    mode: Mode,
    queue: u32,
) -> Result<Wires, Error> {
    let (umem, mut free) = Umem::new(shape)?;
    let config = SocketConfig { mode, ..SocketConfig::for_frames(shape.frames) };
    let queues = [(&outside.link, queue), (&inside.link, queue)];
    // In the kernel's order: of two gateways that start over the same pair, one gets both.
    let mut sockets = if outside.link.index < inside.link.index {
        Socket::pair(&umem, queues, &config)?
    } else {
        let [outside, inside] = queues;
        let [inside, outside] = Socket::pair(&umem, [inside, outside], &config)?;
        [outside, inside]
    };
    // Before frames are sent to it: the first one may come before the worker's first turn.
    for socket in &mut sockets {
        socket.refill(&mut free);
    }
    let lanes = [outside, inside].map(|interface| lock(&interface.program).lane(queue));
    let [outside, inside] = [(outside, inside), (inside, outside)]
        .map(|(from, to)| lock(&from.program).bulk(queue, &to.link));
    Ok(Wires { umem, free, sockets, lanes, bulks: [outside?, inside?] })
}

/// Sends the frames of a queue to its sockets from now on.
///
/// # Errors
/// When the kernel refuses; then no frame of it goes to either.
pub(crate) fn serve(interfaces: &[Interface], queue: u32, wires: &Wires) -> Result<(), Error> {
    for (interface, socket) in interfaces.iter().zip(&wires.sockets) {
        let served = lock(&interface.program).serve(queue, socket);
        if let Err(error) = served {
            unserve(interfaces, queue);
            return Err(error.into());
        }
    }
    Ok(())
}

/// Leaves the frames of a queue to the fail mode.
pub(crate) fn unserve(interfaces: &[Interface], queue: u32) {
    for interface in interfaces {
        // Whatever happens here: the kernel forgets a socket when it is closed.
        if let Err(error) = lock(&interface.program).unserve(queue) {
            say(&error);
        }
    }
}
