//! A bare forwarder: every frame that arrives on one interface leaves by the other, unread.
//!
//! It is the smallest whole use of the crate, and the yardstick for what a filter adds.
//!
//! `forward A B [--queue N] [--mode auto|zerocopy|copy|skb] [--frames N] [--seconds N]`

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use af_xdp_rs::{
    AttachMode, Error, FailMode, FreeList, Interface, Mode, Packet, Program, Socket, SocketConfig,
    Umem, UmemConfig,
};
use arrayvec::ArrayVec;

const USAGE: &str = "usage: forward A B [--queue N] [--mode auto|zerocopy|copy|skb] [--frames N] \
                     [--seconds N]";

struct Options {
    names: [String; 2],
    queue: u32,
    mode: Mode,
    frames: u32,
    seconds: u64,
}

fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forward: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let names = [words.next()?, words.next()?];
    let mut options = Options { names, queue: 0, mode: Mode::Auto, frames: 16384, seconds: 0 };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--queue" => options.queue = value.parse().ok()?,
            "--frames" => options.frames = value.parse().ok()?,
            "--seconds" => options.seconds = value.parse().ok()?,
            "--mode" => {
                options.mode = match value.as_str() {
                    "auto" => Mode::Auto,
                    "zerocopy" => Mode::ZeroCopy,
                    "copy" => Mode::Copy,
                    "skb" => Mode::Skb,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    Some(options)
}

fn run(options: &Options) -> Result<(), Error> {
    let [a, b] = &options.names;
    let interfaces = [Interface::find(a)?, Interface::find(b)?];
    let (umem, mut free) =
        Umem::new(&UmemConfig { frames: options.frames, ..UmemConfig::default() })?;
    let config = SocketConfig { mode: options.mode, ..SocketConfig::for_frames(options.frames) };
    let [first, second] = &interfaces;
    let queues = [(first, options.queue), (second, options.queue)];
    let mut sockets = Socket::pair(&umem, queues, &config)?;

    let attach = if options.mode == Mode::Skb { AttachMode::Generic } else { AttachMode::Auto };
    let mut programs = Vec::new();
    for (interface, socket) in interfaces.iter().zip(&sockets) {
        interface.set_promiscuous(true)?;
        let mut program = Program::load(FailMode::Closed, interface.rx_queues, None)?;
        program.serve(options.queue, socket)?;
        let attached = program.attach(interface, attach)?;
        let (name, mode) = (&interface.name, socket.granted().name());
        println!("{name} queue {}: {mode}, program {attached:?}", options.queue);
        programs.push(program);
    }
    println!("huge pages: {}", umem.huge_pages());

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the signal the forwarder ends without a clean stop, and the next one cleans up.
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
    let end = Duration::from_secs(options.seconds);
    let start = Instant::now();
    let mut moved = Moved::default();
    while !stop.load(Ordering::Relaxed) && (end.is_zero() || start.elapsed() < end) {
        // The clock and the flag are read once in so many turns.
        for _ in 0..256 {
            let [a, b] = &mut sockets;
            turn(a, b, &mut free, &mut moved);
            turn(b, a, &mut free, &mut moved);
        }
    }

    for (interface, mut program) in interfaces.iter().zip(programs) {
        program.detach()?;
        interface.set_promiscuous(interface.promiscuous)?;
    }
    for socket in &sockets {
        println!("{:?} {:?}", socket.counts(), socket.statistics());
    }
    for socket in sockets {
        socket.close(&mut free);
    }
    println!("received {} forwarded {} refused {}", moved.received, moved.forwarded, moved.refused);
    println!("frames home: {} of {}", free.len(), options.frames);
    Ok(())
}

#[derive(Default)]
struct Moved {
    received: u64,
    forwarded: u64,
    refused: u64,
}

/// What a worker does a turn for one direction.
fn turn(from: &mut Socket, to: &mut Socket, free: &mut FreeList, moved: &mut Moved) {
    let mut burst = ArrayVec::<Packet, 64>::new();
    to.reclaim(free);
    moved.received += from.receive(&mut burst) as u64;
    for packet in burst {
        match to.send(packet) {
            Ok(()) => moved.forwarded += 1,
            Err(packet) => {
                moved.refused += 1;
                free.push(packet.into_frame());
            }
        }
    }
    to.commit();
    from.refill(free);
}
