use orch_core::RetryLimits;
use orch_core::prelude::*;

fn more_ram(retry: &mut RetryLimits<'_>) {
    retry.multiply("ram", 2);
}

#[flow(retries = 2, limit_on_retry = more_ram)]
async fn run(value: u32) -> Result<u32, FlowError> {
    Ok(value)
}

fn main() {}
