//! Tests of whether one model is better than another on the same rows.

use serde::{Deserialize, Serialize};

use super::distributions::{
    chi_squared_above, coin_two_sided, normal_two_sided, student_two_sided,
};
use crate::error::MlError;
use crate::metric::{check_finite, check_pair};

/// How [`mcnemar_test`] gets its p-value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum McNemarMethod {
    /// By the binomial distribution; right for any number of rows.
    #[default]
    Exact,
    /// By the chi-squared distribution with continuity correction; near enough if the models
    /// differ on 25 rows or more.
    ContinuityCorrected,
}

/// What [`mcnemar_test`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only the first model got right.
    pub n_only_first: usize,
    /// Rows that only the second model got right.
    pub n_only_second: usize,
    /// The smaller of the two (exact) or the corrected chi-squared statistic.
    pub statistic: f64,
    /// How often models that are equally good would differ as clearly, in either direction.
    pub p_value: f64,
}

/// Tests whether two classifiers are right equally often, by the rows on which only one is.
///
/// If there is no such row, the p-value is 1.
///
/// # Shapes
/// both `[n_rows]`, whether the model is right
///
/// # Errors
/// [`MlError::LengthMismatch`] and [`MlError::NoRows`].
///
/// # Source
/// McNemar (1947), Edwards (1948); `mcnemar` of `statsmodels.stats.contingency_tables`
pub fn mcnemar_test(
    first_is_right: &[bool],
    second_is_right: &[bool],
    method: McNemarMethod,
) -> Result<McNemar, MlError> {
    check_pair(first_is_right.len(), second_is_right.len())?;
    let (mut n_only_first, mut n_only_second) = (0, 0);
    for pair in first_is_right.iter().zip(second_is_right) {
        n_only_first += usize::from(pair == (&true, &false));
        n_only_second += usize::from(pair == (&false, &true));
    }
    let n_differ = n_only_first + n_only_second;
    let (statistic, p_value) = match method {
        McNemarMethod::Exact => (
            n_only_first.min(n_only_second) as f64,
            coin_two_sided(n_only_first, n_differ),
        ),
        McNemarMethod::ContinuityCorrected if n_differ == 0 => (0.0, 1.0),
        McNemarMethod::ContinuityCorrected => {
            let distance = n_only_first.abs_diff(n_only_second) as f64 - 1.0;
            let statistic = distance * distance / n_differ as f64;
            (statistic, chi_squared_above(statistic))
        }
    };
    Ok(McNemar {
        n_only_first,
        n_only_second,
        statistic,
        p_value,
    })
}

/// What [`paired_t_test`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedT {
    /// Mean of the first values less that of the second.
    pub mean_difference: f64,
    /// The mean difference in standard errors; infinite if all differences are equal but not 0.
    pub statistic: f64,
    /// Number of rows less 1.
    pub degrees_of_freedom: usize,
    /// How often equal means would differ as clearly, in either direction.
    pub p_value: f64,
}

