use orch_core::prelude::*;

#[task(tags = ["io", 1])]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
