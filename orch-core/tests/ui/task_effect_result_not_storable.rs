use orch_core::prelude::*;

struct Receipt;

#[task(effect)]
async fn charge(amount: u32) -> Receipt {
    let _ = amount;
    Receipt
}

fn main() {}
