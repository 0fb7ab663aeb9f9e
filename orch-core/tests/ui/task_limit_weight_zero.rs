use orch_core::prelude::*;

#[task(limit = ("gpu", 0))]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
