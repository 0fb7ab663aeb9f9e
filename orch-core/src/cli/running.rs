//! Commands that run flows.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::arguments::{Command, Params, Run};
use super::error::Failure;
use super::{Cli, Output, json, looking, parameter};
use crate::engine::{self, Engine, EngineBuilder};
use crate::error::FlowError;
use crate::history::{CodeDiff, RecordedRun, RunPlan};
use crate::progress::Progress;
use crate::register::{NamedCall, NamedRun, tasks};
use crate::report::{RunReport, TaskCounts, human};
use crate::state::State;
use crate::store::{FlowRunRow, MemoryBlobs, MemoryStore, RunOrigin, TaskRunRow};
use crate::value::Digest;

/// How long a program that has nothing else to do tries to deliver notices to durable hooks. What is
/// left then stays in the store.
const DELIVERY: Duration = Duration::from_secs(10);

impl<B: Fn() -> EngineBuilder> Cli<B> {
    pub(super) async fn run(&self, run: &Run) -> Result<Output, Failure> {
        let flow = parameter::flow(&run.flow)?;
        let mut call = parameter::call(&run.params.params, |arguments| flow.call(arguments))?;
        if let Some(key) = &run.key {
            call = call.key(key);
        }
        if let Some(name) = &run.name {
            call = call.name(name);
        }
        if let Some(seed) = run.seed {
            call = call.seed(seed);
        }
        for tasks in &run.refresh {
            call = call.refresh(tasks);
        }
        let engine = self.create()?;
        self.follow(&engine, |engine| call.start(engine)).await
    }

    pub(super) async fn resume(&self, run: &str, dry_run: bool) -> Result<Output, Failure> {
        let engine = self.open()?;
        let row = engine.find_run(run)?;
        if dry_run {
            return Ok(self.planned(&engine.plan_resume(row.id).await?));
        }
        self.follow(&engine, |engine| engine.resume(row.id)).await
    }

    pub(super) async fn rerun(
        &self,
        run: &str,
        from: &[String],
        dry_run: bool,
    ) -> Result<Output, Failure> {
        let engine = self.open()?;
        let recorded = looking::recorded(&engine, run)?;
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        for task in &from {
            if !recorded.task_runs.iter().any(|row| row.task.name == *task) {
                let known = names(&recorded.task_runs);
                return Err(Failure::usage(format!(
                    "flow run `{}` has no runs of task `{task}` (it has: {known})",
                    recorded.row.name
                )));
            }
        }
        let id = recorded.row.id;
        if dry_run {
            return Ok(self.planned(&engine.plan_rerun(id, &from).await?));
        }
        self.follow(&engine, |engine| engine.rerun(id, &from)).await
    }

    pub(super) async fn fork(
        &self,
        run: &str,
        params: &Params,
        yes: bool,
        dry_run: bool,
    ) -> Result<Output, Failure> {
        let engine = self.open()?;
        let recorded = looking::recorded(&engine, run)?;
        let row = &recorded.row;
        let flow = parameter::flow(&row.flow)?;
        let call = || -> Result<NamedCall, Failure> {
            let call = parameter::call(&params.params, |changed| flow.call_changed(row, changed))?;
            let origin = RunOrigin::Fork { of: row.id };
            Ok(call.origin(origin, recorded.task_runs.clone().into()))
        };
        if !yes {
            let earlier = recorded.task_runs.clone().into();
            let plan = engine.plan(row.id, call()?, earlier).await?;
            if dry_run {
                return Ok(self.planned(&plan));
            }
            confirm(&recorded, params, &plan)?;
        }
        let call = call()?;
        self.follow(&engine, |engine| call.start(engine)).await
    }

    fn planned(&self, plan: &RunPlan) -> Output {
        match self.arguments.json {
            true => json::text(&json::plan(plan)).into(),
            false => plan.to_string().into(),
        }
    }

