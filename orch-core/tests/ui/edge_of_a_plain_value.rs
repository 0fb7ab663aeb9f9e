use orch_core::prelude::*;

#[task]
fn half(value: Tracked<f64>) -> f64 {
    *value / 2.0
}

#[task]
fn sum(values: &[Tracked<f64>]) -> f64 {
    values.iter().map(|value| **value).sum()
}

fn main() {
    let _ = half(1.0);
    let _ = sum(vec![1.0, 2.0]);
}
