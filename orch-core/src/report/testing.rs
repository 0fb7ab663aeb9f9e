//! Reports made by hand and by chance, for the tests below `report`.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    AttemptReport, EdgeKind, EdgeReport, ErrorReport, NodeKind, RunReport, TaskCounts,
    TaskRunReport,
};
use crate::state::State;

pub(crate) fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

pub(crate) fn error(message: &str) -> ErrorReport {
    ErrorReport {
        message: message.to_owned(),
        causes: Vec::new(),
        backtrace: None,
    }
}

/// A completed flow run of `duration` milliseconds without task runs.
pub(crate) fn report(duration: u64) -> RunReport {
    RunReport {
        flow_run: "0192-example".to_owned(),
        flow: "train-daily".to_owned(),
        name: "brisk-otter".to_owned(),
        tags: Vec::new(),
        state: State::Completed,
        error: None,
        started_at_unix_ms: 1_790_000_000_000,
        duration: ms(duration),
        seed: 42,
        parameters: Vec::new(),
        manifest: serde_json::Map::new(),
        task_runs: Vec::new(),
        edges: Vec::new(),
        unrecorded: Vec::new(),
        logs: Vec::new(),
        logs_dropped: 0,
        logged: Vec::new(),
        logged_dropped: 0,
    }
}

impl RunReport {
    /// Adds a completed task run, with the times it was submitted, ready, started and ended in
    /// milliseconds, and returns its index.
    pub(crate) fn add(&mut self, name: &str, times: [u64; 4]) -> u32 {
        let index = self.task_runs.len() as u32;
        let [submitted, ready, started, ended] = times.map(ms);
        self.task_runs.push(TaskRunReport {
            index,
            name: name.to_owned(),
            task: name.split('[').next().unwrap_or_default().to_owned(),
            kind: NodeKind::Task,
            parent: None,
            state: State::Completed,
            attempts: 1,
            failed_attempts: Vec::new(),
            submitted,
            ready: Some(ready),
            started: Some(started),
            last_started: None,
            ended: Some(ended),
            error: None,
            failure_observed: false,
            tags: Vec::new(),
            fingerprint: "00ff".to_owned(),
            source: "src/flow.rs:7".to_owned(),
            items: None,
            result_from: None,
            is_orphaned: false,
            call: None,
            logs: Vec::new(),
        });
        index
    }

    pub(crate) fn edge(&mut self, from: u32, to: u32) {
        self.edge_of(from, to, EdgeKind::Data);
    }

    pub(crate) fn edge_of(&mut self, from: u32, to: u32, kind: EdgeKind) {
        self.edges.push(EdgeReport { from, to, kind });
    }

    pub(crate) fn run_mut(&mut self, index: u32) -> &mut TaskRunReport {
        &mut self.task_runs[index as usize]
    }

    pub(crate) fn nest(&mut self, parent: u32, children: &[u32]) {
        for child in children {
            self.run_mut(*child).parent = Some(parent);
        }
    }

    /// Makes a task run one that ended without having started.
    pub(crate) fn never_started(&mut self, index: u32, state: State) {
        let run = self.run_mut(index);
        run.state = state;
        run.attempts = 0;
        run.started = None;
        run.ready = None;
    }

    /// A failed attempt from `started` to `ended`, after which the next began at `next`.
    pub(crate) fn fail_attempt(&mut self, index: u32, started: u64, ended: u64, next: u64) {
        let run = self.run_mut(index);
        run.failed_attempts.push(AttemptReport {
            attempt: run.attempts,
            started: ms(started),
            ended: ms(ended),
            error: error("connection reset by peer"),
        });
        run.attempts += 1;
        run.last_started = Some(ms(next));
    }
}

