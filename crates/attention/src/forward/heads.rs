//! A key/value head's share of the work: its keys and values, packed by whoever comes first, and its tasks.

use std::ops::Range;
#[cfg(not(shuttle))]
use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicUsize, Ordering},
};

#[cfg(shuttle)]
use crate::once::OnceLock;
#[cfg(shuttle)]
use shuttle::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicUsize, Ordering},
};

use lookback_simd::Line;

use super::task::Task;
use crate::pack::KvBlock;
use crate::threads::lock;

/// One key/value head of one batch element, with the query heads of its group: operands that live for `'a`, packed blocks
/// for `'p`.
pub(super) struct KvHead<'a, 'p> {
    /// Counted over the batch.
    pub(super) index: usize,
    /// Those that some query sees.
    pub(super) blocks: Range<usize>,
    pub(super) work: Mutex<Work<'a, 'p>>,
}

/// What is left to do of a head.
pub(super) struct Work<'a, 'p> {
    tasks: std::vec::IntoIter<Task<'a>>,
    /// The packed blocks, while anyone works on the head.
    packed: Weak<PackedHead<'p>>,
}

impl<'a, 'p> Work<'a, 'p> {
    pub(super) fn new(tasks: Vec<Task<'a>>) -> Mutex<Work<'a, 'p>> {
        Mutex::new(Work {
            tasks: tasks.into_iter(),
            packed: Weak::new(),
        })
    }
}

impl<'a, 'p> KvHead<'a, 'p> {
    /// The next task. With the first that a worker takes, it joins those that hold the packed blocks, and packs those
    /// that nobody has begun.
    pub(super) fn take(
        &self,
        packer: &'p Packer<'p>,
        joined: &mut Option<Arc<PackedHead<'p>>>,
    ) -> Option<Task<'a>> {
        let mut work = lock(&self.work);
        let task = work.tasks.next()?;
        if joined.is_none() {
            let packed = work.packed.upgrade().unwrap_or_else(|| {
                let packed = Arc::new(PackedHead::new(self, packer));
                work.packed = Arc::downgrade(&packed);
                packed
            });
            drop(work);
            packed.pack();
            *joined = Some(packed);
        }
        Some(task)
    }
}

/// The packed keys and values of a head. They live as long as somebody works on it; their memory is then used for
/// another head, so that a few heads' worth is ever needed, and it is in the nearest cache that is large enough.
pub(super) struct PackedHead<'a> {
    head: usize,
    first: usize,
    blocks: Vec<OnceLock<KvBlock>>,
    /// How many blocks have been begun.
    begun: AtomicUsize,
    packer: &'a Packer<'a>,
}

impl<'a> PackedHead<'a> {
    fn new(head: &KvHead, packer: &'a Packer<'a>) -> PackedHead<'a> {
        PackedHead {
            head: head.index,
            first: head.blocks.start,
            blocks: head.blocks.clone().map(|_| OnceLock::new()).collect(),
            begun: AtomicUsize::new(0),
            packer,
        }
    }

    /// Packs blocks until all have been begun.
    fn pack(&self) {
        loop {
            let at = self.begun.fetch_add(1, Ordering::Relaxed);
            if at >= self.blocks.len() {
                break;
            }
            self.block(self.first + at);
        }
    }

    /// Block `index` of the head's keys; waits for it if another thread is packing it.
    pub(super) fn block(&self, index: usize) -> &KvBlock {
        self.blocks[index - self.first].get_or_init(|| self.packer.pack(self.head, index))
    }
}

impl Drop for PackedHead<'_> {
    fn drop(&mut self) {
        let blocks = self.blocks.drain(..).filter_map(OnceLock::into_inner);
        lock(&self.packer.spare).extend(blocks.map(KvBlock::into_memory));
    }
}

/// Packs blocks of one call, whatever its element type.
pub(super) struct Packer<'p> {
    /// Packs block `.1` of head `.0` into some memory.
    pack: &'p (dyn Fn(usize, usize, Vec<Line>) -> KvBlock + Sync),
    /// Memory of blocks that nobody needs any more.
    spare: Mutex<Vec<Vec<Line>>>,
}

impl<'p> Packer<'p> {
    pub(super) fn new(pack: &'p (dyn Fn(usize, usize, Vec<Line>) -> KvBlock + Sync)) -> Self {
        Packer {
            pack,
            spare: Mutex::default(),
        }
    }

    fn pack(&self, head: usize, index: usize) -> KvBlock {
        let memory = lock(&self.spare).pop().unwrap_or_default();
        (self.pack)(head, index, memory)
    }
}
