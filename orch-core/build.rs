//! Notes what the crate is compiled with, for the manifest of each recorded run.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_default();
    println!("cargo::rustc-env=ORCH_RUSTC_VERSION={}", version.trim());
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=ORCH_TARGET={target}");
}
