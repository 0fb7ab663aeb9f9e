use orch_core::prelude::*;

#[task(timeout = "0s")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
