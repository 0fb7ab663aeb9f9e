use orch_core::prelude::*;

#[task(inline)]
fn release(_seats: u32, _booking: &String) {}

#[task(rollback = release)]
async fn book(seats: u32) -> u64 {
    u64::from(seats)
}

fn main() {}
