use orch_core::prelude::*;

#[task(name = "fetch {context}")]
async fn fetch(context: &TaskContext) {
    let _ = context;
}

fn main() {}
