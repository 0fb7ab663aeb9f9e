//! Products and powers of columns.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::MlError;
use crate::table::{Column, Table};

/// The largest number of columns that may result.
const MAX_TERMS: usize = 100_000;

/// Which products to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolynomialOptions {
    /// Factors of a product at most, at least 1. Default: 2.
    pub degree: usize,
    /// Whether each column may be a factor only once. Default: false.
    pub interaction_only: bool,
}

impl Default for PolynomialOptions {
    fn default() -> Self {
        Self {
            degree: 2,
            interaction_only: false,
        }
    }
}

/// Makes columns of products of columns, without a constant one; see [`PolynomialFeatures::fit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolynomialFeatures {
    columns: Vec<String>,
    options: PolynomialOptions,
}

impl PolynomialFeatures {
    /// Remembers of which columns to make products. From the rows nothing is learned, but they are
    /// checked as those of [`apply`](Self::apply) are.
    ///
    /// # Errors
    /// [`MlError::InvalidOption`] for degree 0, and for one that makes more than 100,000 columns;
    /// [`MlError::UnknownColumn`], [`MlError::DuplicateColumn`], [`MlError::NoFeatures`],
    /// [`MlError::NoRows`]; [`MlError::NotNumeric`], [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with row and column.
    ///
    /// # Source
    /// scikit-learn 1.9, `PolynomialFeatures(include_bias=False)`, with its names and their order.
    ///
    /// # Examples
    /// ```
    /// use orch_ml::{PolynomialFeatures, PolynomialOptions, Table};
    ///
    /// let table = Table::new([("a", vec![2.0].into()), ("b", vec![3.0].into())])?;
    /// let features = PolynomialFeatures::fit(&table, &["a", "b"], PolynomialOptions::default())?;
    /// assert_eq!(features.feature_names_out(), ["a", "b", "a^2", "a b", "b^2"]);
    /// assert_eq!(features.apply(&table)?.to_vector("a b")?.to_vec(), [6.0]);
    /// # Ok::<(), orch_ml::MlError>(())
    /// ```
    pub fn fit<S: AsRef<str>>(
        table: &Table,
        columns: &[S],
        options: PolynomialOptions,
    ) -> Result<Self, MlError> {
        table.check_for_fit(columns)?;
        if options.degree == 0 || n_terms(columns.len(), options) > MAX_TERMS {
            return Err(MlError::InvalidOption {
                name: "degree",
                value: format!("{} for {} columns", options.degree, columns.len()),
                expected: "a degree from 1 that makes at most 100000 columns",
            });
        }
        for name in columns {
            table.numbers_without_gaps(name.as_ref())?;
        }
        Ok(Self {
            columns: columns
                .iter()
                .map(|name| name.as_ref().to_owned())
                .collect(),
            options,
        })
    }

    /// Replaces the columns by their products, which stand where the first of them stood. They are
    /// floats.
    ///
    /// # Errors
    /// [`MlError::UnknownColumn`]; [`MlError::NotNumeric`], [`MlError::MissingValue`] and
    /// [`MlError::NotFinite`] with row and column, also for a product that is too large;
    /// [`MlError::DuplicateColumn`] if a column of the name of a product's is there already.
    pub fn apply(&self, table: &Table) -> Result<Table, MlError> {
        let factors = self
            .columns
            .iter()
            .map(|name| table.numbers_without_gaps(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mut products: Vec<Vec<f64>> = Vec::new();
        for term in self.terms() {
            let factor = &factors[term.factor];
            let product: Vec<f64> = match term.rest {
                None => factor.to_vec(),
                Some(rest) => {
                    let pairs = products[rest].iter().zip(factor.iter());
                    pairs.map(|(a, b)| a * b).collect()
                }
            };
            if let Some(row_idx) = product.iter().position(|value| !value.is_finite()) {
                return Err(MlError::NotFinite {
                    column: term.name(&self.columns),
                    row_idx: table.row_in_messages(row_idx),
                    value: product[row_idx],
                });
            }
            products.push(product);
        }
        let names = self.feature_names_out().into_iter();
        let outputs = names.zip(products.into_iter().map(Column::from)).collect();
        table.replace_together(&self.columns, outputs)
    }

    /// Each product with its last factor taken off is one that comes before it.
    fn terms(&self) -> Vec<Term> {
        let mut terms: Vec<Term> = (0..self.columns.len())
            .map(|factor| Term {
                rest: None,
                factor,
                powers: vec![(factor, 1)],
            })
            .collect();
        let mut of_last_degree = 0..terms.len();
        for _ in 1..self.options.degree {
            for rest in of_last_degree.clone() {
                let first = terms[rest].factor + usize::from(self.options.interaction_only);
                for factor in first..self.columns.len() {
                    let powers = terms[rest].times(factor);
                    terms.push(Term {
                        rest: Some(rest),
                        factor,
                        powers,
                    });
                }
            }
            of_last_degree = of_last_degree.end..terms.len();
            if of_last_degree.is_empty() {
                break;
            }
        }
        terms
    }

    /// The names of the columns that are multiplied.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// Which products are made.
    pub fn options(&self) -> PolynomialOptions {
        self.options
    }

    /// The names of the columns that result, as `a`, `a b` or `a^2`.
    pub fn feature_names_out(&self) -> Vec<String> {
        let terms = self.terms();
        terms.iter().map(|term| term.name(&self.columns)).collect()
    }
}

/// A product: another one, if it has more than one factor, times a column.
struct Term {
    rest: Option<usize>,
    factor: usize,
    /// Its columns in ascending order, with their powers.
    powers: Vec<(usize, usize)>,
}

impl Term {
    fn times(&self, factor: usize) -> Vec<(usize, usize)> {
        let mut powers = self.powers.clone();
        match powers.last_mut() {
            Some((column, power)) if *column == factor => *power += 1,
            _ => powers.push((factor, 1)),
        }
        powers
    }

    fn name(&self, columns: &[String]) -> String {
        let factors = self.powers.iter().map(|(column, power)| match power {
            1 => columns[*column].clone(),
            power => format!("{}^{power}", columns[*column]),
        });
        factors.collect::<Vec<_>>().join(" ")
    }
}

/// The number of products, or more than are allowed.
fn n_terms(n_columns: usize, options: PolynomialOptions) -> usize {
    // By Pascal's rule from one degree to the next: `choose(n, d)`, with repetition
    // `choose(n + d - 1, d)`.
    let (mut of_degree, mut all) = (1usize, 0usize);
    for degree in 1..=options.degree {
        let choices = if options.interaction_only {
            (n_columns + 1).saturating_sub(degree)
        } else {
            n_columns + degree - 1
        };
        of_degree = of_degree.saturating_mul(choices) / degree;
        all = all.saturating_add(of_degree);
        if of_degree == 0 || all > MAX_TERMS {
            break;
        }
    }
    all
}

impl fmt::Display for PolynomialFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "multiply up to degree {}", self.options.degree)?;
        if self.options.interaction_only {
            f.write_str(", each column once")?;
        }
        write!(f, "\n  {}", self.columns.join(", "))
    }
}
