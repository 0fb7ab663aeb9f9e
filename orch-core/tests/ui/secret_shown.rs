use orch_core::Secret;

fn main() {
    let token = Secret::new(String::from("correct horse"));
    println!("{token:?}");
}
