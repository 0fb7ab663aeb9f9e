use orch_core::prelude::*;

pub struct FitResult {
    pub slope: f64,
}

#[task]
fn fit(slope: f64) -> FitResult {
    FitResult { slope }
}

fn main() {}
