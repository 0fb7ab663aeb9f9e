//! The command line of a program that has flows.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use orch_core::prelude::*;
//!
//! #[task(cache)]
//! async fn length(text: String) -> usize {
//!     text.len()
//! }
//!
//! /// Measures a text.
//! #[flow]
//! async fn measure(text: String) -> anyhow::Result<usize> {
//!     Ok(*length(text).await?)
//! }
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     orch_core::cli::main().await
//! }
//! ```
//!
//! `measure run measure --param text=hello` runs it, and `measure runs` lists what has run.
//!
//! | Command | Does |
//! |---|---|
//! | `flows` | lists the flows, their parameters and what they are for |
//! | `config` | says what each setting is, and who says so |
//! | `run FLOW --param NAME=VALUE..` | runs a flow |
//! | `runs`, `runs pin RUN`, `runs unpin RUN` | lists the flow runs of the store; keeps them |
//! | `show RUN` | shows a flow run: its task runs, times, errors, params, metrics, artifacts, where cached results came from |
//! | `explain RUN TASK` | says why a task run ran, or did not |
//! | `lineage RUN TASK`, `lineage --value DIGEST` | says where a value came from, and what was made of it |
//! | `lineage RUN --open-lineage` | writes a flow run as events of OpenLineage, for catalogs |
//! | `resume RUN` | goes on with a flow run that did not complete |
//! | `rerun RUN --from TASK..` | runs it once more, from some tasks on |
//! | `fork RUN --param NAME=VALUE..` | runs it with other parameters or code, after a look at what will run |
//! | these three with `--dry-run` | say what would run, and why |
//! | `diff A B` | compares two flow runs: what differs, metrics side by side |
//! | `compare RUN..`, with `--csv` | puts flow runs side by side: params, metrics, durations |
//! | `replay RUN --verify` | runs a flow anew in memory and compares each result |
//! | `cache ls`, `cache pin KEY`, `cache unpin KEY`, `cache rm KEY..` | looks after the cache |
//! | `cache gc --dry-run` | removes flow runs, cached results and values that the store does not keep |
//! | `store check`, `store compact` | looks for damage; makes the database smaller |
//!
//! All of them take `--store DIR` (without it, that of the variable `ORCH_STORE`, or `.orch`) and
//! `--json`, whose field names are stable. Settings that the program does not make come from
//! variables and `orch.toml`: see [`EngineBuilder::configure`].
//! `--help` says the rest.
//!
//! - `RUN` is an id, a name, a key, or the beginning of an id or a name.
//! - The value of a parameter is JSON if the parameter's type takes that, else the text as it is:
//!   `--param rows=7`, `--param name=Ada`, `--param weights=[0.5,0.5]`. A secret is `env:NAME` or
//!   `file:PATH`, never the secret itself.
//! - Progress is on standard error: live on a terminal, plain lines elsewhere, none with `--quiet`.
//! - A flow run whose process is stopped is not lost: `resume` goes on with it.
//!
//! It exits with 0 if all went well, with 1 if a run or the store failed or something was not found,
//! and with 2 if the command or an argument was wrong.

mod arguments;
mod caching;
mod error;
mod json;
mod keeping;
mod looking;
mod parameter;
mod running;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command, Look, Store};
use self::error::Failure;
use crate::engine::{Engine, EngineBuilder};
use crate::store::is_store;

/// Does what the program's arguments say, on an engine with default settings.
///
/// It needs a Tokio runtime with a timer; the tasks decide about its other features.
pub async fn main() -> ExitCode {
    main_on(Engine::builder).await
}

/// The same on an engine of one's own: with resources, limits, a seed. `replay` makes a second one.
pub async fn main_on(builder: impl Fn() -> EngineBuilder) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let is_json = arguments.json;
    let done = Cli { arguments, builder }.execute().await;
    let failure = match done {
        Ok(output) => {
            print(&output.text);
            return if output.is_failure {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
        Err(failure) => failure,
    };
    if is_json {
        print(&json::text(&failure.to_json()));
    } else {
        eprint!("{failure}");
    }
    ExitCode::from(failure.code())
}

/// Writes to standard output. Whoever reads it may stop to.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What a command prints.
struct Output {
    text: String,
    /// Whether what it tells is a failure all the same.
    is_failure: bool,
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self {
            text,
            is_failure: false,
        }
    }
}

struct Cli<B> {
    arguments: Arguments,
    builder: B,
}

impl<B: Fn() -> EngineBuilder> Cli<B> {
    async fn execute(self) -> Result<Output, Failure> {
        let is_json = self.arguments.json;
        match &self.arguments.command {
            Command::Flows => Ok(looking::flows(is_json).into()),
            Command::Config => looking::config(&self.builder()?, is_json),
            Command::Run(run) => self.run(run).await,
            Command::Resume { run, dry_run } => self.resume(run, *dry_run).await,
            Command::Rerun { run, from, dry_run } => self.rerun(run, from, *dry_run).await,
            Command::Fork {
                run,
                params,
                yes,
                dry_run,
            } => self.fork(run, params, *yes, *dry_run).await,
            Command::Replay { run, verify } => self.replay(run, *verify).await,
            Command::Look(look) => {
                let engine = self.open()?;
                let text = match look {
                    Look::Runs(runs) => looking::runs(&engine, runs, is_json)?,
                    Look::Show { run, report } => {
                        looking::show(&engine, run, report.as_deref(), is_json)?
                    }
                    Look::Explain { run, task } => looking::explain(&engine, run, task, is_json)?,
                    Look::Lineage(lineage) => looking::lineage(&engine, lineage, is_json)?,
                    Look::Diff { before, after } => looking::diff(&engine, before, after, is_json)?,
                    Look::Compare { runs, csv } => looking::compare(&engine, runs, *csv, is_json)?,
                    Look::Cache(command) => caching::execute(&engine, command, is_json)?,
                    Look::Store(Store::Check) => return keeping::check(&engine, is_json),
                    Look::Store(Store::Compact) => keeping::compact(&engine, is_json)?,
                };
                Ok(text.into())
            }
        }
    }

    /// Opens the store that is there.
    fn open(&self) -> Result<Engine, Failure> {
        let path = self.store();
        if !is_store(&path) {
            return Err(Failure::no_store(&path));
        }
        self.create()
    }

    /// Opens the store, and makes it if it is missing.
    fn create(&self) -> Result<Engine, Failure> {
        Ok(self.builder()?.open(self.store())?)
    }

    /// The folder of the store.
    fn store(&self) -> PathBuf {
        let named = self.arguments.store.clone();
        let named = named.or_else(|| std::env::var_os("ORCH_STORE").map(PathBuf::from));
        named.unwrap_or_else(|| PathBuf::from(".orch"))
    }

    /// The engine that the program wants, with the settings that it leaves to others.
    fn builder(&self) -> Result<EngineBuilder, Failure> {
        let mut builder = (self.builder)().configure()?;
        if !self.tells() {
            builder.durable_hooks.clear();
        }
        Ok(builder)
    }
}
