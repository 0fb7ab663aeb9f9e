use orch_core::prelude::*;

#[task(limit = "db/{tenant}")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
