//! Data for the `ml` bench, drawn from a seed and written to files that both sides read.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use orch_ml::ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// A folder of samples, gone with this value.
#[derive(Debug)]
pub struct Samples(PathBuf);

/// Rows of numbers with something to learn.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// `[n_rows, n_features]`.
    pub x: Array2<f64>,
    /// `[n_rows]`: a number, or the number of a class.
    pub y: Array1<f64>,
}

/// Numbers of a seed: xorshift64*, good enough for data.
#[derive(Debug)]
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

impl Samples {
    /// Makes the folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("orch-ml-samples-{}", std::process::id()));
        std::fs::create_dir_all(&path).context("making the folder of samples")?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes `table.csv`: ten columns of numbers, with one cell in a hundred of two columns missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_table(&self, n_rows: u64) -> anyhow::Result<PathBuf> {
        let path = self.0.join("table.csv");
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "c0,c1,c2,c3,c4,c5,c6,c7,c8,c9")?;
        let mut draw = Draw(42);
        for _ in 0..n_rows {
            for column in 0..10 {
                let end = if column == 9 { '\n' } else { ',' };
                let value = draw.normal();
                if (2..4).contains(&column) && draw.unit() < 0.01 {
                    write!(file, "{end}")?;
                } else {
                    write!(file, "{value}{end}")?;
                }
            }
        }
        file.flush()?;
        Ok(path)
    }

    /// Writes `words.csv`: one column of twenty words.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_words(&self, n_rows: u64) -> anyhow::Result<PathBuf> {
        let path = self.0.join("words.csv");
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "word")?;
        let mut draw = Draw(7);
        for _ in 0..n_rows {
            writeln!(file, "word{:02}", (draw.unit() * 20.0) as u32)?;
        }
        file.flush()?;
        Ok(path)
    }

    /// Writes a matrix, its target as the last column, as raw numbers, with its shape beside it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, matrix: &Matrix) -> anyhow::Result<()> {
        let mut file = BufWriter::new(File::create(self.0.join(format!("{name}.f64")))?);
        for (row, target) in matrix.x.rows().into_iter().zip(&matrix.y) {
            for value in row.iter().chain([target]) {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()?;
        let shape = serde_json::json!({ "n_rows": matrix.y.len() });
        std::fs::write(self.0.join(format!("{name}.json")), shape.to_string())?;
        Ok(())
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Matrix {
    /// A line with noise through all features.
    pub fn of_line(n_rows: u64, n_features: usize) -> Self {
        let mut draw = Draw(1);
        Self::draw(n_rows, n_features, &mut draw, |row, draw| {
            let line = row.iter().zip(1..).map(|(x, n)| x * f64::from(n));
            line.sum::<f64>() + draw.normal()
        })
    }

    /// Classes with bent borders, and one row in twenty in the wrong one.
    pub fn of_classes(n_rows: u64, n_features: usize, n_classes: u32) -> Self {
        let mut draw = Draw(2);
        Self::draw(n_rows, n_features, &mut draw, |row, draw| {
            let bent = row[0] + 0.7 * row[1] * row[2] + (row[3] * 1.5).sin() - 0.5 * row[4].abs();
            let share = 1.0 / (1.0 + (-bent).exp());
            if draw.unit() < 0.05 {
                (draw.unit() * f64::from(n_classes)).floor()
            } else {
                (share * f64::from(n_classes))
                    .floor()
                    .min(f64::from(n_classes - 1))
            }
        })
    }

    /// Eight heaps. The target is the heap's number.
    pub fn of_heaps(n_rows: u64, n_features: usize) -> Self {
        let mut draw = Draw(3);
        let centers: Vec<f64> = (0..8 * n_features).map(|_| 12.0 * draw.unit()).collect();
        let mut matrix = Self::draw(n_rows, n_features, &mut draw, |_, draw| {
            (draw.unit() * 8.0).floor()
        });
        for (mut row, heap) in matrix.x.rows_mut().into_iter().zip(&matrix.y) {
            let center = &centers[*heap as usize * n_features..];
            row.iter_mut()
                .zip(center)
                .for_each(|(x, center)| *x += center);
        }
        matrix
    }

    fn draw(
        n_rows: u64,
        n_features: usize,
        draw: &mut Draw,
        mut target: impl FnMut(&[f64], &mut Draw) -> f64,
    ) -> Self {
        let mut x = Array2::zeros((n_rows as usize, n_features));
        let mut y = Array1::zeros(n_rows as usize);
        for (mut row, y) in x.rows_mut().into_iter().zip(&mut y) {
            row.iter_mut().for_each(|x| *x = draw.normal());
            *y = target(row.as_slice().expect("rows lie together"), draw);
        }
        Self { x, y }
    }

    /// The first rows, and the others.
    pub fn split_at(&self, n_rows: u64) -> (Self, Self) {
        let (x, other_x) = self.x.view().split_at(Axis(0), n_rows as usize);
        let (y, other_y) = self.y.view().split_at(Axis(0), n_rows as usize);
        let part = |x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>| Self {
            x: x.to_owned(),
            y: y.to_owned(),
        };
        (part(x, y), part(other_x, other_y))
    }
}
