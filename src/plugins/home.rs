//! Where one plugin lives: a thread with a tokio runtime of its own. Owns the thread, and giving up one that
//! does not come back; leaves what runs there to `instance`.

use std::{
    fs, io,
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::CancellationToken;

use super::memory::Owner;

/// Threads for blocking work of one plugin.
const BLOCKING_THREADS: usize = 4;

/// The running thread. When it is dropped, the thread ends after what it is at.
#[derive(Debug)]
pub(super) struct Home {
    name: &'static str,
    handle: Handle,
    closing: CancellationToken,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    /// Kernel's id of the thread.
    tid: i32,
}

impl Home {
    /// Starts the thread; memory taken on it counts for `owner`.
    pub(super) fn open(name: &'static str, owner: Owner) -> io::Result<Self> {
        let closing = CancellationToken::new();
        let until = closing.clone();
        let (tell, told) = mpsc::sync_channel(1);
        let (ended, end) = oneshot::channel();
        let run = move || {
            owner.enter();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .thread_name(format!("{name}-work"))
                .on_thread_start(move || owner.enter())
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                // Whoever opens this home still waits for the answer.
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok((runtime.handle().clone(), rustix::thread::gettid().as_raw_nonzero().get()))));
            runtime.block_on(until.cancelled_owned());
            // Blocking work may never end; it must not keep this thread.
            runtime.shutdown_background();
            // Nobody may be waiting.
            ended.send(()).ok();
        };
        let _detached: JoinHandle<()> = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let (handle, tid) = told.recv().map_err(|_| io::Error::other("the plugin's thread ended"))??;
        Ok(Self { name, handle, closing, ended: Mutex::new(Some(end)), tid })
    }

    /// The plugin's runtime.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Processor time the thread has taken; that of its blocking work is not in it.
    pub(super) fn cpu_time(&self) -> Duration {
        // "time on the processor, ns; time waiting; slices", Documentation/scheduler/sched-stats.rst
        let stat = fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.tid));
        let ns = stat.ok().and_then(|it| it.split(' ').next()?.parse().ok());
        Duration::from_nanos(ns.unwrap_or(0))
    }

    /// Whether it takes up work within `patience`.
    pub(super) async fn answers(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.handle.spawn(async {})).await.is_ok_and(|it| it.is_ok())
    }

    /// Ends the thread. `false` when it does not end within `patience`: then it is left to itself, and
    /// what it holds is lost until the process ends.
    pub(super) async fn close(&self, patience: Duration) -> bool {
        self.closing.cancel();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended else { return true };
        let done = tokio::time::timeout(patience, ended).await.is_ok();
        if !done {
            tracing::error!(plugin = self.name, "The plugin's thread does not end and is abandoned.");
        }
        done
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
