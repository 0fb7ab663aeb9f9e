//! Many candidates on little, few on much.

use serde::{Deserialize, Serialize};

use super::{Scoring, SearchReport};
use crate::error::MlError;

/// Successive halving: all candidates get little of a resource, such as rows or trees, the best of
/// them more, the best of these all.
///
/// # Source
/// Jamieson and Talwalkar, Non-stochastic Best Arm Identification, 2016
///
/// ```
/// use orch_ml::Halving;
///
/// let rounds = Halving { factor: 3, min_resource: 10, max_resource: 1_000 }.rounds(27)?;
/// let sizes: Vec<(usize, usize)> =
///     rounds.iter().map(|round| (round.n_candidates, round.resource)).collect();
/// assert_eq!(sizes, [(27, 37), (9, 111), (3, 333), (1, 1_000)]);
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halving {
    /// Of how many candidates one goes on, at least 2.
    pub factor: usize,
    /// The least that a candidate gets.
    pub min_resource: usize,
    /// What the last ones get.
    pub max_resource: usize,
}

/// A round of successive halving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// How many candidates are tried.
    pub n_candidates: usize,
    /// What each of them gets.
    pub resource: usize,
}

impl Halving {
    /// The rounds for so many candidates: as many as it takes to come down to one, or as the
    /// resource can be divided.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for a factor below 2, resources of 0 or in the wrong order;
    /// [`MlError::NoTrials`] for no candidates.
    pub fn rounds(&self, n_candidates: usize) -> Result<Vec<Round>, MlError> {
        let Self {
            factor,
            min_resource,
            max_resource,
        } = *self;
        let invalid = |name, value: usize, expected| {
            let value = value.to_string();
            Err(MlError::InvalidOption {
                name,
                value,
                expected,
            })
        };
        if factor < 2 {
            return invalid("factor", factor, "at least 2");
        }
        if min_resource == 0 || min_resource > max_resource {
            return invalid("min_resource", min_resource, "from 1 to `max_resource`");
        }
        if n_candidates == 0 {
            return Err(MlError::NoTrials);
        }
        let (mut n_rounds, mut left, mut resource) = (1, n_candidates, max_resource);
        while left > 1 && resource / factor >= min_resource {
            left = left.div_ceil(factor);
            resource /= factor;
            n_rounds += 1;
        }
        let mut rounds: Vec<Round> = Vec::with_capacity(n_rounds);
        let (mut left, mut resource) = (n_candidates, max_resource);
        for _ in 0..n_rounds {
            rounds.push(Round {
                n_candidates: left,
                resource,
            });
            left = left.div_ceil(factor);
            resource /= factor;
        }
        // Resources were counted from the last round on.
        let resources: Vec<usize> = rounds.iter().rev().map(|round| round.resource).collect();
        for (round, resource) in rounds.iter_mut().zip(resources) {
            round.resource = resource;
        }
        Ok(rounds)
    }
}

impl<O: Clone, S: Scoring> SearchReport<O, S> {
    /// The options of the best trials, for the next round.
    pub fn survivors(&self, n: usize) -> Vec<O> {
        let best = self.trials().iter().take(n);
        best.map(|trial| trial.options.clone()).collect()
    }
}
