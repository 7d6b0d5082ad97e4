//! Which processor cores a thread keeps to. Owns asking the system for it.

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::{config, error_chain::chain};

/// Keeps the calling thread, and every thread it starts from now on, to the cores in a list such as `2-3`.
/// A refusal is no reason not to work.
pub(super) fn keep_to(list: &str) {
    let mut set = CpuSet::new();
    config::cores(list).unwrap_or_default().into_iter().for_each(|it| set.set(it));
    match sched_setaffinity(None, &set) {
        Ok(()) => tracing::info!(cores = list, "Whisper keeps to these cores."),
        Err(error) => {
            let reason = chain(&io::Error::from(error));
            tracing::warn!(
                cores = list,
                reason,
                "Whisper cannot be kept to transcription.cores; it uses those the system gives it."
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_and_those_it_starts_keep_to_their_cores() {
        let cores = || std::thread::available_parallelism().unwrap().get();
        let all = cores();
        let first = rustix::thread::sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|it| first.is_set(*it)).unwrap();
        let seen = std::thread::spawn(move || {
            keep_to(&first.to_string());
            let kept = (cores(), std::thread::spawn(cores).join().unwrap());
            // There is no such core: what held before goes on.
            keep_to("1023");
            (kept, cores())
        });
        assert_eq!(seen.join().unwrap(), ((1, 1), 1));
        assert_eq!(cores(), all);
    }
}
