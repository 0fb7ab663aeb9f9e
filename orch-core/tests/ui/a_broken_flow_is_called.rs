use orch_core::prelude::*;

#[flow]
async fn inner(name: &mut String) -> Result<usize, TaskError> {
    Ok(name.len())
}

#[flow]
async fn outer() -> Result<usize, FlowError> {
    inner("a").name("b").await
}

fn main() {}
