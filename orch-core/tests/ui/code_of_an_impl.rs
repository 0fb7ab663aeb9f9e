struct Settings;

#[orch_core::code]
impl Settings {
    fn depth(&self) -> u32 {
        3
    }
}

fn main() {
    let _ = Settings.depth();
}
