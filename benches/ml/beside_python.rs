//! The functions on large data, each beside what a Python program would call, on the same files.

use std::cell::RefCell;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use orch_benches::{Matrix, Peer, Python, Results, Row, Samples, peak_memory};
use orch_ml::{
    CsvOptions, Dataset, KMeansOptions, Train, fit_forest_classifier, fit_kmeans, fit_linear,
    read_csv,
};

use crate::cases::{Case, cases, forest};
use crate::data::{Data, Sizes, classes, names, records};

/// Stands for the workflow as a whole process.
pub(crate) const WORKFLOW: &str = "workflow, process";

/// The cases whose peak memory is measured, each alone in a process.
const WITH_MEMORY: [(&str, &str); 4] = [
    ("read CSV, pandas", "read_csv_pandas"),
    ("least squares", "least_squares"),
    ("forest, fit, 100k x 20", "forest_fit_100k"),
    ("k-means", "kmeans"),
];

/// Measures all that was asked for.
pub(crate) fn measure(results: &mut Results) -> anyhow::Result<()> {
    let sizes = Sizes::new(results.is_smoke());
    let python = if results.is_smoke() {
        None
    } else {
        match Python::prepare() {
            Ok(python) => Some(python),
            Err(error) => {
                println!("nothing in Python to compare with: {error:#}");
                None
            }
        }
    };
    let data = Data::draw(sizes)?;
    let peer = match &python {
        Some(python) => Some(RefCell::new(python.start(data.samples.path())?)),
        None => None,
    };
    for case in cases(&data, sizes) {
        run_case(results, case, peer.as_ref())?;
    }
    if let Some(python) = &python {
        measure_memory(results, python, data.samples.path())?;
        measure_processes(results, python)?;
    }
    Ok(())
}

fn run_case(
    results: &mut Results,
    mut case: Case<'_>,
    peer: Option<&RefCell<Peer>>,
) -> anyhow::Result<()> {
    if !results.wants(case.name) {
        return Ok(());
    }
    let Some(peer) = peer else {
        let (took, check) = (case.ours)();
        anyhow::ensure!(check.is_finite(), "{} came to {check}", case.name);
        results.push(Row {
            case: case.name.to_owned(),
            n: case.n,
            ours: Some(took.as_nanos() as f64 / case.n as f64),
            floor: None,
            ratio: None,
            unit: "ns/item",
            bytes_per_task_run: None,
            budget: case.budget,
        });
        return Ok(());
    };
    let ours = RefCell::new(f64::NAN);
    let floor = || {
        let answer = peer.borrow_mut().ask(case.python).expect("Python answers");
        let ours = *ours.borrow();
        let apart = (ours - answer.check).abs();
        assert!(
            ours.is_nan() || apart <= case.tolerance * answer.check.abs().max(1.0),
            "{}: {ours} here, {} in Python",
            case.name,
            answer.check
        );
        answer.took()
    };
    let run = || {
        let (took, check) = (case.ours)();
        *ours.borrow_mut() = check;
        took
    };
    results.compare_in_rounds(case.rounds, case.name, case.n, case.budget, run, floor);
    Ok(())
}

/// Measures the peak memory of some cases, each alone in a process, its data included.
fn measure_memory(results: &mut Results, python: &Python, folder: &Path) -> anyhow::Result<()> {
    for (case, name) in WITH_MEMORY {
        let shown = format!("memory: {case}");
        if !results.wants(&shown) {
            continue;
        }
        let ours = results.memory_of(case)?;
        let theirs = python.run(&[&folder.display().to_string(), name])?;
        let theirs: f64 = theirs.parse().with_context(|| format!("`{theirs}`"))?;
        results.push(Row {
            case: shown,
            n: 1,
            ours: Some(ours / 1e6),
            floor: Some(theirs / 1e6),
            ratio: Some(ours / theirs),
            unit: "MB",
            bytes_per_task_run: None,
            budget: if case.starts_with("read") {
                "<= 360 MB"
            } else {
                ""
            },
        });
    }
    Ok(())
}

/// Runs one case and prints the peak memory of this process.
pub(crate) fn run_alone(case: &str) -> anyhow::Result<()> {
    let sizes = Sizes::new(false);
    match case {
        // Nothing but the file is there.
        "read CSV, pandas" => {
            let samples = Samples::new()?;
            let csv = samples.write_table(sizes.table)?;
            black_box(read_csv(&csv, &CsvOptions::default())?);
        }
        "least squares" => {
            let line = Matrix::of_line(sizes.table, 10);
            let train = Train::all(Dataset::new(line.x, line.y, names(10), "y")?);
            black_box(fit_linear(&train)?);
        }
        "forest, fit, 100k x 20" => {
            let all = Matrix::of_classes(sizes.rows100k, 20, 3);
            let train = Train::all(classes(&all)?);
            drop(all);
            black_box(fit_forest_classifier(&train, &forest())?);
        }
        "k-means" => {
            let heaps = Matrix::of_heaps(sizes.rows100k, 10);
            let records = records(&heaps)?;
            drop(heaps);
            black_box(fit_kmeans(&records, &KMeansOptions::default())?);
        }
        other => anyhow::bail!("there is no case `{other}`"),
    }
    println!("{}", peak_memory()?);
    Ok(())
}

/// The whole workflow on a small file, process start to end.
fn measure_processes(results: &mut Results, python: &Python) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("finding this program")?;
    let ours = || {
        let start = Instant::now();
        let status = std::process::Command::new(&program)
            .args(["--memory", WORKFLOW])
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.expect("this program starts").success());
        start.elapsed()
    };
    let theirs = |how: &'static str| {
        let python = python.clone();
        move || python.time(&[how, super::FILE]).expect("Python runs it")
    };
    let name = "workflow, process, pandas";
    results.compare_in_rounds((1, 9), name, 1, "", ours, theirs("--workflow"));
    let name = "workflow, process, Prefect";
    results.compare_in_rounds((1, 3), name, 1, "", ours, theirs("--prefect"));
    Ok(())
}
