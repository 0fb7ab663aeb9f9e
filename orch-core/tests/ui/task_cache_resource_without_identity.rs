use orch_core::prelude::*;

struct Warehouse;

#[task(cache)]
async fn count(_warehouse: Resource<Warehouse>, table: String) -> usize {
    table.len()
}

fn main() {}
