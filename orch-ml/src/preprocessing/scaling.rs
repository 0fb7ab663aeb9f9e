//! Columns brought to a common scale.

mod min_max;
mod robust;
mod standard;

pub use self::min_max::{MinMaxColumn, MinMaxScaler};
pub use self::robust::{RobustColumn, RobustScaler};
pub use self::standard::{StandardColumn, StandardScaler};

/// The scale to divide by, 1 for a column in which all values are as good as equal.
///
/// # Source
/// scikit-learn 1.9, `_handle_zeros_in_scale`.
fn scale_or_one(scale: f64) -> f64 {
    if scale < 10.0 * f64::EPSILON {
        1.0
    } else {
        scale
    }
}
