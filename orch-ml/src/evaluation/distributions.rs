//! Tails of the distributions that the tests of models need.

use std::f64::consts::PI;

/// A continued fraction has converged when a step changes it by less than this.
const PRECISION: f64 = 1e-16;
/// Steps after which a continued fraction is taken as it is; it takes far fewer.
const MAX_STEPS: u32 = 10_000;
/// In place of a zero that the next step would divide by.
const TINY: f64 = 1e-300;

/// The part of a standard normal distribution that is further from 0 than `z`, on both sides.
pub(super) fn normal_two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The part of a chi-squared distribution with one degree of freedom above `value`.
pub(super) fn chi_squared_above(value: f64) -> f64 {
    erfc((value / 2.0).sqrt())
}

/// The complementary error function of a number that is not negative.
fn erfc(x: f64) -> f64 {
    if x < 2.0 {
        // erf as a sum of positive terms: 2 / sqrt(pi) * exp(-x^2) * x * (1 + 2x^2/3 + ...).
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > PRECISION * sum {
            odd += 2.0;
            term *= 2.0 * x * x / odd;
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    // exp(-x^2) / sqrt(pi) * 1 / (x + (1/2) / (x + (2/2) / (x + ...))), from the inside.
    let mut tail = x;
    for step in (1..=100).rev() {
        tail = x + f64::from(step) / 2.0 / tail;
    }
    (-x * x).exp() / PI.sqrt() / tail
}

/// The part of Student's t distribution that is further from 0 than `t`, on both sides.
pub(super) fn student_two_sided(t: f64, degrees_of_freedom: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    // It is the regularised incomplete beta function of a, 1/2 at df / (df + t^2).
    let a = degrees_of_freedom / 2.0;
    let square = t * t / degrees_of_freedom;
    let (inside, outside) = (1.0 / (1.0 + square), square / (1.0 + square));
    let front = (-a * square.ln_1p()).exp() * outside.sqrt() * gamma_ratio(a) / PI.sqrt();
    if inside < (a + 1.0) / (a + 2.5) {
        front * beta_fraction(a, 0.5, inside) / a
    } else {
        1.0 - front * beta_fraction(0.5, a, outside) / 0.5
    }
}

/// Gamma(a + 1/2) / Gamma(a).
fn gamma_ratio(a: f64) -> f64 {
    let (mut large, mut factor) = (a, 1.0);
    while large < 30.0 {
        factor *= large / (large + 0.5);
        large += 1.0;
    }
    // The asymptotic series of its logarithm; the first term left out is below 1e-15 from 30 on.
    let inverse = 1.0 / large;
    let square = inverse * inverse;
    let series = inverse
        * (-1.0 / 8.0 + square * (1.0 / 192.0 - square * (1.0 / 640.0 - square * 17.0 / 14336.0)));
    factor * large.sqrt() * series.exp()
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let safe = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / safe(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for step in 1..=MAX_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / safe(1.0 + coefficient * d);
            c = safe(1.0 + coefficient / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 2.0 * PRECISION {
            break;
        }
    }
    fraction
}

/// The chance that `n` throws of a fair coin are at least as uneven as `n_heads` heads.
pub(super) fn coin_two_sided(n_heads: usize, n: usize) -> f64 {
    // Relative to the likeliest number of heads, so that nothing underflows that matters.
    let middle = n / 2;
    let rarer = n_heads.min(n - n_heads);
    let mut weights = vec![1.0; middle + 1];
    for heads in (0..middle).rev() {
        weights[heads] = weights[heads + 1] * (heads + 1) as f64 / (n - heads) as f64;
    }
    let below: f64 = weights[..=rarer].iter().sum();
    let half: f64 = weights.iter().sum();
    let whole = if n.is_multiple_of(2) {
        2.0 * half - weights[middle]
    } else {
        2.0 * half
    };
    (2.0 * below / whole).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-11 * expected,
            "{found:e} is not {expected:e}"
        );
    }

    #[test]
    fn tails_are_those_of_scipy_from_the_middle_far_out() {
        // scipy 1.17.1: 2 * norm.sf(z), chi2.sf(x, 1); between 2.82 and 2.83 the method changes.
        for (z, expected) in [
            (0.0, 1.0),
            (-0.5, 0.6170750774519738),
            (1.4, 0.16151331846754213),
            (2.82, 0.004802364948378505),
            (2.83, 0.004654800413463103),
            (6.0, 1.973175290075389e-09),
            (30.0, 9.813427854295816e-198),
        ] {
            check(normal_two_sided(z), expected);
        }
        check(chi_squared_above(0.0), 1.0);
        check(chi_squared_above(3.84), 0.05004352124870519);
        check(chi_squared_above(40.0), 2.5396285894708634e-10);
    }

    #[test]
    fn students_tails_are_those_of_scipy_for_few_and_many_degrees_of_freedom() {
        // scipy 1.17.1: 2 * t.sf(t, df)
        for (t, degrees_of_freedom, expected) in [
            (0.0, 4.0, 1.0),
            (0.5, 1.0, 0.7048327646991335),
            (1e-8, 7.0, 0.999999992300171),
            (-12.0, 3.0, 0.0012450158007893362),
            (2.0, 1e5, 0.04550296345750651),
            (40.0, 10.0, 2.2808577430857535e-12),
            (1.3, 2.0, 0.3232470318160403),
            (5.0, 1e6, 5.733997870890745e-07),
            (1e6, 1.0, 6.366197723673691e-07),
        ] {
            check(student_two_sided(t, degrees_of_freedom), expected);
        }
    }

    #[test]
    fn throws_of_a_coin_are_those_of_scipy() {
        // scipy 1.17.1: binomtest(heads, n).pvalue
        for (n_heads, n, expected) in [
            (0, 1, 1.0),
            (480, 1000, 0.2174482932041415),
            (10_500, 20_500, 0.0004915393992266739),
            (3, 100, 2.630866896130179e-25),
            (7, 13, 1.0),
        ] {
            check(coin_two_sided(n_heads, n), expected);
        }
        assert_eq!(coin_two_sided(0, 0), 1.0);
    }
}
