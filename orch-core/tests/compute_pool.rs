//! In which order plain functions get a compute thread, and what those hold that wait for one.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use orch_core::prelude::*;
use tokio::sync::oneshot;

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

#[task(limit = "gpu")]
fn train() -> u32 {
    7
}

#[task]
async fn nothing() {}

#[flow]
async fn cancels_what_waits(told: Arc<Told>) -> Result<(), TaskError> {
    let held = hold();
    let waiting = train();
    // The last that the one driver comes to: the other has its slot and waits for the thread by then.
    nothing::with().priority(-9).submit().await?;
    waiting.cancel();
    assert!(waiting.await.is_err());
    let told = told.0.lock().unwrap().take().unwrap();
    told.send(()).unwrap();
    held.await?;
    Ok(())
}

/// Says that the task run has ended.
struct Told(Mutex<Option<oneshot::Sender<()>>>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_run_that_is_cancelled_while_it_waits_for_a_thread_has_given_its_slot_back() {
    let (opener, gate) = mpsc::channel();
    let (told, has_ended) = oneshot::channel();
    let engine = Engine::builder()
        .compute_threads(1)
        .workers(1)
        .limit("gpu", 1)
        .resource(Gate(Mutex::new(gate)))
        .build();
    let told = Arc::new(Told(Mutex::new(Some(told))));
    let run = cancels_what_waits(told).start(&engine).unwrap();
    has_ended.await.unwrap();
    assert_eq!(engine.limits()[0].taken, 0);
    opener.send(()).unwrap();
    run.await.unwrap();
}
