use orch_core::prelude::*;

#[task]
fn length(text: &str) -> Result<u32, std::io::Error> {
    Ok(text.len())
}

fn main() {}
