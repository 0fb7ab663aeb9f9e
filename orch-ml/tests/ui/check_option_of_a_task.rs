use orch_ml::{Table, check};

#[check(retries = 3)]
fn has_rows(table: &Table) -> bool {
    table.n_rows() > 0
}

fn main() {}
