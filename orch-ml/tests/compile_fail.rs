//! What `#[check]` says about mistakes.

#[test]
fn mistakes_in_ui_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
