use orch_core::prelude::*;

#[flow]
fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
