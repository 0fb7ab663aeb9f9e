use orch_core::Secret;

#[derive(serde::Serialize)]
struct Login {
    token: Secret,
}

fn main() {}
