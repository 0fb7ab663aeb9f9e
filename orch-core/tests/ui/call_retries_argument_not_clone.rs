use orch_core::prelude::*;

pub struct Connection;

#[task]
async fn fetch(connection: Connection) -> Result<u32, std::io::Error> {
    let _ = connection;
    Ok(1)
}

fn main() {
    let _ = fetch::with().retries(2).submit(Connection);
}
