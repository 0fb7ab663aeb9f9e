//! The rows that a model was fitted to.

use orch_core::Digest;
use serde::{Deserialize, Serialize};

use crate::dataset::Records;
use crate::splitting::{Rows, Train, digest_of};

/// Which rows a model was fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingData {
    /// The digest of the rows, the same for equal ones: [`Rows::digest`].
    pub digest: Digest,
    /// Number of rows.
    pub n_rows: usize,
}

/// Rows that something was fitted to: tables, datasets and records, marked [`Train`] or not.
pub trait TrainingRows {
    /// Number and digest of the rows, which are read once for it.
    fn training_data(&self) -> TrainingData;
}

impl<T: Rows> TrainingRows for T {
    fn training_data(&self) -> TrainingData {
        TrainingData {
            digest: self.digest(),
            n_rows: self.n_rows(),
        }
    }
}

impl TrainingRows for Records {
    fn training_data(&self) -> TrainingData {
        TrainingData {
            digest: digest_of(self),
            n_rows: self.n_rows(),
        }
    }
}

impl<T: TrainingRows> TrainingRows for Train<T> {
    fn training_data(&self) -> TrainingData {
        T::training_data(self)
    }
}
