//! Writing through tokio-uring. Each operation runs to its end before the next begins: the recorder
//! gathers its writes, so a queue of them would gain nothing.

use std::{fs::File, io, rc::Rc};

use tokio_uring::{Runtime, buf::BoundedBuf as _};

/// Operations in flight are one; the least the kernel makes is enough.
const ENTRIES: u32 = 4;

/// A ring of the calling thread.
pub(crate) struct Ring {
    runtime: Rc<Runtime>,
}

impl Ring {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Runtime::new(tokio_uring::builder().entries(ENTRIES))?;
        Ok(Self { runtime: Rc::new(runtime) })
    }

    pub(crate) fn open(&self, file: &File) -> io::Result<RingFile> {
        let file = tokio_uring::fs::File::from_std(file.try_clone()?);
        Ok(RingFile { runtime: Rc::clone(&self.runtime), file })
    }
}

/// A file written through a ring.
pub(crate) struct RingFile {
    runtime: Rc<Runtime>,
    file: tokio_uring::fs::File,
}

impl RingFile {
    pub(crate) fn write_at(
        &mut self,
        buffer: Vec<u8>,
        from: usize,
        offset: u64,
    ) -> (io::Result<usize>, Vec<u8>) {
        let (wrote, slice) =
            self.runtime.block_on(async { self.file.write_at(buffer.slice(from..), offset).submit().await });
        (wrote, slice.into_inner())
    }

    pub(crate) fn sync_data(&mut self) -> io::Result<()> {
        self.runtime.block_on(self.file.sync_data())
    }
}
