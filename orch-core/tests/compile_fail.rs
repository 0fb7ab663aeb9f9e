//! What the macros and the types say about mistakes, and where they have to work.

pub use orch_core as orch;

#[path = "ui/pass/odd_places.rs"]
pub mod odd_places;

#[test]
fn mistakes_in_ui_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
