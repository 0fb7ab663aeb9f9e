//! Means, medians and quantiles of the values a column has.

/// The values that are present, in ascending order.
pub(crate) fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut values = present(numbers);
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The values that are present.
pub(crate) fn present(numbers: &[f64]) -> Vec<f64> {
    let values = numbers.iter().copied();
    values.filter(|value| !value.is_nan()).collect()
}

/// The mean of values, of which there is at least one.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The middle of sorted values, or the mean of the two in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The value below which the share `share` of sorted values lies, by the line between neighbours.
///
/// # Source
/// numpy 2.4, `quantile(method="linear")`, its default: type 7 of Hyndman and Fan (1996).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    between(sorted, (sorted.len() - 1) as f64 * share, |part| part)
}

/// As [`quantile`], but one of the values, or the mean of two neighbours where the share falls
/// between them.
///
/// # Source
/// numpy 2.4, `quantile(method="averaged_inverted_cdf")`: type 2 of Hyndman and Fan (1996).
pub(crate) fn averaged_quantile(sorted: &[f64], share: f64) -> f64 {
    let half_or_all = |part| if part == 0.0 { 0.5 } else { 1.0 };
    between(sorted, sorted.len() as f64 * share - 1.0, half_or_all)
}

/// The value at a position that may lie between two, `weight` saying how far the second counts.
fn between(sorted: &[f64], position: f64, weight: impl Fn(f64) -> f64) -> f64 {
    let last = sorted.len() - 1;
    if position < 0.0 {
        return sorted[0];
    }
    if position >= last as f64 {
        return sorted[last];
    }
    let lower = position.floor() as usize;
    let weight = weight(position - position.floor());
    let (a, b) = (sorted[lower], sorted[lower + 1]);
    // From the nearer end, as numpy does it, so that equal neighbours give their value exactly.
    if weight < 0.5 {
        a + (b - a) * weight
    } else {
        b - (b - a) * (1.0 - weight)
    }
}
