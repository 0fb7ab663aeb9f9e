use orch_core::prelude::*;

#[flow(max_running = (1, "drop"))]
async fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
