use orch_core::prelude::*;

use std::rc::Rc;

#[flow]
async fn run(value: u32) -> Result<u32, FlowError> {
    let shared = Rc::new(value);
    tokio::task::yield_now().await;
    Ok(*shared)
}

fn main() {}
