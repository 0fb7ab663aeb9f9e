use orch_core::prelude::*;

#[task]
fn length(text: String) -> usize {
    text.len()
}

#[task]
fn half(value: &Tracked<f64>) -> f64 {
    **value / 2.0
}

fn main() {
    let _ = half(length("two"));
}
