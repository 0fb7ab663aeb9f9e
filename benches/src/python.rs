//! The same work in Python, in a process beside this one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/ml.py");

/// A Python with what the script needs, in a virtual environment beside the built programs.
#[derive(Debug, Clone)]
pub struct Python {
    environment: PathBuf,
}

/// What a case came to in Python.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Answer {
    seconds: f64,
    /// To be compared with ours.
    pub check: f64,
}

impl Answer {
    /// How long it took.
    pub fn took(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

impl Python {
    /// Makes the environment, if it is not there yet, which takes some minutes the first time.
    ///
    /// # Errors
    /// When there is no `python3`, or it cannot install what the script needs.
    pub fn prepare() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let built = program.ancestors().nth(3);
        let environment = built.context("finding the build folder")?.join("python-ml");
        let python = Self { environment };
        python.run(&["--installed"])?;
        Ok(python)
    }

    /// Runs the script to its end, and returns the last line that it printed.
    ///
    /// # Errors
    /// When it cannot be started, or fails.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.command();
        command.args(arguments).stderr(Stdio::piped());
        let output = command.output().context("starting `python3`")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.lines().last().unwrap_or_default();
        anyhow::ensure!(output.status.success(), "`{SCRIPT}` failed: {last}");
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().last().unwrap_or_default().to_owned())
    }

    /// Times the script from start to end.
    ///
    /// # Errors
    /// Those of [`run`](Self::run).
    pub fn time(&self, arguments: &[&str]) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.run(arguments)?;
        Ok(start.elapsed())
    }

    /// Starts the script on a folder of samples, to be asked case by case.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, samples: &Path) -> anyhow::Result<Peer> {
        let mut child = self
            .command()
            .arg(samples)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting `python3`")?;
        let stdin = child.stdin.take().context("its input")?;
        let stdout = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Peer {
            child,
            stdin,
            stdout,
        })
    }

    fn command(&self) -> Command {
        let own = self.environment.join("bin/python");
        let python = if own.exists() { own } else { "python3".into() };
        let mut command = Command::new(python);
        command.arg(SCRIPT);
        command.env("ORCH_BENCH_PYTHON", &self.environment);
        command
    }
}

/// The script, under way.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Runs a case once.
    ///
    /// # Errors
    /// When the script is gone, or answers anything else.
    pub fn ask(&mut self, case: &str) -> anyhow::Result<Answer> {
        writeln!(self.stdin, "{case}").context("asking the script")?;
        let mut line = String::new();
        self.stdout.read_line(&mut line).context("its answer")?;
        serde_json::from_str(&line).with_context(|| format!("`{case}` in Python failed"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends with its input; should it hang, it goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
