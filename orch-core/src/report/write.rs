//! Reports as files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ReportError, RunReport, Section};

impl RunReport {
    /// Writes `report.html`, `graph.svg`, `graph.dot`, `graph.mmd`, `timeline.svg` and `run.json` into
    /// `dir`, which is created if it is not there, and returns their paths.
    ///
    /// A reader sees each file whole, the old or the new one. Not promised: that all of them are of
    /// one report while two are being written, or that they survive a power cut.
    ///
    /// # Errors
    /// [`ReportError::Write`] with the path that could not be written. Files before it are there.
    pub fn write_to(&self, dir: &Path) -> Result<Vec<PathBuf>, ReportError> {
        self.write_with(dir, &[])
    }

    /// As [`write_to`](Self::write_to), with sections of one's own in the page.
    ///
    /// # Errors
    /// As [`write_to`](Self::write_to).
    pub fn write_with(
        &self,
        dir: &Path,
        sections: &[Section],
    ) -> Result<Vec<PathBuf>, ReportError> {
        fs::create_dir_all(dir).map_err(|source| write_error(dir, source))?;
        let files = [
            ("report.html", self.to_html(sections)),
            ("graph.svg", self.graph_svg()),
            ("graph.dot", self.to_dot()),
            ("graph.mmd", self.to_mermaid()),
            ("timeline.svg", self.timeline_svg()),
            ("run.json", self.to_json()),
        ];
        let mut paths = Vec::with_capacity(files.len());
        for (name, text) in files {
            let path = dir.join(name);
            replace(dir, name, &text).map_err(|source| write_error(&path, source))?;
            paths.push(path);
        }
        Ok(paths)
    }
}

fn write_error(path: &Path, source: io::Error) -> ReportError {
    ReportError::Write {
        path: path.to_owned(),
        source,
    }
}

/// Writes a file beside its place and moves it there.
fn replace(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    // Tells writers within this process apart; the process id tells processes apart.
    static WRITERS: AtomicU64 = AtomicU64::new(0);
    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let temporary = dir.join(format!(".{name}.{}.{writer}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        // What a killed process of the same id left behind.
        .truncate(true)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests;
