use orch_core::prelude::*;

#[task]
async fn fetch(context: &FlowContext) {
    let _ = context;
}

fn main() {}
