use orch_core::prelude::*;

#[task(retires = 3)]
async fn fetch(url: &mut String) -> String {
    url.clone()
}

fn main() {}
