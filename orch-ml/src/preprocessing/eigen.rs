//! Eigenvalues of small symmetric matrices.

use ndarray::Array2;

/// More than any matrix was seen to need: convergence is quadratic.
const MAX_SWEEPS: usize = 60;

/// The eigenvalues of a symmetric matrix in descending order, and their eigenvectors of length 1 in
/// the rows of a matrix.
///
/// # Shapes
/// matrix `[size, size]`, returns `[size]` and `[size, size]`
///
/// # Source
/// The cyclic method of Jacobi, as in Golub and Van Loan, *Matrix Computations* (2013), 8.5: slower
/// than tridiagonal methods by a factor, but short, and each eigenvalue is as exact as the matrix.
pub(super) fn symmetric_eigen(mut matrix: Array2<f64>) -> (Vec<f64>, Array2<f64>) {
    let size = matrix.nrows();
    let mut vectors = Array2::eye(size);
    for _ in 0..MAX_SWEEPS {
        let mut has_rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                has_rotated |= rotate(&mut matrix, &mut vectors, p, q);
            }
        }
        if !has_rotated {
            break;
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| matrix[[*b, *b]].total_cmp(&matrix[[*a, *a]]));
    let values = order.iter().map(|at| matrix[[*at, *at]]).collect();
    let vectors = Array2::from_shape_fn((size, size), |(row, k)| vectors[[order[row], k]]);
    (values, vectors)
}

/// Turns the plane of two axes so that the element between them becomes 0; returns whether there
/// was anything to turn.
fn rotate(matrix: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) -> bool {
    let (a, b, between) = (matrix[[p, p]], matrix[[q, q]], matrix[[p, q]]);
    // What is lost in the rounding of both diagonal elements has no effect on them.
    if between.abs() <= f64::EPSILON * (a.abs() * b.abs()).sqrt() || between == 0.0 {
        return false;
    }
    let ratio = (b - a) / (2.0 * between);
    let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..matrix.nrows() {
        let (x, y) = (matrix[[k, p]], matrix[[k, q]]);
        matrix[[k, p]] = cosine * x - sine * y;
        matrix[[k, q]] = sine * x + cosine * y;
    }
    for k in 0..matrix.nrows() {
        let (x, y) = (matrix[[p, k]], matrix[[q, k]]);
        matrix[[p, k]] = cosine * x - sine * y;
        matrix[[q, k]] = sine * x + cosine * y;
        let (x, y) = (vectors[[p, k]], vectors[[q, k]]);
        vectors[[p, k]] = cosine * x - sine * y;
        vectors[[q, k]] = sine * x + cosine * y;
    }
    // Written out, where rounding would leave traces.
    matrix[[p, p]] = a - tangent * between;
    matrix[[q, q]] = b + tangent * between;
    matrix[[p, q]] = 0.0;
    matrix[[q, p]] = 0.0;
    true
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn eigenvalues_are_those_worked_out_by_hand() {
        // (2 - x) ((2 - x)^2 - 1) - (2 - x) = 0 gives 2 and 2 +- root 2.
        let matrix = array![[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]];
        let (values, vectors) = symmetric_eigen(matrix.clone());
        let root = 2f64.sqrt();
        for (value, expected) in values.iter().zip([2.0 + root, 2.0, 2.0 - root]) {
            assert!((value - expected).abs() < 1e-14);
        }
        for (value, vector) in values.iter().zip(vectors.rows()) {
            let difference = matrix.dot(&vector) - *value * &vector;
            assert!(difference.iter().all(|part| part.abs() < 1e-14));
            assert!((vector.dot(&vector) - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn a_diagonal_matrix_is_only_sorted() {
        let (values, vectors) = symmetric_eigen(array![[1.0, 0.0], [0.0, 3.0]]);
        assert_eq!(values, [3.0, 1.0]);
        assert_eq!(vectors, array![[0.0, 1.0], [1.0, 0.0]]);
        let (values, _) = symmetric_eigen(Array2::zeros((3, 3)));
        assert_eq!(values, [0.0; 3]);
    }
}
