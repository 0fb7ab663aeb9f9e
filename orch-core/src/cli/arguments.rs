//! What the command line takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::state::State;

/// Runs the flows of this program, and looks into what ran before
#[derive(Debug, Parser)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// Folder of the store; without it, that of the variable ORCH_STORE, or `.orch`
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the flows, their parameters and what they are for
    Flows,
    /// Say what each setting is, and who says so: the program, a variable, `orch.toml`
    Config,
    /// Run a flow
    Run(Run),
    /// Go on with a flow run that did not complete
    Resume {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        /// Only say what would run, and why
        #[arg(long)]
        dry_run: bool,
    },
    /// Run a flow run once more, from some tasks on
    Rerun {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        /// Tasks that run again, and what comes to another result by that
        #[arg(long, value_name = "TASK", required = true, num_args = 1..)]
        from: Vec<String>,
        /// Only say what would run, and why
        #[arg(long)]
        dry_run: bool,
    },
    /// Run a flow run with other parameters or code, after a look at what will run
    Fork {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        #[command(flatten)]
        params: Params,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Only say what would run, and why
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
    },
    /// Run a recorded flow run anew in memory, with its parameters and seed
    Replay {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        /// Compare each result with the recorded one, and fail at the first that differs
        #[arg(long)]
        verify: bool,
    },
    #[command(flatten)]
    Look(Look),
}

/// Commands that need a store and start nothing.
#[derive(Debug, Subcommand)]
pub(super) enum Look {
    /// List flow runs, or pin them
    Runs(Runs),
    /// Show a flow run: its task runs, times, errors, what was logged, where cached results came from
    Show {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        /// Write the graph, the timeline and the whole run to this folder
        #[arg(long, value_name = "DIR")]
        report: Option<PathBuf>,
    },
    /// Say why a task run ran, or did not
    Explain {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
        /// Name of a task or a task run, or the beginning of a call id
        task: String,
    },
    /// Say where a value came from, and what was made of it
    Lineage(Lineage),
    /// Compare two flow runs: what differs, and their metrics
    Diff {
        /// Id, name, key, or the beginning of an id or a name
        before: String,
        /// The other one
        after: String,
    },
    /// Put flow runs side by side: params, metrics, durations
    Compare {
        /// Ids, names, keys, or beginnings of ids or names
        #[arg(required = true)]
        runs: Vec<String>,
        /// Print CSV, with all digits of the numbers
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// Look after the cache
    #[command(subcommand)]
    Cache(Cache),
    /// Look after the store's files
    #[command(subcommand)]
    Store(Store),
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Name of the flow
    pub(super) flow: String,
    #[command(flatten)]
    pub(super) params: Params,
    /// Key, unique among the runs of the flow: with the same key, a run that completed gives its
    /// result, and one that did not is gone on with
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Name of the flow run
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Seed of everything random
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Execute tasks of this name although the cache has results; `*` stands for any letters
    #[arg(long, value_name = "TASK")]
    pub(super) refresh: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Params {
    /// A parameter: JSON if its type takes that, else text; a secret as `env:NAME` or `file:PATH`
    #[arg(long = "param", short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) params: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Runs {
    /// Only runs of this flow
    #[arg(long)]
    pub(super) flow: Option<String>,
    /// Only runs in this state
    #[arg(long, value_parser = state)]
    pub(super) state: Vec<State>,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    pub(super) limit: usize,
    #[command(subcommand)]
    pub(super) action: Option<Pinning>,
}

#[derive(Debug, Args)]
pub(super) struct Lineage {
    /// Id, name, key, or the beginning of an id or a name
    #[arg(required_unless_present = "value")]
    pub(super) run: Option<String>,
    /// Name of a task or a task run, or the beginning of a call id
    #[arg(required_unless_present_any = ["value", "open_lineage"])]
    pub(super) task: Option<String>,
    /// Digest of a value instead, or its beginning
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["run", "task", "open_lineage"])]
    pub(super) value: Option<String>,
    /// Print the flow run as events of OpenLineage, one a line
    #[arg(long, conflicts_with = "task")]
    pub(super) open_lineage: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Pinning {
    /// Keep a flow run and all its values
    Pin {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
    },
    /// Keep it no longer than others
    Unpin {
        /// Id, name, key, or the beginning of an id or a name
        run: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Cache {
    /// List cached results, the last used first
    Ls {
        /// Only results of this task
        #[arg(long)]
        task: Option<String>,
        /// At most so many; 0 for all
        #[arg(long, default_value_t = 20, value_name = "NUMBER")]
        limit: usize,
    },
    /// Keep a result whatever the budget says
    Pin {
        /// Key, or its beginning
        key: String,
    },
    /// Keep it no longer than others
    Unpin {
        /// Key, or its beginning
        key: String,
    },
    /// Forget results
    Rm {
        /// Keys, or their beginnings
        #[arg(required_unless_present = "task")]
        keys: Vec<String>,
        /// All results of this task that are not pinned
        #[arg(long)]
        task: Option<String>,
    },
    /// Remove the flow runs, cached results and values that the store does not keep
    Gc {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Read every value and say what is lost or damaged
    Check,
    /// Make the database as small as it can be; flow runs wait meanwhile
    Compact,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn state(text: &str) -> Result<State, String> {
    let wanted = text.replace(['_', '-'], " ");
    let found = State::ALL.into_iter().find(|state| state.word() == wanted);
    found.ok_or_else(|| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
        format!("expected one of: {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn states_are_read_as_they_are_shown() {
        assert_eq!(state("timed out").ok(), Some(State::TimedOut));
        assert_eq!(state("awaiting_retry").ok(), Some(State::AwaitingRetry));
        assert!(state("done").unwrap_err().contains("completed"));
    }

    #[test]
    fn a_parameter_has_a_name_and_may_have_an_empty_value() {
        let parameter = |text| pair(text).ok();
        assert_eq!(parameter("a=b=c"), Some(("a".into(), "b=c".into())));
        assert_eq!(parameter("a="), Some(("a".into(), String::new())));
        assert_eq!((parameter("a"), parameter("=b")), (None, None));
    }
}
