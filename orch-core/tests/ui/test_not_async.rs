#[orch_core::test]
fn it_works() {
    assert_eq!(1, 1);
}

fn main() {}
