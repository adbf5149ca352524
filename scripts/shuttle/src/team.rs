//! The kernels' team of threads: what is to be done is done once, and what was found is put together in order. What the checks
//! themselves note lies in the standard library's locks, which are no steps to the scheduler.

use std::marker::PhantomData;
use std::sync::Mutex;

use shuttle::sync::atomic::{AtomicUsize, Ordering};

use crate::Line;
use crate::heads::{KvHead, Packer, Work};
use crate::merge::Merger;
use crate::pack::KvBlock;
use crate::queue::Queue;
use crate::rayon::set_threads;
use crate::task::Task;
use crate::threads::{on_every_thread, share_out};

/// Numbers are shared out, and what is made of them is merged.
fn sharing(threads: usize, count: usize) {
    set_threads(threads);
    let merger = Merger::new(Vec::new(), |merged: &mut Vec<usize>, at, found: usize| {
        assert_eq!(at, found, "block {at} leaves what another found");
        merged.push(found);
    });
    share_out(
        count,
        || 0,
        |done, at| {
            *done += 1;
            merger.add(at, at);
        },
    );
    assert_eq!(merger.finish(), (0..count).collect::<Vec<_>>());
}

/// Parts of heads are given out, as the backward pass does.
fn giving_out(threads: usize, counts: &[usize]) {
    set_threads(threads);
    let queue = Queue::new(counts.iter().copied());
    let given = Mutex::new(Vec::new());
    on_every_thread(usize::MAX, || {
        let mut loaded = None;
        while let Some((head, part)) = queue.take(loaded) {
            loaded = Some(head);
            given.lock().unwrap().push((head, part));
        }
    });
    let mut given = given.into_inner().unwrap();
    given.sort_unstable();
    let all = counts.iter().enumerate();
    let all: Vec<_> = all
        .flat_map(|(head, &count)| (0..count).map(move |part| (head, part)))
        .collect();
    assert_eq!(given, all);
}

/// Heads' blocks are packed by whoever comes, and their tasks done, as the forward pass does.
fn attending(threads: usize, heads: usize, tasks: usize, blocks: usize) {
    set_threads(threads);
    let made = AtomicUsize::new(0);
    let pack = |head: usize, index: usize, mut memory: Vec<Line>| {
        if memory.is_empty() {
            made.fetch_add(1, Ordering::SeqCst);
            memory.push(Line);
        }
        KvBlock {
            place: (head, index),
            memory,
        }
    };
    let packer = Packer::new(&pack);
    let all: Vec<_> = (0..heads)
        .map(|index| KvHead {
            index,
            // The blocks before the first are those that no query sees.
            blocks: 1..1 + blocks,
            work: Work::new(
                (0..tasks)
                    .map(|task| Task(index * tasks + task, PhantomData))
                    .collect(),
            ),
        })
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    on_every_thread(usize::MAX, || {
        // As `Worker::run` walks.
        let mut others = all.iter().rev();
        let own = || all.get(next.fetch_add(1, Ordering::Relaxed));
        while let Some(head) = own().or_else(|| others.next()) {
            let mut packed = None;
            while let Some(task) = head.take(&packer, &mut packed) {
                let packed = packed.as_ref().expect("who has a task has joined");
                for index in 1..1 + blocks {
                    assert_eq!(packed.block(index).place, (head.index, index));
                }
                done.lock().unwrap().push(task.0);
            }
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_unstable();
    assert_eq!(done, (0..heads * tasks).collect::<Vec<_>>());
    // Each thread holds the blocks of at most one head, and their memory is used again.
    assert!(made.load(Ordering::SeqCst) <= (threads + 1) * blocks);
}

#[test]
fn every_order_of_two_threads_that_share_two_numbers() {
    shuttle::check_dfs(|| sharing(2, 2), None);
}

#[test]
fn many_orders_of_four_threads_that_share_nine_numbers() {
    shuttle::check_random(|| sharing(4, 9), 10_000);
}

#[test]
fn every_order_of_two_threads_and_two_parts() {
    shuttle::check_dfs(|| giving_out(2, &[1, 1]), None);
}

#[test]
fn many_orders_of_three_threads_and_seven_parts() {
    shuttle::check_random(|| giving_out(3, &[3, 0, 2, 2]), 10_000);
}

#[test]
fn many_orders_of_two_threads_on_one_head() {
    shuttle::check_random(|| attending(2, 1, 3, 2), 10_000);
}

#[test]
fn many_orders_of_three_threads_on_two_heads() {
    shuttle::check_random(|| attending(3, 2, 3, 2), 10_000);
}

/// Orders in which few threads are held back at few places, which random ones seldom are.
#[test]
fn orders_of_three_threads_with_few_turns() {
    shuttle::check_pct(|| attending(3, 2, 2, 2), 10_000, 3);
}
