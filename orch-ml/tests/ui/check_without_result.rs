use orch_ml::{Table, check};

#[check]
fn has_rows(table: &Table) {
    assert!(table.n_rows() > 0);
}

fn main() {}
