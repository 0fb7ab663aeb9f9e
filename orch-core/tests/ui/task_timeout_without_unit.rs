use orch_core::prelude::*;

#[task(timeout = "5")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
