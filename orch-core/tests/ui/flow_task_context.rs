use orch_core::prelude::*;

#[flow]
async fn run(context: &TaskContext) {
    let _ = context;
}

fn main() {}
