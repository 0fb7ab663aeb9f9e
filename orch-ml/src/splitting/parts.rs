//! What is for training, for choosing and for testing, told apart by its type.

use std::ops::Deref;

use orch_core::Digest;
use serde::{Deserialize, Serialize};

use super::Rows;
use crate::error::MlError;

/// Where rows are from: the data that was split first, and on which side of each split they are.
///
/// It stays what it is when columns are chosen, scaled or encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub(super) source: Digest,
    pub(super) cuts: Vec<Cut>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cut {
    pub(super) split: Digest,
    pub(super) side: Side,
}

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Side {
    Train,
    HeldOut,
}

impl Origin {
    pub(super) fn of_all(source: Digest) -> Self {
        Self {
            source,
            cuts: Vec::new(),
        }
    }

    /// What one side of a split of these rows has.
    pub(super) fn then(&self, split: Digest, side: Side) -> Self {
        let mut cuts = self.cuts.clone();
        cuts.push(Cut { split, side });
        Self {
            source: self.source,
            cuts,
        }
    }

    /// The digest of the data that was split first.
    pub fn source(&self) -> Digest {
        self.source
    }

    /// Whether rows of the two may be the same: both are of one source, and no split has them on
    /// different sides.
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.source != other.source {
            return false;
        }
        let different = self.cuts.iter().zip(&other.cuts).find(|(a, b)| a != b);
        different.is_none_or(|(a, b)| a.split != b.split)
    }
}

/// Data with its origin, read like the data itself.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $of_all:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name<T> {
            data: T,
            origin: Origin,
        }

        impl<T> $name<T> {
            pub(super) fn new(data: T, origin: Origin) -> Self {
                Self { data, origin }
            }

            #[doc = $of_all]
            pub fn all(data: T) -> Self
            where
                T: Rows,
            {
                let origin = Origin::of_all(data.digest());
                Self { data, origin }
            }

            /// Where the rows are from.
            pub fn origin(&self) -> &Origin {
                &self.origin
            }

            /// Makes something else of the same rows.
            ///
            /// # Errors
            /// Those of the function.
            pub fn try_map<U>(
                &self,
                make: impl FnOnce(&T) -> Result<U, MlError>,
            ) -> Result<$name<U>, MlError> {
                Ok($name {
                    data: make(&self.data)?,
                    origin: self.origin.clone(),
                })
            }

            /// Returns the data, which forgets what it is for.
            pub fn into_inner(self) -> T {
                self.data
            }
        }

        impl<T> Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.data
            }
        }
    };
}

part! {
    /// What models and preprocessing are fitted to.
    Train, "All of it is for training. Its digest is taken, which reads it once."
}

part! {
    /// What models are compared by while they are chosen and tuned.
    Valid, "All of it is for comparing models. Its digest is taken, which reads it once."
}

part! {
    /// What a model is measured with in the end. Nothing can be fitted to it:
    ///
    /// ```compile_fail,E0277
    /// # use orch_ml::{Split, fit_linear, train_test_split};
    /// # fn f(dataset: &orch_ml::Dataset) -> Result<(), orch_ml::MlError> {
    /// let (train, test) = train_test_split(dataset, &Split::random(0.2))?;
    /// fit_linear(&test)?;
    /// # Ok(())
    /// # }
    /// ```
    Test, "All of it is for testing. Its digest is taken, which reads it once."
}

/// What a model or preprocessing can be fitted to: [`Train`] data, or data that nobody has split.
#[diagnostic::on_unimplemented(
    message = "nothing can be fitted to `{Self}`",
    note = "fit to the `Train` side of a split: `{Self}` is to see how good the result is"
)]
pub trait FitTo<T> {
    /// The rows.
    fn data(&self) -> &T;

    /// Where they are from, if that is known.
    fn origin(&self) -> Option<&Origin>;
}

impl<T> FitTo<T> for T {
    fn data(&self) -> &T {
        self
    }

    fn origin(&self) -> Option<&Origin> {
        None
    }
}

impl<T> FitTo<T> for Train<T> {
    fn data(&self) -> &T {
        &self.data
    }

    fn origin(&self) -> Option<&Origin> {
        Some(&self.origin)
    }
}

/// What a model can be measured with: [`Test`] or [`Valid`] data, or data that nobody has split.
#[diagnostic::on_unimplemented(
    message = "no model is measured with `{Self}`",
    note = "the error on rows that a model was fitted to says little; for that all the same, pass the data without its mark: `&*train`"
)]
pub trait MeasureWith<T> {
    /// The rows.
    fn data(&self) -> &T;

    /// Where they are from, if that is known.
    fn origin(&self) -> Option<&Origin>;
}

impl<T> MeasureWith<T> for T {
    fn data(&self) -> &T {
        self
    }

    fn origin(&self) -> Option<&Origin> {
        None
    }
}

macro_rules! measures {
    ($($part:ident)*) => {$(
        impl<T> MeasureWith<T> for $part<T> {
            fn data(&self) -> &T {
                &self.data
            }

            fn origin(&self) -> Option<&Origin> {
                Some(&self.origin)
            }
        }
    )*};
}

measures!(Valid Test);

/// Refuses rows that a model may have been fitted to.
///
/// # Errors
/// [`MlError::TestSeenInTraining`] if both origins are known and overlap.
pub fn check_unseen(trained_on: Option<&Origin>, test: Option<&Origin>) -> Result<(), MlError> {
    match trained_on.zip(test) {
        Some((trained_on, test)) if trained_on.overlaps(test) => Err(MlError::TestSeenInTraining),
        _ => Ok(()),
    }
}
