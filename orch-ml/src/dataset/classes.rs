//! Classes to predict.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::records::{Records, check_not_empty, check_rows};
use crate::error::MlError;

/// The name of a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClassLabel {
    /// False or true.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A string.
    Text(String),
}

impl fmt::Display for ClassLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClassLabel::Boolean(label) => label.fmt(f),
            ClassLabel::Integer(label) => label.fmt(f),
            ClassLabel::Text(label) => label.fmt(f),
        }
    }
}

/// Booleans before numbers before strings, each in its own order.
impl Ord for ClassLabel {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |label: &ClassLabel| match label {
            ClassLabel::Boolean(_) => 0,
            ClassLabel::Integer(_) => 1,
            ClassLabel::Text(_) => 2,
        };
        match (self, other) {
            (ClassLabel::Boolean(a), ClassLabel::Boolean(b)) => a.cmp(b),
            (ClassLabel::Integer(a), ClassLabel::Integer(b)) => a.cmp(b),
            (ClassLabel::Text(a), ClassLabel::Text(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for ClassLabel {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for ClassLabel {
    fn from(label: &str) -> Self {
        ClassLabel::Text(label.to_owned())
    }
}

impl From<i64> for ClassLabel {
    fn from(label: i64) -> Self {
        ClassLabel::Integer(label)
    }
}

impl From<bool> for ClassLabel {
    fn from(label: bool) -> Self {
        ClassLabel::Boolean(label)
    }
}

/// Records with one class to predict for each.
///
/// Classes are sorted, as those of scikit-learn; a target is the position of its class. A split
/// keeps all classes on both sides, also one that has no row there.
///
/// # Shapes
/// records `[n_rows, n_features]`, targets `[n_rows]`, classes `[n_classes]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawClassificationDataset")]
pub struct ClassificationDataset {
    records: Records,
    targets: Vec<u32>,
    classes: Vec<ClassLabel>,
    target_name: String,
}

#[derive(Deserialize)]
pub(super) struct RawClassificationDataset {
    pub(super) records: Records,
    pub(super) targets: Vec<u32>,
    pub(super) classes: Vec<ClassLabel>,
    pub(super) target_name: String,
}

impl TryFrom<RawClassificationDataset> for ClassificationDataset {
    type Error = MlError;

    fn try_from(raw: RawClassificationDataset) -> Result<Self, MlError> {
        let limit = raw.classes.len();
        if let Some(row_idx) = raw.targets.iter().position(|code| *code as usize >= limit) {
            let code = raw.targets[row_idx];
            return Err(MlError::CodeOutOfRange {
                what: "class code",
                row_idx,
                code,
                limit,
            });
        }
        let (expected, found) = (raw.records.n_rows(), raw.targets.len());
        if found != expected {
            return Err(MlError::LengthMismatch {
                what: "the labels",
                expected,
                found,
            });
        }
        let RawClassificationDataset {
            records,
            targets,
            classes,
            target_name,
        } = raw;
        Ok(Self {
            records,
            targets,
            classes,
            target_name,
        })
    }
}

impl ClassificationDataset {
    /// Puts records and one label per row together.
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`] unless there is one label per row.
    pub fn new<L: Into<ClassLabel>>(
        records: Records,
        labels: impl IntoIterator<Item = L>,
        target_name: impl Into<String>,
    ) -> Result<Self, MlError> {
        let labels: Vec<ClassLabel> = labels.into_iter().map(Into::into).collect();
        let mut classes = labels.clone();
        classes.sort_unstable();
        classes.dedup();
        let position = |label| {
            classes
                .binary_search(label)
                .expect("each label is among the sorted classes") as u32
        };
        let targets = labels.iter().map(position).collect();
        RawClassificationDataset {
            records,
            targets,
            classes,
            target_name: target_name.into(),
        }
        .try_into()
    }

    /// The feature values with their names.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// For each row the position of its class in [`classes`](Self::classes).
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// The classes, sorted.
    pub fn classes(&self) -> &[ClassLabel] {
        &self.classes
    }

    /// The label of each row.
    pub fn labels(&self) -> impl Iterator<Item = &ClassLabel> {
        self.targets
            .iter()
            .map(|code| &self.classes[*code as usize])
    }

    /// The names of the features, in the order of the records' columns.
    pub fn feature_names(&self) -> &[String] {
        self.records.feature_names()
    }

    /// The name of the label column.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.records.n_rows()
    }

    /// Number of features.
    pub fn n_features(&self) -> usize {
        self.records.n_features()
    }

    /// The rows of the given indices, in the given order; an index may be repeated.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for an index that is not a row.
    pub fn take_rows(&self, rows: &[usize]) -> Result<Self, MlError> {
        check_rows(rows, self.n_rows())?;
        Ok(Self {
            records: self.records.take_rows(rows),
            targets: rows.iter().map(|row_idx| self.targets[*row_idx]).collect(),
            classes: self.classes.clone(),
            target_name: self.target_name.clone(),
        })
    }

    /// The classes that have rows, and for each row the position of its class among those: a split
    /// keeps classes that have none.
    pub(crate) fn present_classes(&self) -> (Vec<ClassLabel>, Vec<u32>) {
        let mut is_present = vec![false; self.classes.len()];
        for code in &self.targets {
            is_present[*code as usize] = true;
        }
        let (mut classes, mut codes) = (Vec::new(), Vec::new());
        for (class, is_present) in self.classes.iter().zip(is_present) {
            codes.push(classes.len() as u32);
            if is_present {
                classes.push(class.clone());
            }
        }
        let targets = self.targets.iter().map(|code| codes[*code as usize]);
        (classes, targets.collect())
    }

    /// As [`present_classes`](Self::present_classes), for models that tell classes apart.
    pub(crate) fn several_classes(&self) -> Result<(Vec<ClassLabel>, Vec<u32>), MlError> {
        let (classes, targets) = self.present_classes();
        match &*classes {
            [class] => Err(MlError::OneClass {
                class: class.to_string(),
                column: self.target_name.clone(),
                n_rows: self.n_rows(),
            }),
            _ => Ok((classes, targets)),
        }
    }

    pub(crate) fn check_for_fit(&self) -> Result<(), MlError> {
        check_not_empty(&self.records)?;
        self.records.check_finite()
    }

    /// As [`check_for_fit`](Self::check_for_fit), for models that take NaN as a missing value.
    #[cfg(feature = "boosting")]
    pub(crate) fn check_for_fit_with_gaps(&self) -> Result<(), MlError> {
        check_not_empty(&self.records)?;
        self.records.check_not_infinite()
    }
}
