use orch_ml::{Table, check};

#[check(severity = 1, blocked)]
fn has_rows(table: &Table) -> bool {
    table.n_rows() > 0
}

fn main() {}
