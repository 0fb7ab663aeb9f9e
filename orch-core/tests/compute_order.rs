//! In which order plain functions get a compute thread.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use orch_core::prelude::*;

/// The first function holds the one compute thread until the gate is opened.
struct Gate(Mutex<mpsc::Receiver<()>>);

struct Opener(mpsc::Sender<()>);

/// Who worked, in order.
#[derive(Default)]
struct Order(Mutex<Vec<&'static str>>);

#[task]
fn hold(gate: Resource<Gate>) {
    gate.0.lock().unwrap().recv().unwrap();
}

#[task]
async fn open(opener: Resource<Opener>) {
    opener.0.send(()).unwrap();
}

#[task(inline)]
fn step(before: u32) -> u32 {
    before + 1
}

#[task]
fn work(name: &'static str, _input: u32, order: Arc<Order>) {
    order.0.lock().unwrap().push(name);
}

#[flow]
async fn levels(order: Arc<Order>) -> Result<(), TaskError> {
    let order = || Arc::clone(&order);
    let held = hold();
    let works = [
        work("first of the first level", 0, order()),
        work("second of the first level", 0, order()),
        work("second level", step(0), order()),
        work("third level", step(step(0)), order()),
        work::with().priority(1).submit("important", 0, order()),
    ];
    // The last that the one driver comes to: all others wait for the thread by then.
    let opened = open::with().priority(-9).submit();
    for worked in works {
        worked.await?;
    }
    held.await?;
    opened.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_priority_what_is_further_down_the_graph_gets_a_thread_first() {
    let (opener, gate) = mpsc::channel();
    let order = Arc::new(Order::default());
    let engine = Engine::builder()
        .compute_threads(1)
        .workers(1)
        .resource(Gate(Mutex::new(gate)))
        .resource(Opener(opener))
        .build();
    levels(Arc::clone(&order)).on(&engine).await.unwrap();
    let expected = [
        "important",
        "third level",
        "second level",
        "first of the first level",
        "second of the first level",
    ];
    assert_eq!(*order.0.lock().unwrap(), expected);
}