    pub(super) async fn replay(&self, run: &str, verify: bool) -> Result<Output, Failure> {
        let recording = self.open()?;
        let recorded = looking::recorded(&recording, run)?;
        let store = Arc::new(MemoryStore::new());
        let engine = self
            .builder()?
            .build_on(store, Arc::new(MemoryBlobs::new()));
        let row = &recorded.row;
        let mut replayed = None;
        let output = self
            .follow(&engine, |engine| {
                let run = recording.replay(row.id, engine)?;
                replayed = Some(run.id());
                Ok(run)
            })
            .await?;
        if !verify {
            return Ok(output);
        }
        let anew = match replayed {
            Some(id) => engine.recorded_run(id)?,
            None => None,
        };
        let anew = anew.ok_or_else(|| Failure::new("the replay left no record"))?;
        let verified = Verified::of(&recorded, &anew);
        let mut text = output.text;
        if self.arguments.json {
            text = json::text(&verified.to_json());
        } else {
            text.push_str(&verified.text(&row.name));
        }
        Ok(Output {
            text,
            is_failure: verified.difference.is_some(),
        })
    }

    /// Whether what runs is still there afterwards.
    fn keeps(&self) -> bool {
        !matches!(self.arguments.command, Command::Replay { .. })
    }

    /// Whether durable hooks are told: not of what leaves no record, and not by who only looks.
    pub(super) fn tells(&self) -> bool {
        match self.arguments.command {
            Command::Run(_) => true,
            Command::Resume { dry_run, .. }
            | Command::Rerun { dry_run, .. }
            | Command::Fork { dry_run, .. } => !dry_run,
            _ => false,
        }
    }

    /// Starts a flow run, shows it while it runs, and tells how it ended.
    async fn follow(
        &self,
        engine: &Engine,
        start: impl FnOnce(&Engine) -> Result<NamedRun, FlowError>,
    ) -> Result<Output, Failure> {
        let progress = (!self.arguments.quiet).then(|| Progress::show(engine));
        let run = start(engine)?;
        let was_over = run.state().is_final();
        let (result, report) = run.finish().await;
        drop(progress);
        engine.drain(DELIVERY).await;
        let is_failure = result.is_err();
        let result = result.ok().flatten();
        let text = if self.arguments.json {
            json::text(&ended_json(&report, result, was_over))
        } else {
            ended(&report, result.as_ref(), was_over, self.keeps())
        };
        Ok(Output { text, is_failure })
    }
}

/// Shows what a fork changes and what it will run, and asks whether it is meant.
fn confirm(recorded: &RecordedRun, params: &Params, plan: &RunPlan) -> Result<(), Failure> {
    let mut changes = String::new();
    for (name, value) in &params.params {
        let earlier = recorded.row.parameters.iter().flatten();
        let earlier = earlier
            .filter(|parameter| parameter.name == *name)
            .map(|parameter| human::short(&parameter.shown.to_string(), 60))
            .next();
        let (before, now) = (
            earlier.as_deref().unwrap_or("none"),
            human::short(value, 60),
        );
        changes.push_str(&format!("  parameter `{name}`: {before} -> {now}\n"));
    }
    for function in changed_code(recorded) {
        let what = if function.code { "code" } else { "version" };
        changes.push_str(&format!("  {what} of `{}`\n", function.name));
    }
    if changes.is_empty() {
        changes.push_str("  nothing\n");
    }
    let name = human::clean(&recorded.row.name);
    eprint!("a fork of flow run `{name}` changes:\n{changes}and then:\n");
    for line in plan.to_string().lines() {
        eprintln!("  {line}");
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody is there to be asked").with_help("`--yes` does not ask"));
    }
    eprint!("run it? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new("not run")),
    }
}

fn ended(report: &RunReport, result: Option<&Value>, was_over: bool, is_kept: bool) -> String {
    let mut text = report.task_table();
    text.push('\n');
    text.push_str(&report.summary());
    if was_over {
        text.push_str("  it had ended before; nothing was run\n");
    }
    if !report.state.is_success() && is_kept {
        let name = human::clean(&report.name);
        text.push_str(&format!("  `resume {name}` goes on with it\n"));
    }
    if let Some(result) = result {
        text.push_str(&format!("result: {result}\n"));
    }
    text
}

fn ended_json(report: &RunReport, result: Option<Value>, was_over: bool) -> Value {
    let task_runs: Vec<Value> = report
        .task_runs
        .iter()
        .map(|run| {
            json!({
                "name": run.name,
                "task": run.task,
                "call": run.call,
                "state": json::state(run.state),
                "attempts": run.attempts,
                "seconds": run.run_time().as_secs_f64(),
                "error": run.error,
                "items": run.items.as_ref().map(TaskCounts::total),
            })
        })
        .collect();
    json!({
        "id": report.flow_run,
        "flow": report.flow,
        "name": report.name,
        "state": json::state(report.state),
        "had_ended_before": was_over,
        "seconds": report.duration.as_secs_f64(),
        "seed": report.seed,
        "result": result,
        "error": report.error,
        "task_runs": task_runs,
    })
}

