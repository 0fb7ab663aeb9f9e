use orch_core::prelude::*;

pub struct Connection;

#[task(retries = 2)]
async fn fetch(connection: Connection) -> Result<u32, std::io::Error> {
    let _ = connection;
    Ok(1)
}

fn main() {}
