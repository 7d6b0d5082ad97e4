//! Secrets by name. Owns where they are looked for: systemd's credentials first, then a file that only the
//! service may read; they are never written, shown or logged.
