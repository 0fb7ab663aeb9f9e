use orch_core::prelude::*;

#[task(crate = "orch_core")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
