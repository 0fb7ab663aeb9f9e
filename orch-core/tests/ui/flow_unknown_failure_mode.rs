use orch_core::prelude::*;

#[flow(failure = "continue")]
async fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