/// A flow of the usual kind: load, preprocess, five folds, evaluation; with a retry, a wait for a
/// limit, a failure, a skipped task run, a cached one, a map and long names.
pub(crate) fn ml_run() -> RunReport {
    let mut report = report(3_420);
    report.state = State::Failed;
    let load = report.add("load", [2, 2, 3, 640]);
    report.fail_attempt(load, 3, 120, 320);
    let config = report.add("read_config", [2, 2, 2, 3]);
    report.never_started(config, State::Cached);
    report.run_mut(config).ready = Some(ms(2));
    let preprocess = report.add("preprocess", [3, 640, 641, 910]);
    report.edge(load, preprocess);
    report.edge(config, preprocess);
    let group = report.add("cross_validate", [4, 910, 911, 2_700]);
    report.run_mut(group).kind = NodeKind::Group;
    report.edge(preprocess, group);
    for fold in 0..5_u64 {
        let started = 915 + fold / 2 * 560;
        let times = [912, 912, started, started + 480 + 37 * fold];
        let fit = report.add(&format!("fit[fold={fold}]"), times);
        report.nest(group, &[fit]);
        report.edge(preprocess, fit);
        if fold == 3 {
            report.fail_attempt(fit, started, started + 90, started + 190);
            report.fail_attempt(fit, started + 190, started + 280, started + 480);
            report.run_mut(fit).state = State::Failed;
            report.run_mut(fit).error = Some(ErrorReport {
                message: "singular matrix in fold 3".to_owned(),
                causes: vec!["column `age` is constant".to_owned()],
                backtrace: None,
            });
        }
        let score = report.add(&format!("score[fold={fold}]"), {
            let ended = 915 + fold / 2 * 560 + 480 + 37 * fold;
            [912, ended, ended + 1, ended + 60]
        });
        report.nest(group, &[score]);
        report.edge(fit, score);
        if fold == 3 {
            report.never_started(score, State::Skipped);
        }
    }
    let select = report.add(
        "select_features_by_mutual_information_and_recursive_elimination[dataset=customers_2026]",
        [4, 910, 1_400, 2_350],
    );
    report.edge(preprocess, select);
    let map = report.add("embed_rows", [4, 910, 911, 1_700]);
    report.run_mut(map).kind = NodeKind::Map;
    report.run_mut(map).items = Some(TaskCounts {
        task: "embed_row".to_owned(),
        completed: 9_700,
        found: 0,
        failed: 240,
        cancelled: 60,
    });
    report.edge(preprocess, map);
    let train = report.add("train_final", [2_720, 2_720, 2_722, 3_300]);
    report.edge(preprocess, train);
    report.edge(select, train);
    report.edge(map, train);
    report.edge_of(group, train, EdgeKind::Catch);
    let evaluate = report.add("evaluate", [2_721, 3_300, 3_300, 3_400]);
    report.edge(train, evaluate);
    report.run_mut(evaluate).state = State::TimedOut;
    report.run_mut(evaluate).error = Some(error("an attempt took longer than 100 ms"));
    let publish = report.add("publish <b>\"now\"</b> & ]", [2_721, 3_400, 3_400, 3_400]);
    report.edge(evaluate, publish);
    report.never_started(publish, State::Skipped);
    let clean = report.add("remove_scratch_files", [3_401, 3_401, 3_401, 3_415]);
    report.run_mut(clean).kind = NodeKind::Finally;
    report.edge_of(train, clean, EdgeKind::Order);
    report.error = report.run_mut(evaluate).error.clone();
    report
}

/// Flow runs that an engine could have recorded: bodies that submit and await, nested task runs,
/// inputs from everywhere before, and what has not ended or never started.
pub(crate) fn any_report() -> impl Strategy<Value = RunReport> {
    let run = (
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        [0_u64..6, 0..4, 0..4, 0..30],
        0_usize..40,
    );
    (prop::collection::vec(run, 0..40), 0_u64..20).prop_map(|(runs, tail)| {
        let mut report = report(0);
        let mut now = 0;
        let mut end = 0;
        for (position, (parent, inputs, [gap, overhead, queue, time], kind)) in
            runs.into_iter().enumerate()
        {
            now += gap;
            let parent = (kind % 3 == 0 && position > 0).then(|| parent.index(position) as u32);
            let mut submitted = now;
            if let Some(parent) = parent {
                let started = report.run_mut(parent).started.unwrap_or_default();
                submitted = submitted.max(started.as_millis() as u64);
            }
            let inputs: Vec<u32> = inputs
                .iter()
                .filter(|_| position > 0)
                .map(|i| i.index(position) as u32)
                .collect();
            let inputs: Vec<u32> = inputs.into_iter().filter(|i| Some(*i) != parent).collect();
            let ended = |run: &TaskRunReport| run.ended.unwrap_or_default().as_millis() as u64;
            let arrived = inputs
                .iter()
                .map(|i| ended(&report.task_runs[*i as usize]))
                .max();
            let ready = arrived.unwrap_or(0).max(submitted) + overhead;
            let started = ready + queue;
            let index = report.add(
                &format!("task_{}[{position}]", position % 5),
                [submitted, ready, started, started + time],
            );
            report.run_mut(index).parent = parent;
            for input in inputs {
                report.edge(input, index);
            }
            let state = State::ALL[kind % State::ALL.len()];
            if state.is_final() {
                report.run_mut(index).state = state;
            }
            end = end.max(started + time);
            // The body awaits some of them.
            if kind % 4 == 1 {
                now = now.max(started + time);
            }
        }
        report.duration = ms(end + tail);
        report
    })
}