/// Tests whether two values per row, such as the absolute errors of two models, have equal means.
///
/// It takes rows to be independent and the mean difference to be about normal; where a few rows
/// have most of the error, [`wilcoxon_test`] is the safer one. If all differences are 0, the
/// statistic is 0 and the p-value 1.
///
/// # Shapes
/// both `[n_rows]`, at least 2 rows
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`];
/// [`MlError::InvalidOption`] for one row.
///
/// # Source
/// `scipy.stats.ttest_rel`
pub fn paired_t_test(first: &[f64], second: &[f64]) -> Result<PairedT, MlError> {
    let differences = differences(first, second)?;
    if differences.len() < 2 {
        return Err(MlError::InvalidOption {
            name: "n_rows",
            value: "1".to_owned(),
            expected: "at least 2 rows to compare",
        });
    }
    let n_rows = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n_rows;
    let all_equal = differences
        .iter()
        .all(|difference| *difference == differences[0]);
    let squared = differences
        .iter()
        .map(|difference| (difference - mean) * (difference - mean));
    let variance = squared.sum::<f64>() / (n_rows - 1.0);
    let statistic = match (all_equal, mean) {
        (true, 0.0) => 0.0,
        (true, _) => f64::INFINITY.copysign(mean),
        (false, _) => mean / (variance / n_rows).sqrt(),
    };
    Ok(PairedT {
        mean_difference: mean,
        statistic,
        degrees_of_freedom: differences.len() - 1,
        p_value: student_two_sided(statistic, n_rows - 1.0),
    })
}

/// What [`wilcoxon_test`] found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignedRank {
    /// The smaller of the rank sums of positive and of negative differences.
    pub statistic: f64,
    /// How often differences around 0 would be as one-sided, in either direction.
    pub p_value: f64,
    /// Rows whose values differ; the others say nothing.
    pub n_differ: usize,
    /// Whether the p-value is exact or by the normal distribution.
    pub is_exact: bool,
}

/// Tests whether two values per row, such as the absolute errors of two models, differ to one side,
/// by the ranks of their differences.
///
/// The p-value is exact for up to 50 rows without equal or zero differences, and for up to 13 rows
/// with them; for others it is by the normal distribution with the variance corrected for ties. If
/// no row differs, it is 1.
///
/// # Shapes
/// both `[n_rows]`
///
/// # Errors
/// [`MlError::LengthMismatch`], [`MlError::NoRows`] and [`MlError::NotFinite`].
///
/// # Source
/// `scipy.stats.wilcoxon` 1.17 with its defaults (`zero_method="wilcox"`, `correction=False`)
pub fn wilcoxon_test(first: &[f64], second: &[f64]) -> Result<SignedRank, MlError> {
    let mut differences = differences(first, second)?;
    let n_rows = differences.len();
    differences.retain(|difference| *difference != 0.0);
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));

    // Twice the ranks: equal differences share their mean rank, which may end in a half.
    let mut ranks = Vec::with_capacity(differences.len());
    let mut ties = 0.0;
    for tied in differences.chunk_by(|a, b| a.abs() == b.abs()) {
        let (below, n_tied) = (ranks.len(), tied.len());
        ranks.extend(std::iter::repeat_n(2 * below + n_tied + 1, n_tied));
        let n_tied = n_tied as f64;
        ties += n_tied * n_tied * n_tied - n_tied;
    }
    let of_positive = ranks.iter().zip(&differences);
    let positive: usize = of_positive
        .filter(|pair| *pair.1 > 0.0)
        .map(|pair| pair.0)
        .sum();
    let total: usize = ranks.iter().sum();

    let has_ties = ties > 0.0 || differences.len() < n_rows;
    let is_exact = n_rows <= if has_ties { 13 } else { 50 };
    let n_differ = differences.len() as f64;
    let p_value = if differences.is_empty() {
        1.0
    } else if is_exact {
        exact_signed_rank(&ranks, positive)
    } else {
        let mean = n_differ * (n_differ + 1.0) / 4.0;
        let spread = n_differ * (n_differ + 1.0) * (2.0 * n_differ + 1.0) - ties / 2.0;
        normal_two_sided((positive as f64 / 2.0 - mean) / (spread / 24.0).sqrt())
    };
    Ok(SignedRank {
        statistic: positive.min(total - positive) as f64 / 2.0,
        p_value,
        n_differ: differences.len(),
        is_exact,
    })
}

/// Of all ways to give signs to the ranks, the part whose sum of positive ones is as far out.
fn exact_signed_rank(ranks: &[usize], positive: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    // Numbers of ways, below 2^50 and so exact in a float.
    let mut ways = vec![0.0; total + 1];
    ways[0] = 1.0;
    for rank in ranks {
        for sum in (*rank..=total).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let (below, above): (f64, f64) = (
        ways[..=positive].iter().sum(),
        ways[positive..].iter().sum(),
    );
    let all: f64 = ways.iter().sum();
    (2.0 * below.min(above) / all).min(1.0)
}

fn differences(first: &[f64], second: &[f64]) -> Result<Vec<f64>, MlError> {
    check_pair(first.len(), second.len())?;
    check_finite("first", first)?;
    check_finite("second", second)?;
    Ok(first
        .iter()
        .zip(second)
        .map(|(first, second)| first - second)
        .collect())
}
