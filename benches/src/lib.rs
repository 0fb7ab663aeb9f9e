//! What the benches share: arguments, interleaved measuring, the table, the JSON lines.

mod layers;
mod python;
mod samples;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
pub use layers::Layers;
pub use python::{Answer, Peer, Python};
pub use samples::{Matrix, Samples};

/// The arguments of every bench.
#[derive(Debug, Parser)]
pub struct Args {
    /// Writes one JSON object a line: bench, case, n, ours, floor, ratio, unit,
    /// bytes_per_task_run.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Runs everything once on small sizes: checks the results, measures nothing of worth.
    #[arg(long)]
    pub smoke: bool,
    /// Measured rounds of each case; the median counts.
    #[arg(long, default_value_t = 11)]
    pub rounds: usize,
    /// Runs only the cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub case: Option<String>,
    /// Measures the memory of one case in this process and prints it. The bench calls itself
    /// with this.
    #[arg(long, hide = true, value_name = "CASE")]
    pub memory: Option<String>,
    /// `cargo bench` passes it.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// One line of the results.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The case.
    pub case: String,
    /// Its size.
    pub n: u64,
    /// Our median, in `unit`.
    pub ours: Option<f64>,
    /// The median of the work by hand, in `unit`.
    pub floor: Option<f64>,
    /// The median of the ratios, round by round.
    pub ratio: Option<f64>,
    /// What `ours` and `floor` are counted in.
    pub unit: &'static str,
    /// Peak memory above the start, over the number of task runs.
    pub bytes_per_task_run: Option<f64>,
    /// The budget, in words.
    pub budget: &'static str,
}

/// Collects rows, prints them as a table, and writes them as JSON.
#[derive(Debug)]
pub struct Results {
    bench: &'static str,
    args: Args,
    rows: Vec<Row>,
}

impl Results {
    /// Starts a bench.
    pub fn new(bench: &'static str, args: Args) -> Self {
        println!(
            "{:<34} {:>9} {:>12} {:>12} {:>7} {:>8}  {:<9} budget",
            "case", "n", "ours", "floor", "ratio", "B/run", "unit"
        );
        Self {
            bench,
            args,
            rows: Vec::new(),
        }
    }

    /// Whether a case was asked for.
    pub fn wants(&self, case: &str) -> bool {
        self.args
            .case
            .as_ref()
            .is_none_or(|text| case.contains(text.as_str()))
    }

    /// Whether this is a smoke run.
    pub fn is_smoke(&self) -> bool {
        self.args.smoke
    }

    /// Returns the size for this run: the real one, or a small one in a smoke run.
    pub fn size(&self, real: u64, smoke: u64) -> u64 {
        if self.args.smoke { smoke } else { real }
    }

    /// Measures two ways of doing the same work in turn, so that both see the same machine.
    /// Each returns the time it took; times are given per item, in nanoseconds.
    pub fn compare(
        &mut self,
        case: &str,
        n: u64,
        budget: &'static str,
        ours: impl FnMut() -> Duration,
        floor: impl FnMut() -> Duration,
    ) {
        let rounds = match self.args.smoke {
            true => (0, 1),
            false => (2, self.args.rounds.max(9)),
        };
        self.compare_in_rounds(rounds, case, n, budget, ours, floor);
    }

    /// The same for work that takes long: so many rounds to warm up, and so many that count.
    pub fn compare_in_rounds(
        &mut self,
        (warmups, rounds): (usize, usize),
        case: &str,
        n: u64,
        budget: &'static str,
        mut ours: impl FnMut() -> Duration,
        mut floor: impl FnMut() -> Duration,
    ) {
        if !self.wants(case) {
            return;
        }
        for _ in 0..warmups {
            ours();
            floor();
        }
        let mut pairs = Vec::with_capacity(rounds);
        for round in 0..rounds {
            // Who goes first changes, so that neither always finds the caches warm.
            let pair = if round % 2 == 0 {
                let ours = ours();
                (ours, floor())
            } else {
                let floor = floor();
                (ours(), floor)
            };
            pairs.push((
                pair.0.as_nanos() as f64 / n as f64,
                pair.1.as_nanos() as f64 / n as f64,
            ));
        }
        self.push(Row {
            case: case.to_owned(),
            n,
            ours: Some(median(pairs.iter().map(|pair| pair.0))),
            floor: Some(median(pairs.iter().map(|pair| pair.1))),
            ratio: Some(median(pairs.iter().map(|pair| pair.0 / pair.1))),
            unit: "ns/item",
            bytes_per_task_run: None,
            budget,
        });
    }

    /// Adds a row and prints it.
    pub fn push(&mut self, row: Row) {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        println!(
            "{:<34} {:>9} {:>12} {:>12} {:>7} {:>8}  {:<9} {}",
            row.case,
            row.n,
            number(row.ours, 1),
            number(row.floor, 1),
            number(row.ratio, 2),
            number(row.bytes_per_task_run, 0),
            row.unit,
            row.budget
        );
        self.rows.push(row);
    }

    /// Runs a case in a process of its own and returns its peak memory above the start, in bytes.
    ///
    /// # Errors
    /// When the process cannot be started or does not print a number.
    pub fn memory_of(&self, case: &str) -> anyhow::Result<f64> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = std::process::Command::new(program);
        command.args(["--memory", case]);
        if self.args.smoke {
            command.arg("--smoke");
        }
        let output = command.output().context("starting this program again")?;
        anyhow::ensure!(
            output.status.success(),
            "measuring the memory of `{case}` failed"
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        last.trim()
            .parse()
            .with_context(|| format!("`{last}` is no number of bytes"))
    }

    /// Writes the JSON lines, if asked to.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        let Some(path) = &self.args.json else {
            return Ok(());
        };
        let mut file =
            File::create(path).with_context(|| format!("creating `{}`", path.display()))?;
        for row in &self.rows {
            let mut object = serde_json::Map::new();
            object.insert("bench".into(), self.bench.into());
            object.insert("case".into(), row.case.clone().into());
            object.insert("n".into(), row.n.into());
            let numbers = [
                ("ours", row.ours),
                ("floor", row.floor),
                ("ratio", row.ratio),
                ("bytes_per_task_run", row.bytes_per_task_run),
            ];
            for (name, value) in numbers {
                if let Some(value) = value {
                    object.insert(name.into(), value.into());
                }
            }
            object.insert("unit".into(), row.unit.into());
            writeln!(file, "{}", serde_json::Value::Object(object))
                .with_context(|| format!("writing `{}`", path.display()))?;
        }
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// A runtime with two workers, as all benches use.
///
/// # Panics
/// When the system has no threads left.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("two worker threads")
}

/// Runs a future as a task of the runtime, not on the thread that blocks for it, and times it.
///
/// # Panics
/// When the future panics: the bench's own check failed.
pub fn timed<F>(runtime: &tokio::runtime::Runtime, future: F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        tokio::spawn(async {
            let start = Instant::now();
            future.await;
            start.elapsed()
        })
        .await
        .expect("the case passed its check")
    })
}

/// Returns the peak resident memory of this process so far, in bytes.
///
/// # Errors
/// Where there is no `/proc`.
pub fn peak_memory() -> anyhow::Result<u64> {
    status("VmHWM:")
}

/// Returns the resident memory of this process now, in bytes.
///
/// # Errors
/// Where there is no `/proc`.
pub fn memory() -> anyhow::Result<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("reading `/proc/self/status`: memory is measured on Linux only")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .context("no such line")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no number")?
        .parse()?;
    Ok(kib * 1024)
}
