//! Who computes what next.

#[cfg(shuttle)]
use shuttle::sync::Mutex;
#[cfg(not(shuttle))]
use std::sync::Mutex;

use crate::threads::lock;

/// The parts of all heads that have not been given out.
///
/// A worker stays with the head that it has begun, whose queries it has packed, until all parts of that head are given
/// out; then it begins another, and when every head is begun it helps with the one that has the most left. What a part
/// computes does not depend on who computes it.
#[derive(Debug)]
pub(super) struct Queue(Mutex<Left>);

#[derive(Debug)]
struct Left {
    /// For each head the part to give out next, and how many it has.
    heads: Vec<(usize, usize)>,
    /// The first head that nobody has begun.
    fresh: usize,
}

impl Queue {
    /// All parts of heads that have `counts` parts.
    pub(super) fn new(counts: impl Iterator<Item = usize>) -> Queue {
        Queue(Mutex::new(Left {
            heads: counts.map(|count| (0, count)).collect(),
            fresh: 0,
        }))
    }

    /// A head and a part of it, for a worker that has the queries of head `loaded`.
    pub(super) fn take(&self, loaded: Option<usize>) -> Option<(usize, usize)> {
        let mut left = lock(&self.0);
        if let Some(task) = loaded.and_then(|head| left.part_of(head)) {
            return Some(task);
        }
        while left.fresh < left.heads.len() {
            let head = left.fresh;
            left.fresh += 1;
            if let Some(task) = left.part_of(head) {
                return Some(task);
            }
        }
        let (next, counts): (Vec<_>, Vec<_>) = left.heads.iter().copied().unzip();
        let most = (0..counts.len()).max_by_key(|&head| counts[head] - next[head])?;
        left.part_of(most)
    }
}

impl Left {
    /// The next part of a head, if there is one left.
    fn part_of(&mut self, head: usize) -> Option<(usize, usize)> {
        let (next, count) = &mut self.heads[head];
        (*next < *count).then(|| {
            *next += 1;
            (head, *next - 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_stay_with_a_head_then_begin_another_then_help() {
        let queue = Queue::new([2, 0, 3].into_iter());
        assert_eq!(queue.take(None), Some((0, 0)));
        assert_eq!(queue.take(None), Some((2, 0)));
        assert_eq!(queue.take(Some(0)), Some((0, 1)));
        assert_eq!(queue.take(Some(0)), Some((2, 1)));
        assert_eq!(queue.take(Some(2)), Some((2, 2)));
        assert_eq!(queue.take(Some(2)), None);
        assert_eq!(queue.take(None), None);
    }
}
