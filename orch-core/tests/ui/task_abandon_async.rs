use orch_core::prelude::*;

#[task(timeout = "1s", on_timeout = "abandon")]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
