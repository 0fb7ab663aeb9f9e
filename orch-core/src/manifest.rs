//! What a flow run ran with: enough to see why two runs differ.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::engine::EngineInner;

/// Describes this process: versions, sources, threads. Holds no environment variables, since these
/// may be secret.
pub(crate) fn of_process(engine: &EngineInner) -> Value {
    let folder = std::env::current_dir().ok();
    let root = folder.as_deref();
    json!({
        "orch": env!("CARGO_PKG_VERSION"),
        "rustc": env!("ORCH_RUSTC_VERSION"),
        "target": env!("ORCH_TARGET"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
        "features": features(),
        "binary": std::env::current_exe().ok().map(|path| path.display().to_string()),
        "git_commit": root.and_then(git_commit),
        "cargo_lock": root.and_then(cargo_lock),
        "threads": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "workers": engine.config.workers,
    })
}

fn features() -> Vec<&'static str> {
    [
        ("cli", cfg!(feature = "cli")),
        ("config", cfg!(feature = "config")),
        ("logs", cfg!(feature = "logs")),
        ("progress", cfg!(feature = "progress")),
        ("sqlite", cfg!(feature = "sqlite")),
        ("testing", cfg!(feature = "testing")),
    ]
    .into_iter()
    .filter_map(|(name, is_on)| is_on.then_some(name))
    .collect()
}

/// The commit of the work tree that the process runs in, if it runs in one.
fn git_commit(from: &Path) -> Option<String> {
    let git = upwards(from, ".git")?;
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head.to_owned());
    };
    if let Ok(commit) = std::fs::read_to_string(git.join(reference)) {
        return Some(commit.trim().to_owned());
    }
    let packed = std::fs::read_to_string(git.join("packed-refs")).ok()?;
    let commit = packed
        .lines()
        .find_map(|line| line.strip_suffix(reference)?.strip_suffix(' '))?;
    Some(commit.to_owned())
}

/// The hash of the `Cargo.lock` that applies there.
fn cargo_lock(from: &Path) -> Option<String> {
    let lock = std::fs::read(upwards(from, "Cargo.lock")?).ok()?;
    Some(blake3::hash(&lock).to_hex().to_string())
}

fn upwards(from: &Path, name: &str) -> Option<PathBuf> {
    from.ancestors()
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_found_from_a_folder_below_in_a_file_or_among_packed_ones() {
        let root = std::env::temp_dir().join(format!("orch-manifest-{}", std::process::id()));
        let below = root.join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir_all(root.join(".git/refs/heads")).unwrap();
        std::fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let packed = "# pack-refs\nfeed00 refs/heads/main\nbeef00 refs/heads/other\n";
        std::fs::write(root.join(".git/packed-refs"), packed).unwrap();
        assert_eq!(git_commit(&below).as_deref(), Some("feed00"));
        std::fs::write(root.join(".git/refs/heads/main"), "cafe00\n").unwrap();
        assert_eq!(git_commit(&below).as_deref(), Some("cafe00"));
        std::fs::write(root.join(".git/HEAD"), "abba00\n").unwrap();
        assert_eq!(git_commit(&below).as_deref(), Some("abba00"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
