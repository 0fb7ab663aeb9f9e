use orch_core::prelude::*;

struct Ticket;

#[task(inline)]
fn release(_ticket: Ticket, _booking: &u64) {}

#[task(rollback = release)]
async fn book(_ticket: Ticket) -> u64 {
    7
}

fn main() {}
