//! The lock-free way from the capture thread to one reader. Owns blocks of frames in a bounded ring and
//! waking the reader; leaves what happens on loss to whoever reads.

use super::StreamFormat;

/// A run of interleaved frames in the stream's format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Place of the first frame, counted from the start of the stream. A jump says that frames were lost.
    pub first_frame: u64,
    /// Whole frames.
    pub bytes: Vec<u8>,
}

/// Reading end of a ring: one uninterrupted run of capture in one format.
#[derive(Debug)]
pub struct Stream {
    /// The form of every frame in it.
    pub format: StreamFormat,
}

impl Stream {
    /// Takes the next block into `block` (its buffer is reused); `false` when nothing is there now.
    pub fn pop(&mut self, block: &mut Block) -> bool {
        let _ = block;
        unimplemented!()
    }

    /// Whether capture has closed the stream and everything was taken.
    pub fn finished(&self) -> bool {
        unimplemented!()
    }
}
