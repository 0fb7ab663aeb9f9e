//! The shapes of dots, so that series differ by more than their colour.

use super::svg::number;

/// A path around a place, of a radius.
pub(super) type Shape = fn(f64, f64, f64) -> String;

/// The shape of a series, by its number.
pub(super) fn shape(number: usize) -> Shape {
    [circle, square, triangle, diamond][number % 4]
}

fn circle(x: f64, y: f64, r: f64) -> String {
    let (left, y, r, width) = (number(x - r), number(y), number(r), number(2.0 * r));
    format!("M{left} {y}a{r} {r} 0 1 0 {width} 0a{r} {r} 0 1 0 -{width} 0")
}

fn square(x: f64, y: f64, r: f64) -> String {
    let side = number(1.8 * r);
    format!(
        "M{} {}h{side}v{side}h-{side}z",
        number(x - 0.9 * r),
        number(y - 0.9 * r)
    )
}

fn triangle(x: f64, y: f64, r: f64) -> String {
    let (half, high) = (number(1.1 * r), number(2.0 * r));
    format!(
        "M{} {}l{half} {high}h-{}z",
        number(x),
        number(y - 1.2 * r),
        number(2.2 * r)
    )
}

fn diamond(x: f64, y: f64, r: f64) -> String {
    let r = 1.25 * r;
    let side = number(r);
    format!(
        "M{} {}l{side} {side}l-{side} {side}l-{side} -{side}z",
        number(x),
        number(y - r)
    )
}
