//! The protocol that decides when a task run starts, in every order that threads can take: the
//! model checker `loom` compiles `completion.rs` a second time, on its own locks and atomics.

#[path = "../src/completion.rs"]
mod completion;

/// In place of the crate's own module of this name.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

use self::completion::{Completion, Countdown};

/// Checks every order of steps with up to this many switches in the middle of a thread, which finds
/// what two or three threads can do to each other; without a bound it takes minutes.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A node with what the protocol needs of it.
struct Node {
    countdown: Countdown,
    completion: Completion<Arc<Node>>,
    has_ended: AtomicBool,
    has_been_let_go: AtomicBool,
    /// Written before the end and read after it, without any ordering of its own.
    result: AtomicU32,
    starts: AtomicU32,
}

impl Node {
    fn new(inputs: u32) -> Arc<Self> {
        Arc::new(Self {
            countdown: Countdown::new(inputs),
            completion: Completion::new(),
            has_ended: AtomicBool::new(false),
            has_been_let_go: AtomicBool::new(false),
            result: AtomicU32::new(0),
            starts: AtomicU32::new(0),
        })
    }

    /// What a submission does with the inputs of its node.
    fn submit(node: &Arc<Self>, upstreams: &[&Arc<Node>]) {
        let mut ended = 0;
        for upstream in upstreams {
            let is_waiting = !(upstream.has_ended.load(Ordering::Acquire)
                && upstream.has_been_let_go.load(Ordering::Acquire))
                && upstream.completion.subscribe(Arc::clone(node)).is_ok();
            if !is_waiting {
                ended += 1;
            }
        }
        if node.countdown.count_down_by(ended + 1) {
            node.start(upstreams);
        }
    }

    /// What a driver does at the end of a node.
    fn end(&self, result: u32, upstreams: &[&Arc<Node>]) {
        self.result.store(result, Ordering::Relaxed);
        self.has_ended.store(true, Ordering::Release);
        let waiters = self.completion.complete();
        self.has_been_let_go.store(true, Ordering::Release);
        for waiter in waiters {
            if waiter.countdown.count_down() {
                waiter.start(upstreams);
            }
        }
    }

    fn start(&self, upstreams: &[&Arc<Node>]) {
        assert!(self.countdown.is_zero());
        assert_eq!(
            self.starts.fetch_add(1, Ordering::Relaxed),
            0,
            "started twice"
        );
        for upstream in upstreams {
            assert_eq!(
                upstream.result.load(Ordering::Relaxed),
                7,
                "an input was not there"
            );
        }
    }
}

