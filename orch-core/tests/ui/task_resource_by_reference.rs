use orch_core::prelude::*;

pub struct Pool;

#[task]
async fn fetch(pool: &Resource<Pool>) {
    let _ = pool;
}

fn main() {}
