//! How much rows and classes count in a fit.

use serde::{Deserialize, Serialize};

use crate::dataset::{ClassLabel, ClassificationDataset};
use crate::error::MlError;
use crate::metric::RowWeights;
use crate::options::{check_option, check_positive};
use crate::splitting::{Origin, Rows, Train};

/// How much the rows of each class count.
///
/// Where rows have weights of their own, both are multiplied.
///
/// # Examples
/// ```
/// use orch_ml::{ClassWeights, LogisticOptions};
///
/// let options = LogisticOptions { class_weights: ClassWeights::Balanced, ..Default::default() };
/// let fraud = ClassWeights::by_class([("fraud", 20.0)]); // the other classes count 1
/// # let _ = (options, fraud);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClassWeights {
    /// All the same.
    #[default]
    Equal,
    /// So much that each class that has rows counts the same altogether:
    /// `sum of weights / (n_classes * sum of the weights of its rows)`.
    Balanced,
    /// As listed; a class that is not counts 1.
    ByClass(Vec<(ClassLabel, f64)>),
}

impl ClassWeights {
    /// The weights of some classes, above 0; others count 1.
    pub fn by_class<L: Into<ClassLabel>>(weights: impl IntoIterator<Item = (L, f64)>) -> Self {
        let named = weights
            .into_iter()
            .map(|(class, weight)| (class.into(), weight));
        Self::ByClass(named.collect())
    }

    /// Refuses what is out of range whatever the data.
    pub(crate) fn check(&self) -> Result<(), MlError> {
        match self {
            Self::Equal | Self::Balanced => Ok(()),
            Self::ByClass(weights) => weights
                .iter()
                .try_for_each(|(_, weight)| check_positive("class_weights", *weight)),
        }
    }

    /// Refuses weights of classes where numbers are predicted.
    pub(crate) fn check_equal(&self) -> Result<(), MlError> {
        let is_equal = *self == Self::Equal;
        let (given, expected) = (format!("{self:?}"), "`Equal`: numbers have no classes");
        check_option(is_equal, "class_weights", given, expected)
    }

    /// The weight of each row: its own times that of its class. `None` if all count the same.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for a weight of a class that is not one of the dataset's, and for a
    /// class of which every row counts 0.
    pub(crate) fn of_rows(
        &self,
        dataset: &ClassificationDataset,
        of_rows: Option<&[f64]>,
    ) -> Result<Option<Vec<f64>>, MlError> {
        if of_rows.is_none() && *self == Self::Equal {
            return Ok(None);
        }
        let (classes, targets) = (dataset.classes(), dataset.targets());
        let mut rows = of_rows.map_or_else(|| vec![1.0; targets.len()], <[f64]>::to_vec);
        let mut totals = vec![0.0; classes.len()];
        let mut n_rows = vec![0; classes.len()];
        for (class, weight) in targets.iter().zip(&rows) {
            totals[*class as usize] += weight;
            n_rows[*class as usize] += 1;
        }
        if let Some(class) = (0..classes.len()).find(|at| n_rows[*at] > 0 && totals[*at] == 0.0) {
            return Err(MlError::InvalidOption {
                name: "weights",
                value: format!("0 in every row of class `{}`", classes[class]),
                expected: "a number above 0 in at least one row of each class",
            });
        }
        let of_classes = match self {
            Self::Equal => return Ok(Some(rows)),
            Self::Balanced => {
                let n_present = n_rows.iter().filter(|n_rows| **n_rows > 0).count() as f64;
                let all: f64 = totals.iter().sum();
                let balanced = totals.iter().map(|total| all / (n_present * total));
                balanced.collect()
            }
            Self::ByClass(weights) => {
                let mut of_classes = vec![1.0; classes.len()];
                for (class, weight) in weights {
                    let Some(at) = classes.iter().position(|known| known == class) else {
                        return Err(MlError::InvalidOption {
                            name: "class_weights",
                            value: format!("for class `{class}`"),
                            expected: "weights of classes of the dataset",
                        });
                    };
                    of_classes[at] = *weight;
                }
                of_classes
            }
        };
        for (class, weight) in targets.iter().zip(&mut rows) {
            *weight *= of_classes[*class as usize];
        }
        Ok(Some(rows))
    }
}

/// Data to fit to, and how much each of its rows counts.
///
/// Only what takes weights can be fitted to it; other models do not compile.
///
/// # Examples
/// ```
/// use orch_ml::{Dataset, TreeOptions, Weighted, fit_tree_regressor, ndarray::array};
///
/// let dataset = Dataset::new(array![[1.0], [1.0], [2.0]], array![0.0, 3.0, 9.0], ["size"], "price")?;
/// let tree = fit_tree_regressor(&Weighted::new(&dataset, &[2.0, 1.0, 1.0])?, &TreeOptions::default())?;
/// assert_eq!(tree.predict(dataset.records())?.to_vec(), [1.0, 1.0, 9.0]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
///
/// ```compile_fail,E0277
/// # fn f(dataset: &orch_ml::Dataset) -> Result<(), orch_ml::MlError> {
/// orch_ml::fit_linear(&orch_ml::Weighted::new(dataset, &[1.0, 2.0])?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a, T> {
    data: &'a T,
    origin: Option<&'a Origin>,
    weights: &'a [f64],
}

impl<'a, T> Weighted<'a, T> {
    /// Gives the rows weights: finite, at least 0, above it in one row or more.
    ///
    /// Weights in a column go along with a split of the table: `train.to_vector("weight")`.
    ///
    /// # Shapes
    /// weights `[n_rows]`
    ///
    /// # Errors
    /// [`MlError::LengthMismatch`], [`MlError::NotFinite`] and [`MlError::InvalidOption`].
    pub fn new(train: &'a impl FitWeighted<T>, weights: &'a [f64]) -> Result<Self, MlError>
    where
        T: Rows,
    {
        RowWeights::new(Some(weights), train.data().n_rows())?;
        Ok(Self {
            data: train.data(),
            origin: train.origin(),
            weights,
        })
    }
}

/// What a model that takes weights can be fitted to: what others can, and [`Weighted`] data.
#[diagnostic::on_unimplemented(
    message = "nothing can be fitted to `{Self}`",
    note = "fit to the `Train` side of a split: `{Self}` is to see how good the result is"
)]
pub trait FitWeighted<T> {
    /// The rows.
    fn data(&self) -> &T;

    /// Where they are from, if that is known.
    fn origin(&self) -> Option<&Origin>;

    /// How much each counts; the same without.
    fn weights(&self) -> Option<&[f64]>;
}

impl<T> FitWeighted<T> for T {
    fn data(&self) -> &T {
        self
    }

    fn origin(&self) -> Option<&Origin> {
        None
    }

    fn weights(&self) -> Option<&[f64]> {
        None
    }
}

impl<T> FitWeighted<T> for Train<T> {
    fn data(&self) -> &T {
        self
    }

    fn origin(&self) -> Option<&Origin> {
        Some(Train::origin(self))
    }

    fn weights(&self) -> Option<&[f64]> {
        None
    }
}

impl<T> FitWeighted<T> for Weighted<'_, T> {
    fn data(&self) -> &T {
        self.data
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin
    }

    fn weights(&self) -> Option<&[f64]> {
        Some(self.weights)
    }
}
