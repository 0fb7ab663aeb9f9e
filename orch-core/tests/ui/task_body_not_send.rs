use orch_core::prelude::*;

use std::rc::Rc;

#[task]
async fn read(value: u32) -> u32 {
    let shared = Rc::new(value);
    tokio::task::yield_now().await;
    *shared
}

fn main() {}
