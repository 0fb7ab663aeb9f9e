//! How are flows run from a terminal? This program has flows and no command line of its own:
//! `orch_core::cli` makes it one. `cargo run --example command_line -- flows` lists them.
//!
//! ```text
//! command_line run count-words --param file=book.txt --param to=out --store runs
//! command_line runs --store runs
//! command_line explain <run> count --store runs
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use orch_core::prelude::*;
use orch_core::{Secret, TrackError};

/// Reads the text, in lower case and without punctuation.
#[task(cache)]
fn read(file: DataFile) -> std::io::Result<String> {
    let text = std::fs::read_to_string(&file)?;
    let is_part = |c: &char| c.is_alphanumeric() || c.is_whitespace();
    Ok(text.to_lowercase().chars().filter(is_part).collect())
}

/// Counts the words that are long enough, and notes on the record how many there are.
#[task(cache)]
fn count(
    text: &str,
    min_length: u32,
    ctx: &TaskContext,
) -> Result<BTreeMap<String, u64>, TrackError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for word in text.split_whitespace() {
        if word.chars().count() >= min_length as usize {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }
    let words = counts.values().sum::<u64>() as f64;
    ctx.log_metrics(0, [("words", words), ("distinct", counts.len() as f64)])?;
    Ok(counts)
}

/// Writes the counts into a folder, which has to be there.
#[task]
fn publish(counts: &BTreeMap<String, u64>, to: &Path) -> std::io::Result<PathBuf> {
    let path = to.join("counts.txt");
    let lines = counts.iter().map(|(word, n)| format!("{n} {word}\n"));
    std::fs::write(&path, lines.collect::<String>())?;
    Ok(path)
}

/// Counts the words of a text file and writes the counts into a folder.
#[flow(name = "count-words")]
async fn count_words(
    file: DataFile,
    to: PathBuf,
    min_length: Option<u32>,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let counts = count(read(file), min_length.unwrap_or(1));
    publish(&counts, to).await?;
    Ok(counts.await?.into_inner())
}

/// Draws random numbers, the same ones for the same seed.
#[task]
fn draw(n: u32, ctx: &TaskContext) -> Vec<u64> {
    let mut rng = ctx.rng();
    (0..n).map(|_| rng.next_u64()).collect()
}

/// Looks at the clock: what a replay cannot do again.
#[task]
fn stamp() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Draws random numbers and adds them up, with the time if that is asked for.
#[flow]
async fn sample(n: u32, stamped: bool) -> anyhow::Result<u64> {
    let numbers = draw(n).await?;
    let mut sum = numbers.iter().fold(0, |sum: u64, x| sum.wrapping_add(*x));
    if stamped {
        sum = sum.wrapping_add(*stamp().await?);
    }
    Ok(sum)
}

/// Adds up a text, starting from a secret.
#[task]
fn checksum(text: &str, salt: Secret) -> u64 {
    let bytes = salt.expose().bytes().chain(text.bytes());
    bytes.fold(0, |sum: u64, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}

/// Seals a text with a secret, of which only the place is recorded: `--param salt=env:SALT`.
#[flow]
async fn seal(text: String, salt: Secret) -> anyhow::Result<u64> {
    Ok(*checksum(text, salt).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    orch_core::cli::main().await
}
