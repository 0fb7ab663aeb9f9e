use orch_core::prelude::*;

#[task(on_end = |_| {})]
async fn fetch(url: String) -> Result<String, std::io::Error> {
    Ok(url)
}

fn main() {}
