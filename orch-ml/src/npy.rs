//! Arrays as numpy's `.npy` files.

use std::io::Write as _;
use std::path::Path;

use ndarray::{Array2, ArrayView2, ShapeBuilder as _};

use crate::error::MlError;
use crate::loading::read_bytes;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads a matrix from a `.npy` file: of 64- or 32-bit floats, integers of up to 64 bits or
/// booleans, in either byte order and either order of its cells. A file of one dimension becomes a
/// column.
///
/// # Shapes
/// returns: as in the file, `[n, 1]` for one dimension
///
/// # Errors
/// [`MlError::ReadFile`], [`MlError::NotAFile`]; [`MlError::InvalidNpy`] for what is no such file, is cut
/// off, or holds another type or more dimensions.
///
/// # Source
/// numpy, NEP 1 and `numpy.lib.format`, versions 1.0 to 3.0
pub fn read_npy(path: &Path) -> Result<Array2<f64>, MlError> {
    let bytes = read_bytes(path)?;
    parse(&bytes).map_err(|problem| MlError::InvalidNpy {
        path: path.to_path_buf(),
        problem,
    })
}

/// Writes a matrix to a `.npy` file that `numpy.load` reads: 64-bit floats, row by row.
///
/// # Errors
/// [`MlError::WriteFile`].
pub fn write_npy(path: &Path, array: ArrayView2<'_, f64>) -> Result<(), MlError> {
    let (n_rows, n_columns) = array.dim();
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({n_rows}, {n_columns}), }}");
    // The data starts at a multiple of 64 bytes.
    let start = MAGIC.len() + 4;
    while !(start + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let write = || {
        let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
        out.write_all(MAGIC)?;
        out.write_all(&[1, 0])?;
        out.write_all(&(header.len() as u16).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for value in array {
            out.write_all(&value.to_le_bytes())?;
        }
        out.flush()
    };
    write().map_err(|source| MlError::WriteFile {
        path: path.to_path_buf(),
        source,
    })
}

struct Header {
    is_big_endian: bool,
    kind: u8,
    size: usize,
    is_fortran_order: bool,
    shape: (usize, usize),
}

fn parse(bytes: &[u8]) -> Result<Array2<f64>, String> {
    let (header, data) = header_of(bytes)?;
    let (n_rows, n_columns) = header.shape;
    let n_values = n_rows.checked_mul(n_columns);
    let len = n_values.and_then(|n| n.checked_mul(header.size));
    if len != Some(data.len()) {
        return Err(format!(
            "it has {} bytes of data where {n_rows} x {n_columns} values of {} bytes belong",
            data.len(),
            header.size
        ));
    }
    let values: Vec<f64> = data
        .chunks_exact(header.size)
        .map(|value| number(value, &header))
        .collect();
    let shape = (n_rows, n_columns).set_f(header.is_fortran_order);
    Array2::from_shape_vec(shape, values).map_err(|problem| problem.to_string())
}

fn number(bytes: &[u8], header: &Header) -> f64 {
    let mut word = [0; 8];
    for (place, byte) in bytes.iter().enumerate() {
        let place = match header.is_big_endian {
            true => bytes.len() - 1 - place,
            false => place,
        };
        word[place] = *byte;
    }
    let bits = u64::from_le_bytes(word);
    let unused = 64 - 8 * bytes.len() as u32;
    match (header.kind, bytes.len()) {
        (b'f', 8) => f64::from_bits(bits),
        (b'f', _) => f64::from(f32::from_bits(bits as u32)),
        // The sign is that of the type's own width.
        (b'i', _) => (((bits << unused) as i64) >> unused) as f64,
        _ => bits as f64,
    }
}

fn header_of(bytes: &[u8]) -> Result<(Header, &[u8]), String> {
    let no_header = || "it does not begin as numpy writes arrays".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(no_header)?;
    let (len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [version, ..] => return Err(format!("version {version} of the format is not known")),
        [] => return Err(no_header()),
    };
    let (text, data) = rest.split_at_checked(len).ok_or("its header is cut off")?;
    let text = std::str::from_utf8(text).map_err(|_| "its header is not UTF-8")?;

    let descr = entry(text, "descr").ok_or("its header has no `descr`")?;
    let descr = descr.trim_matches(['\'', '"']);
    let (order, kind, size) = match descr.as_bytes() {
        [order @ (b'<' | b'>' | b'|' | b'='), kind, size @ ..] => (*order, *kind, size),
        _ => {
            return Err(format!(
                "its type `{descr}` is not one of numbers or booleans"
            ));
        }
    };
    let size = std::str::from_utf8(size)
        .ok()
        .and_then(|size| size.parse().ok());
    let size = match (kind, size) {
        (b'f', Some(size @ (4 | 8))) | (b'i' | b'u', Some(size @ (1 | 2 | 4 | 8))) => size,
        (b'b', Some(1)) => 1,
        _ => {
            return Err(format!(
                "its type `{descr}` is not one of numbers or booleans"
            ));
        }
    };
    let is_fortran_order = match entry(text, "fortran_order") {
        Some("True") => true,
        Some("False") => false,
        _ => return Err("its header has no `fortran_order`".to_owned()),
    };
    let shape = entry(text, "shape").ok_or("its header has no `shape`")?;
    let lengths: Option<Vec<usize>> = shape
        .trim_matches(['(', ')'])
        .split(',')
        .map(str::trim)
        .filter(|length| !length.is_empty())
        .map(|length| length.parse().ok())
        .collect();
    let shape = match lengths.as_deref() {
        Some([n]) => (*n, 1),
        Some([n_rows, n_columns]) => (*n_rows, *n_columns),
        Some(lengths) => {
            return Err(format!(
                "it has {} dimensions, expected 1 or 2",
                lengths.len()
            ));
        }
        None => return Err(format!("its shape `{shape}` is not one of lengths")),
    };
    let header = Header {
        is_big_endian: order == b'>',
        kind,
        size,
        is_fortran_order,
        shape,
    };
    Ok((header, data))
}

/// The value of a key of the header, which is written as a dictionary of Python.
fn entry<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = header
        .split_once(&format!("'{key}'"))
        .or_else(|| header.split_once(&format!("\"{key}\"")))?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = if value.starts_with('(') {
        value.find(')')? + 1
    } else {
        value.find([',', '}'])?
    };
    Some(value[..end].trim())
}