fn names(rows: &[TaskRunRow]) -> String {
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| format!("`{}`", row.task.name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// The functions that are not what they were when a flow run used them.
fn changed_code(recorded: &RecordedRun) -> Vec<CodeDiff> {
    let mut changed = Vec::new();
    if let Some(flow) = engine::find(&recorded.row) {
        let now = Digest::from_bytes(*flow.definition().fingerprint);
        if now != recorded.row.fingerprint {
            changed.push(CodeDiff::of_code(flow.definition().name));
        }
    }
    for task in tasks() {
        let (id, definition) = (task.id(), task.definition());
        let used = recorded.task_runs.iter().find(|row| row.task.id == id);
        let Some(used) = used else { continue };
        if used.task.fingerprint != task.fingerprint() {
            changed.push(CodeDiff::of_code(definition.name));
        } else if used.task.version.as_deref() != definition.version {
            changed.push(CodeDiff::of_version(
                definition.name,
                used.task.version.clone(),
                definition.version.map(str::to_owned),
            ));
        }
    }
    changed
}

/// How a replay compares with what was recorded.
struct Verified {
    /// Task runs whose results are the same.
    same: usize,
    /// Task runs of which one side has no result to compare.
    unknown: usize,
    /// The first that differs: its name and how.
    difference: Option<(String, String)>,
}

impl Verified {
    fn of(recorded: &RecordedRun, anew: &RecordedRun) -> Self {
        let mut verified = Self {
            same: 0,
            unknown: 0,
            difference: None,
        };
        let mut differs = |row: &TaskRunRow, how: String| {
            let name = row.shown_name().to_owned();
            verified.difference.get_or_insert((name, how));
        };
        for row in &recorded.task_runs {
            if row.is_orphaned || !row.state.is_success() {
                continue;
            }
            let Some(again) = anew.task_runs.iter().find(|again| again.call == row.call) else {
                differs(row, "it was not called again".to_owned());
                continue;
            };
            if !again.state.is_success() {
                differs(row, format!("it is {} now", again.state));
                continue;
            }
            match (digest(row), digest(again)) {
                (Some(before), Some(now)) if before != now => {
                    let (before, now) = (before.short(), now.short());
                    differs(row, format!("its result was {before} and is {now}"));
                }
                (Some(_), Some(_)) => verified.same += 1,
                _ => verified.unknown += 1,
            }
        }
        if verified.difference.is_none() {
            verified.difference = whole(&recorded.row, &anew.row);
        }
        verified
    }

    fn text(&self, name: &str) -> String {
        let name = human::clean(name);
        let same = human::counted(self.same as u64, "task run");
        let mut text = match &self.difference {
            None => format!("verified: {same} of flow run `{name}` came to the same result\n"),
            Some((task_run, how)) => {
                format!(
                    "differs: `{}`: {how}; {same} came to the same result\n",
                    human::clean(task_run)
                )
            }
        };
        if self.unknown > 0 {
            let unknown = human::counted(self.unknown as u64, "task run");
            text.push_str(&format!(
                "{unknown} without a stored result could not be compared\n"
            ));
        }
        text
    }

    fn to_json(&self) -> Value {
        let difference = self.difference.as_ref();
        json!({
            "is_same": difference.is_none(),
            "same": self.same,
            "not_comparable": self.unknown,
            "first_difference": difference.map(|(task_run, how)| json!({
                "task_run": task_run,
                "how": how,
            })),
        })
    }
}

fn digest(row: &TaskRunRow) -> Option<Digest> {
    row.result.as_ref().map(|value| value.stored.digest)
}

/// Compares what the flow runs themselves came to.
fn whole(before: &FlowRunRow, now: &FlowRunRow) -> Option<(String, String)> {
    let name = before.name.clone();
    if before.state == State::Completed && now.state != before.state {
        return Some((name, format!("the flow run is {} now", now.state)));
    }
    let digest = |row: &FlowRunRow| row.result.as_ref().map(|value| value.stored.digest);
    match (digest(before), digest(now)) {
        (Some(before), Some(now)) if before != now => {
            let (before, now) = (before.short(), now.short());
            Some((name, format!("the flow's result was {before} and is {now}")))
        }
        _ => None,
    }
}
