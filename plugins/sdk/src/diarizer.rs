//! Who speaks when on one microphone. Owns the boundary between the box and whatever tells voices apart;
//! leaves names, and putting words to speakers, to the box.

/// Tells voices apart. One is made for each microphone of a meeting and hears its speech in order.
///
/// An implementation is a crate of its own, compiled in by a cargo feature; the box knows no other way to
/// it than this trait.
pub trait Diarizer: Send {
    /// Hears the next stretch of speech: 16 kHz mono, full scale ±1, beginning at `start_ms` from the start
    /// of the meeting. Answers who speaks when in it, as far as can be told by now: in order of time,
    /// covering all of it, neighbours by different speakers; nothing at all where no voice can be made out.
    /// A number once given stays with its speaker, and the next new one gets the next number.
    fn hear(&mut self, start_ms: u64, samples: &[f32]) -> Vec<Turn>;

    /// Hears the next stretch as [`Self::hear`] does, for who asks only at the end: nothing is worked out now.
    fn take(&mut self, start_ms: u64, samples: &[f32]);

    /// Looks at all that was heard once more: the turns of every stretch, better than those given before.
    /// Speakers are numbered anew, in the order in which they first speak.
    fn settle(&mut self) -> Vec<Turn>;

    /// The implementation's name.
    fn name(&self) -> &'static str;
}

/// A time in which one person speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its start, ms from the start of the meeting.
    pub start_ms: u64,
    /// Its end, ms from the start of the meeting.
    pub end_ms: u64,
    /// Who: 0 is the first one heard.
    pub speaker: usize,
}
