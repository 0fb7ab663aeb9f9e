use orch_core::prelude::*;

#[task]
fn spin() -> ! {
    loop {}
}

fn main() {}
