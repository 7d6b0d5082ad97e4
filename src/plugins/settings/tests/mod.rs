//! Settings files, good and bad.