#[test]
fn a_downstream_of_two_concurrent_upstreams_starts_once_and_sees_both_results() {
    check(|| {
        let (a, b, downstream) = (Node::new(0), Node::new(0), Node::new(2));
        let ends: Vec<_> = [&a, &b]
            .into_iter()
            .map(|upstream| {
                let (upstream, a, b) = (Arc::clone(upstream), Arc::clone(&a), Arc::clone(&b));
                thread::spawn(move || upstream.end(7, &[&a, &b]))
            })
            .collect();
        Node::submit(&downstream, &[&a, &b]);
        for end in ends {
            end.join().unwrap();
        }
        assert_eq!(downstream.starts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_downstream_that_uses_one_upstream_twice_starts_once() {
    check(|| {
        let (a, downstream) = (Node::new(0), Node::new(2));
        let upstream = Arc::clone(&a);
        let end = thread::spawn(move || upstream.end(7, &[&upstream]));
        Node::submit(&downstream, &[&a, &a]);
        end.join().unwrap();
        assert_eq!(downstream.starts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn two_downstreams_submitted_by_different_threads_each_start_once() {
    check(|| {
        let a = Node::new(0);
        let (first, second) = (Node::new(1), Node::new(1));
        let submissions: Vec<_> = [&first, &second]
            .into_iter()
            .map(|downstream| {
                let (downstream, a) = (Arc::clone(downstream), Arc::clone(&a));
                thread::spawn(move || Node::submit(&downstream, &[&a]))
            })
            .collect();
        a.end(7, &[&a]);
        for submission in submissions {
            submission.join().unwrap();
        }
        assert_eq!(first.starts.load(Ordering::Relaxed), 1);
        assert_eq!(second.starts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_subscriber_is_told_or_turned_away_and_never_both_or_neither() {
    check(|| {
        let completion: Arc<Completion<u32>> = Arc::new(Completion::new());
        let subscribers: Vec<_> = (0..2)
            .map(|id| {
                let completion = Arc::clone(&completion);
                thread::spawn(move || completion.subscribe(id).is_err())
            })
            .collect();
        let told: Vec<u32> = completion.complete().collect();
        for (id, subscriber) in (0..).zip(subscribers) {
            let was_turned_away = subscriber.join().unwrap();
            let times_told = told.iter().filter(|one| **one == id).count();
            assert_eq!(usize::from(was_turned_away) + times_told, 1);
        }
    });
}

#[test]
fn only_one_of_two_ends_tells_the_waiters() {
    check(|| {
        let completion: Arc<Completion<u32>> = Arc::new(Completion::new());
        assert!(completion.subscribe(1).is_ok());
        assert!(completion.subscribe(2).is_ok());
        let other = Arc::clone(&completion);
        let other = thread::spawn(move || other.complete().count());
        let told = completion.complete().count();
        assert_eq!([told, other.join().unwrap()].iter().max(), Some(&2));
        assert_eq!(completion.complete().count(), 0);
        assert_eq!(completion.subscribe(3), Err(3));
    });
}

#[test]
fn a_waiter_that_withdraws_is_given_back_or_told_and_the_others_stay() {
    check(|| {
        let completion: Arc<Completion<u32>> = Arc::new(Completion::new());
        let ticket = completion.subscribe(1).unwrap();
        let withdrawing = Arc::clone(&completion);
        let withdrawn = thread::spawn(move || withdrawing.withdraw(ticket));
        // While the first one leaves, a second one comes: the places must not get mixed up.
        assert!(completion.subscribe(2).is_ok());
        let told: Vec<u32> = completion.complete().collect();
        match withdrawn.join().unwrap() {
            Some(waiter) => assert_eq!((waiter, &told[..]), (1, &[2][..])),
            None => assert_eq!(told, [1, 2]),
        }
    });
}

#[test]
fn a_changed_waiter_is_told_as_changed_or_the_change_is_refused() {
    check(|| {
        let completion: Arc<Completion<u32>> = Arc::new(Completion::new());
        let ticket = completion.subscribe(1).unwrap();
        let changing = Arc::clone(&completion);
        let changed = thread::spawn(move || changing.update(ticket, |waiter| *waiter = 2));
        let told: Vec<u32> = completion.complete().collect();
        assert_eq!(told, if changed.join().unwrap() { [2] } else { [1] });
    });
}

/// A future polls with one waker and then with another, as `poll_end` does.
#[test]
fn a_future_that_changes_its_waker_is_woken_or_sees_the_end() {
    check(|| {
        let node = Node::new(0);
        let wakers: Arc<Completion<Arc<AtomicU32>>> = Arc::new(Completion::new());
        let (ending, told) = (Arc::clone(&node), Arc::clone(&wakers));
        let end = thread::spawn(move || {
            ending.result.store(7, Ordering::Relaxed);
            ending.has_ended.store(true, Ordering::Release);
            for waker in told.complete() {
                waker.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (first, second) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let poll = |ticket: &mut Option<completion::Ticket>, waker: &Arc<AtomicU32>| {
            if node.has_ended.load(Ordering::Acquire) {
                return true;
            }
            match *ticket {
                Some(ticket) => !wakers.update(ticket, |old| old.clone_from(waker)),
                None => {
                    *ticket = wakers.subscribe(Arc::clone(waker)).ok();
                    ticket.is_none()
                }
            }
        };
        let mut ticket = None;
        let is_ready = poll(&mut ticket, &first) || poll(&mut ticket, &second);
        if is_ready {
            assert_eq!(
                node.result.load(Ordering::Relaxed),
                7,
                "ready without a result"
            );
        }
        end.join().unwrap();
        if !is_ready {
            assert_eq!(second.load(Ordering::Relaxed), 1, "a wake-up was lost");
        }
    });
}

#[test]
fn places_of_withdrawn_waiters_are_used_again() {
    check(|| {
        let completion: Completion<u32> = Completion::new();
        let stays = completion.subscribe(0).unwrap();
        let first = completion.subscribe(1).unwrap();
        assert_eq!(completion.withdraw(first), Some(1));
        // A loop that awaits a clone for a while, again and again, must not make the list grow.
        for waiter in 2..10 {
            let next = completion.subscribe(waiter).unwrap();
            assert_eq!(next, first);
            assert_eq!(completion.withdraw(next), Some(waiter));
        }
        assert!(completion.update(stays, |waiter| *waiter = 9));
        assert_eq!(completion.complete().collect::<Vec<_>>(), [9]);
    });
}

#[test]
fn a_node_whose_inputs_are_there_at_submission_may_start() {
    check(|| {
        assert!(Countdown::over().is_zero());
        assert!(!Countdown::new(0).is_zero());
    });
}
