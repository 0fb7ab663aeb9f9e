use orch_core::prelude::*;

#[task(inline)]
fn release(_booking: &u64) {}

#[task(rollback = release)]
async fn book(seats: u32) -> u64 {
    u64::from(seats)
}

fn main() {}
