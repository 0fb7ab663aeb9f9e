use orch_core::prelude::*;

#[task]
async fn fetch(context: TaskContext) {
    let _ = context;
}

fn main() {}
