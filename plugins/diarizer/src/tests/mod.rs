//! The diarizer as its callers see it.
