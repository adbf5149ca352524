//! What the server's threads share, under a scheduler that tries one order of their steps after the other:
//! `cargo test --manifest-path scripts/shuttle/Cargo.toml`.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../crates/serve/src/running.rs"]
mod running;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shuttle::sync::atomic::{AtomicBool, Ordering};
    use shuttle::thread;

    use super::running::{Flag, Running};

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

    #[test]
    fn every_order_of_two_questions_and_the_end() {
        shuttle::check_dfs(|| stopping(2), None);
    }

    #[test]
    fn many_orders_of_six_questions_and_the_end() {
        shuttle::check_random(|| stopping(6), 20_000);
    }
}
