use orch_core::prelude::*;

#[task(priority = "high")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
