//! Frames as tokens: whoever holds a [`Frame`] owns one chunk of the UMEM, and nobody else does.
//!
//! A token moves: from the free list to the fill ring, out of RX as a [`Packet`], into TX, out of
//! the completion ring, back to the free list. It cannot be copied, so a chunk cannot be in two
//! places; it must not be dropped either, for a dropped token is a chunk lost until the UMEM ends.
//! A token is eight bytes and moving one costs no more than moving an integer.
//!
//! The idea of a move-only frame is that of agave's `xdp/src/umem.rs`.

/// Exclusive ownership of one chunk of a UMEM.
#[must_use = "a frame that is dropped is lost until its UMEM ends"]
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which chunk; below the UMEM's number of frames.
    pub(crate) index: u32,
    /// Which UMEM, so that a frame of one is never used with another.
    pub(crate) umem: u32,
}

impl Frame {
    /// The chunk's number in its UMEM, counted from 0.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }
}

/// A frame with `len` bytes of content that start `offset` bytes into its chunk.
///
/// Both lie within the chunk: whoever makes a `Packet` has checked it.
#[must_use = "a packet that is dropped is a frame lost until its UMEM ends"]
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    pub(crate) frame: Frame,
    pub(crate) offset: u16,
    pub(crate) len: u16,
}

impl Packet {
    /// Number of bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an empty packet is never received")]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Where the content starts in its chunk.
    #[must_use]
    pub fn offset(&self) -> usize {
        usize::from(self.offset)
    }

    /// The frame under the packet.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Gives up the content and keeps the frame.
    pub fn into_frame(self) -> Frame {
        self.frame
    }
}

/// The frames that no ring holds: a stack, so that the chunk used last is used next, still cached.
#[derive(Debug)]
pub struct FreeList {
    frames: Vec<Frame>,
    umem: u32,
}

impl FreeList {
    /// A list of the frames `0..frames` of a new UMEM.
    pub(crate) fn full(frames: u32, umem: u32) -> Self {
        let frames = (0..frames).rev().map(|index| Frame { index, umem }).collect();
        Self { frames, umem }
    }

    /// Takes a frame home. Never allocates: there is room for all frames of the UMEM.
    ///
    /// # Panics
    /// When the frame is of another UMEM, which is a mistake in the program, not in the traffic.
    pub fn push(&mut self, frame: Frame) {
        assert_eq!(frame.umem, self.umem, "a frame of another UMEM");
        self.frames.push(frame);
    }

    /// Takes a frame out.
    pub fn pop(&mut self) -> Option<Frame> {
        self.frames.pop()
    }

    /// How many frames are free.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether none is free.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}
