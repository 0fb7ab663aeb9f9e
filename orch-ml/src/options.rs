//! Checks of options.

use std::fmt::Display;

use crate::error::MlError;

/// Refuses an option that is outside its range.
pub(crate) fn check_option(
    is_valid: bool,
    name: &'static str,
    value: impl Display,
    expected: &'static str,
) -> Result<(), MlError> {
    if is_valid {
        return Ok(());
    }
    Err(MlError::InvalidOption {
        name,
        value: value.to_string(),
        expected,
    })
}

/// Refuses what is not a finite number of at least 0.
pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<(), MlError> {
    let is_valid = value >= 0.0 && value.is_finite();
    check_option(is_valid, name, value, "a finite number of at least 0")
}

/// Refuses what is not a finite number above 0.
pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<(), MlError> {
    let is_valid = value > 0.0 && value.is_finite();
    check_option(is_valid, name, value, "a finite number above 0")
}

/// Refuses a count of 0.
pub(crate) fn check_count(name: &'static str, count: usize) -> Result<(), MlError> {
    check_option(count >= 1, name, count, "at least 1")
}
