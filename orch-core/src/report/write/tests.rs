use std::fs;

use super::*;
use crate::report::testing::{ml_run, report};

/// A directory of this test's own, removed when the test ends.
struct TestDir(PathBuf);

impl TestDir {
    fn new(test: &str) -> TestDir {
        let name = format!("orch-report-{test}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        TestDir(dir)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn six_files_are_written_and_replaced() {
    let dir = TestDir::new("six-files");
    let inner = TestDir(dir.0.join("a").join("b"));
    report(7).write_to(&inner.0).unwrap();
    let paths = ml_run().write_to(&inner.0).unwrap();
    assert_eq!(
        inner.names(),
        [
            "graph.dot",
            "graph.mmd",
            "graph.svg",
            "report.html",
            "run.json",
            "timeline.svg"
        ]
    );
    assert_eq!(paths.len(), 6);
    let json = fs::read_to_string(inner.0.join("run.json")).unwrap();
    assert_eq!(RunReport::from_json(&json).unwrap(), ml_run());
}

#[test]
fn an_error_names_the_path_and_leaves_nothing_behind() {
    let dir = TestDir::new("error");
    // A directory cannot be replaced by a file.
    fs::create_dir_all(dir.0.join("graph.dot").join("full")).unwrap();
    let error = report(7).write_to(&dir.0).unwrap_err();
    let path = dir.0.join("graph.dot");
    assert_eq!(
        error.to_string(),
        format!("report file `{}` could not be written", path.display())
    );
    assert_eq!(dir.names(), ["graph.dot", "graph.svg", "report.html"]);

    let file = dir.0.join("graph.svg");
    let error = report(7).write_to(&file.join("below")).unwrap_err();
    assert!(error.to_string().contains("graph.svg"), "{error}");
}
