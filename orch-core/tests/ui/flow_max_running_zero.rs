use orch_core::prelude::*;

#[flow(max_running = 0)]
async fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
