use orch_core::prelude::*;

#[task(breaker = payments)]
async fn pay(cents: u64) -> Result<u64, String> {
    Ok(cents)
}

fn main() {}
