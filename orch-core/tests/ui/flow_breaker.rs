use orch_core::prelude::*;

#[flow(breaker = "payments")]
async fn shop(cents: u64) -> Result<u64, FlowError> {
    Ok(cents)
}

fn main() {}
