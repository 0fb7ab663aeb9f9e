use orch_core::prelude::*;

#[flow(cache)]
async fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
