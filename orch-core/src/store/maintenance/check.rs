//! Whether everything that rows point to is there, and is what it was.

use std::collections::HashMap;
use std::fmt;

use super::ValueOf;
use crate::store::{BlobStore, Place, RunStore, StoreError, StoredValue};
use crate::value::{Digest, Intact, verify};

/// What a check of a store found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// How many values rows hold or point to.
    pub values: usize,
    /// How many of them could only be compared by their length: those in a form of their type's
    /// own, whose name is part of the digest and is not stored. Reading such a value verifies it.
    pub by_length: usize,
    /// The values that are gone or are not what they were. The task runs that they are of run again
    /// when they are needed.
    pub lost: Vec<Lost>,
    /// Values that nothing points to: a collection removes them.
    pub orphans: Vec<Digest>,
    /// What is wrong with the rows themselves. With any of this the rest may be incomplete.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is lost.
    pub fn is_sound(&self) -> bool {
        self.lost.is_empty() && self.problems.is_empty()
    }
}

/// A value that is gone or is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The digest that it should have.
    pub digest: Digest,
    /// Whose value it is; the first row that was found, if there are several.
    pub of: ValueOf,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of, self.problem)
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "database: {problem}")?;
        }
        for lost in &self.lost {
            writeln!(f, "{lost}")?;
        }
        write!(
            f,
            "{} values, {} lost, {} that nothing points to",
            self.values,
            self.lost.len(),
            self.orphans.len()
        )
    }
}

/// Reads everything there is.
pub(crate) fn check(runs: &dyn RunStore, blobs: &dyn BlobStore) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    let Some(runs) = runs.maintenance() else {
        return Ok(report);
    };
    report.problems = runs.problems()?;
    let mut in_blobs: HashMap<Digest, (ValueOf, StoredValue)> = HashMap::new();
    let read = runs.each_value(false, &mut |of, value| {
        report.values += 1;
        match value {
            Err(error) => report.problems.push(format!("{of}: {error}")),
            Ok(value) => match &value.place {
                Place::Inline(bytes) => report.note(of, &value, bytes),
                Place::Blob => {
                    in_blobs.entry(value.stored.digest).or_insert((of, value));
                }
            },
        }
    });
    let has_all_rows = match read {
        Ok(()) => true,
        Err(error) => {
            report.problems.push(chain(&error));
            false
        }
    };
    for (digest, (of, value)) in &in_blobs {
        match blobs.read(digest) {
            Ok(Some(bytes)) => report.note(of.clone(), value, &bytes),
            Ok(None) => report.lose(of.clone(), value, "is gone".to_owned()),
            Err(error) => report.lose(of.clone(), value, chain(&error)),
        }
    }
    report
        .lost
        .sort_by_key(|lost| (lost.of.to_string(), lost.digest));
    // What a row that cannot be read points to would look like one.
    if has_all_rows && let Some(blobs) = blobs.maintenance() {
        for part in 0..blobs.parts() {
            let part = blobs.list(part)?.into_iter().map(|blob| blob.digest);
            let orphans = part.filter(|digest| !in_blobs.contains_key(digest));
            report.orphans.extend(orphans);
        }
    }
    Ok(report)
}

impl CheckReport {
    fn note(&mut self, of: ValueOf, value: &StoredValue, bytes: &[u8]) {
        match verify(&value.stored, bytes) {
            Intact::Yes => {}
            Intact::AsLong => self.by_length += 1,
            Intact::No => self.lose(of, value, "is not what it was".to_owned()),
        }
    }

    fn lose(&mut self, of: ValueOf, value: &StoredValue, problem: String) {
        self.lost.push(Lost {
            digest: value.stored.digest,
            of,
            problem,
        });
    }
}

/// An error with its causes.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
