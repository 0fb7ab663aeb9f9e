use orch_core::prelude::*;

#[task(allow_failure = true)]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
