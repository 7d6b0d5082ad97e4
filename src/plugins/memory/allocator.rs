//! An allocator that counts by owner. Owns the head in front of each allocation that names its owner, so
//! that memory freed on another thread is taken off the right account.

#![expect(unsafe_code, reason = "an allocator is made of raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicI64, Ordering},
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes by owner. Owner 0 is the core, which is not counted: its threads pay a look at a thread-local
/// and the head.
static HELD: [AtomicI64; 256] = [const { AtomicI64::new(0) }; 256];

thread_local! {
    static OWNER: Cell<u8> = const { Cell::new(0) };
}

/// Least head: keeps the alignment that `malloc` gives.
const HEAD: usize = 16;

pub(super) fn enter(owner: u8) {
    OWNER.set(owner);
}

pub(super) fn bytes(owner: u8) -> u64 {
    u64::try_from(HELD[usize::from(owner)].load(Ordering::Relaxed)).unwrap_or(0)
}

struct Counting;

/// The layout with its head, and the head's length; `None` when that is more than there can be.
fn with_head(layout: Layout) -> Option<(Layout, usize)> {
    let head = layout.align().max(HEAD);
    let size = layout.size().checked_add(head)?;
    Some((Layout::from_size_align(size, head).ok()?, head))
}

fn count(owner: u8, bytes: usize, sign: i64) {
    if owner != 0 {
        // No allocation is larger than isize::MAX.
        HELD[usize::from(owner)].fetch_add(sign * bytes as i64, Ordering::Relaxed);
    }
}

/// Marks fresh memory as its owner's and gives what lies behind the head.
///
/// # Safety
/// `base` is null or begins a block of at least `head` bytes that nobody else uses.
unsafe fn mark(base: *mut u8, head: usize, size: usize) -> *mut u8 {
    if base.is_null() {
        return base;
    }
    // During the end of a thread its locals may be gone: then it is nobody's.
    let owner = OWNER.try_with(Cell::get).unwrap_or(0);
    count(owner, size, 1);
    // SAFETY: the caller vouches for `head` bytes from `base` on, and the last of them is written.
    unsafe {
        base.add(head - 1).write(owner);
        base.add(head)
    }
}

// SAFETY: every method hands to `System` a layout that is the caller's enlarged by a head, of the same or
// greater alignment, so that what lies behind the head is as large and as aligned as asked for; what is
// freed or resized is first moved back by the head that was put there, which follows from the layout alone.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, head)) = with_head(layout) else { return std::ptr::null_mut() };
        // SAFETY: `whole` is not empty, and what comes back is null or `whole` bytes of our own.
        unsafe { mark(System.alloc(whole), head, layout.size()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some((whole, head)) = with_head(layout) else { return std::ptr::null_mut() };
        // SAFETY: as in `alloc`.
        unsafe { mark(System.alloc_zeroed(whole), head, layout.size()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some((whole, head)) = with_head(layout) else { return };
        // SAFETY: the caller gives back what `alloc` gave with the same layout: its head lies in front.
        unsafe {
            count(ptr.sub(1).read(), layout.size(), -1);
            System.dealloc(ptr.sub(head), whole);
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some((whole, head)) = with_head(layout) else { return std::ptr::null_mut() };
        let larger = Layout::from_size_align(new_size, layout.align()).ok().and_then(with_head);
        let Some((larger, _)) = larger else { return std::ptr::null_mut() };
        // SAFETY: as in `dealloc`; the new size is one that a layout may have, and `System` keeps the head's
        // bytes, or on failure the whole block as it is.
        unsafe {
            let owner = ptr.sub(1).read();
            let base = System.realloc(ptr.sub(head), whole, larger.size());
            if base.is_null() {
                return base;
            }
            count(owner, layout.size(), -1);
            count(owner, new_size, 1);
            base.add(head)
        }
    }
}
