//! The server's questions: begun, not wanted any more, stopped; and threads that nobody waits for.

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

use crate::left_alone::{LeftAlone, Pair};
use crate::running::{Flag, Running, Unwanted};

impl Flag for AtomicBool {
    fn set(&self) {
        self.store(true, Ordering::SeqCst);
    }
}

/// Questions begin while the server stops: each is told to stop, whoever is first.
fn stopping(questions: usize) {
    let running = Arc::new(Running::new());
    let begin = || {
        let running = Arc::clone(&running);
        thread::spawn(move || {
            let flag = Arc::new(AtomicBool::new(false));
            running.add(&flag);
            flag
        })
    };
    let begun: Vec<_> = (0..questions).map(|_| begin()).collect();
    let stop = {
        let running = Arc::clone(&running);
        thread::spawn(move || running.stop())
    };
    stop.join().unwrap();
    for question in begun {
        assert!(question.join().unwrap().load(Ordering::SeqCst));
    }
}

/// A question is computed until its flag is set, by its request that goes or by the server that stops: it ends, and nothing
/// else is told to.
fn leaving(requests: usize, stops: bool) {
    let running = Arc::new(Running::new());
    let stayed = Arc::new(AtomicBool::new(false));
    running.add(&stayed);
    let ask = || {
        let running = Arc::clone(&running);
        thread::spawn(move || {
            let unwanted = Unwanted(Arc::new(AtomicBool::new(false)));
            running.add(&unwanted.0);
            let cancel = Arc::clone(&unwanted.0);
            let worker = thread::spawn(move || {
                while !cancel.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            });
            drop(unwanted);
            worker
        })
    };
    let asked: Vec<_> = (0..requests).map(|_| ask()).collect();
    let stop = stops.then(|| {
        let running = Arc::clone(&running);
        thread::spawn(move || running.stop())
    });
    for request in asked {
        request.join().unwrap().join().unwrap();
    }
    if let Some(stop) = stop {
        stop.join().unwrap();
    }
    assert_eq!(stayed.load(Ordering::SeqCst), stops);
}

/// Threads end while whoever waits for them leaves: none is counted once it has ended, and none is left out meanwhile.
fn parting(threads: usize) {
    let alone = Arc::new(LeftAlone::new());
    let mut parted = Vec::new();
    for _ in 0..threads {
        let pair = Arc::new(Pair::new());
        let worker = {
            let (pair, alone) = (Arc::clone(&pair), Arc::clone(&alone));
            thread::spawn(move || pair.end(&alone))
        };
        let waiter = {
            let alone = Arc::clone(&alone);
            thread::spawn(move || pair.leave(&alone))
        };
        parted.extend([worker, waiter]);
    }
    assert!(alone.count() <= threads);
    for one in parted {
        one.join().unwrap();
    }
    assert_eq!(alone.count(), 0);
}

#[test]
fn every_order_of_two_questions_and_the_end() {
    shuttle::check_dfs(|| stopping(2), None);
}

#[test]
fn many_orders_of_six_questions_and_the_end() {
    shuttle::check_random(|| stopping(6), 20_000);
}

#[test]
fn many_orders_of_three_requests_that_leave() {
    shuttle::check_random(|| leaving(3, false), 20_000);
}

#[test]
fn many_orders_of_three_requests_that_leave_and_the_end() {
    shuttle::check_random(|| leaving(3, true), 20_000);
}

#[test]
fn every_order_of_a_thread_and_whoever_waits_for_it() {
    shuttle::check_dfs(|| parting(1), None);
}

#[test]
fn many_orders_of_three_threads_and_whoever_waits_for_them() {
    shuttle::check_random(|| parting(3), 20_000);
}
