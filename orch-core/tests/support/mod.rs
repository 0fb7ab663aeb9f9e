//! Folders that go with their test, and programs that are killed.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several tests, each of which uses some of it"
)]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use orch_core::store::{FlowRunFilter, FlowRunRow, FolderStore, RunStore, TaskRunRow};
use orch_core::{Engine, TaskContext};

/// Names the store's folder to a program.
const FOLDER: &str = "ORCH_TEST_FOLDER";
/// Tells a program what to do.
const ROLE: &str = "ORCH_TEST_ROLE";

/// A folder that is gone with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orch-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the store is: beside whatever else a test keeps.
    pub fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    pub fn open(&self) -> Engine {
        Engine::open(self.store()).unwrap()
    }

    /// Starts this test's own binary once more, as a program that plays a role on the folder. The
    /// binary needs a test `program` that calls [`role`].
    pub fn program(&self, role: &str) -> Program {
        self.program_with(role, &[])
    }

    /// The same with some environment variables.
    pub fn program_with(&self, role: &str, variables: &[(&str, &str)]) -> Program {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "program", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, &self.0)
            .env(ROLE, role)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Program { child, lines }
    }

    /// What the programs noted, a line each.
    pub fn notes(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join("notes")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Reads all flow runs and their task runs.
    pub async fn rows(&self) -> Vec<(FlowRunRow, Vec<TaskRunRow>)> {
        let store = FolderStore::open(self.store()).unwrap();
        let mut rows = Vec::new();
        for run in store.flow_runs(FlowRunFilter::default()).await.unwrap() {
            let task_runs = store.task_runs(run.id).await.unwrap();
            rows.push((run, task_runs));
        }
        rows
    }

    /// The names of the files in one of the store's folders, those of folders in it included.
    pub fn files(&self, of: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.store().join(of)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The role of this process and the folder it plays it on; `None` in the test itself.
pub fn role() -> Option<(String, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, PathBuf::from(std::env::var_os(FOLDER)?)))
}

/// Notes something in the folder of a program.
pub fn note(line: &str) {
    let (_, folder) = role().expect("programs take notes, and tests read them");
    note_in(&folder, line);
}

/// Notes something in a folder, in a way that no kill tears apart.
pub fn note_in(folder: &Path, line: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("notes"))
        .unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Tells the test something.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A test that has heard enough has closed the other end.
    drop(out.write_all(format!("> {line}\n").as_bytes()));
    drop(out.flush());
}

/// Notes that a task run executes, and tells the test.
pub fn note_execution(ctx: &TaskContext) {
    note(&format!("{} {}", std::process::id(), ctx.idempotency_key()));
    say("executed");
    // As long as a commit takes, about: else a process would be killed before it recorded anything.
    std::thread::sleep(Duration::from_micros(500));
}

/// A program that plays a role. It is killed when it is dropped.
pub struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Program {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next thing that the program says; `None` once it has ended.
    pub fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness of the program talks too, and may not have ended its line.
            if let Some((_, said)) = line.trim_end().split_once("> ") {
                return Some(said.to_owned());
            }
        }
    }

    /// Waits until the program says this.
    pub fn hear_that(&mut self, expected: &str) {
        loop {
            match self.hear() {
                Some(said) if said == expected => return,
                Some(_) => {}
                None => panic!("the program ended before it said `{expected}`"),
            }
        }
    }

    /// Kills it: `SIGKILL`.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends it another signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended by itself.
    pub fn end(mut self) {
        while self.hear().is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
