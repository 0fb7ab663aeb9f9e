use orch_ml::check;

#[check]
struct HasRows;

fn main() {}
