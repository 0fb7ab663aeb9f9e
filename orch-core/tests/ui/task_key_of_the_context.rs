use orch_core::prelude::*;

#[task(cache)]
fn attempt(#[key(skip)] context: &TaskContext) -> u32 {
    context.attempt()
}

fn main() {}
