//! What the macros and the types say about mistakes, and where they have to work.

#[test]
fn mistakes_in_ui_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}
