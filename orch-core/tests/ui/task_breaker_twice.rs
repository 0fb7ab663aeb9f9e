use orch_core::prelude::*;

#[task(breaker = "payments", breaker = "mail")]
async fn pay(cents: u64) -> Result<u64, String> {
    Ok(cents)
}

fn main() {}
