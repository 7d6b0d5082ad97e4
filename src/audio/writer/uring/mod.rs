//! io_uring behind two calls. `enabled` and `disabled` (feature `io-uring`) have the same items.

#[cfg(not(feature = "io-uring"))]
mod disabled;
#[cfg(feature = "io-uring")]
mod enabled;

#[cfg(not(feature = "io-uring"))]
pub(super) use disabled::{Ring, RingFile};
#[cfg(feature = "io-uring")]
pub(super) use enabled::{Ring, RingFile};
