use orch_core::prelude::*;

#[flow]
async fn run(#[key(skip)] value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
