use orch_core::prelude::*;

use std::path::PathBuf;

#[task(cache)]
fn measure(path: PathBuf) -> Result<u64, std::io::Error> {
    Ok(std::fs::metadata(path)?.len())
}

fn main() {}
