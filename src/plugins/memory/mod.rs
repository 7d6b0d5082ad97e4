//! Memory by plugin. Owns the counting; with the feature `memory-accounting` every allocation remembers on
//! whose thread it was made, without it nothing is counted.
//!
//! Memory that C libraries take by themselves is not seen.

#[cfg(feature = "memory-accounting")]
mod allocator;

/// For whom memory is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(u8);

impl Owner {
    /// The owner for the plugin at `index` of the list. Those beyond 255 are not counted.
    pub(super) fn of(index: usize) -> Self {
        Self(u8::try_from(index + 1).unwrap_or(0))
    }

    /// From here on, memory taken on this thread is this owner's.
    pub(super) fn enter(self) {
        #[cfg(feature = "memory-accounting")]
        allocator::enter(self.0);
    }

    /// Bytes that it holds now; `None` when nothing is counted.
    pub(super) fn bytes(self) -> Option<u64> {
        #[cfg(feature = "memory-accounting")]
        return (self.0 > 0).then(|| allocator::bytes(self.0));
        #[cfg(not(feature = "memory-accounting"))]
        None
    }
}
