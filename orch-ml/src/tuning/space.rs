//! What options are tried.

use orch_core::Rng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::MlError;

/// The stream of random numbers of a search, apart from those of splits and models.
const STREAM: u64 = 0x7475_6e65;

/// Values to try for some of the options of a model. The others stay as they are.
///
/// An option is named as its field. Values are compared with the type of that field when candidates
/// are made, so that a mistake is found before anything is fitted.
///
/// ```
/// use orch_ml::{ForestOptions, Space};
///
/// let space = Space::new()
///     .values("n_trees", [50, 100])
///     .values("max_depth", [Some(4), None]);
/// let candidates = space.grid(&ForestOptions::default())?;
/// assert_eq!(candidates.len(), 4);
/// assert_eq!((candidates[1].n_trees, candidates[1].max_depth), (50, None));
/// # Ok::<(), orch_ml::MlError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Space {
    options: Vec<(String, Values)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Values {
    Listed(Vec<Value>),
    Uniform { low: f64, high: f64 },
    LogUniform { low: f64, high: f64 },
    Integers { low: u64, high: u64 },
}

impl Space {
    /// Nothing to try yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tries each of these values. A value that JSON has no word for, such as NaN, is refused when
    /// candidates are made.
    pub fn values<T: Serialize>(
        self,
        option: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values
            .into_iter()
            .map(|value| serde_json::to_value(value).unwrap_or(Value::Null));
        let values = Values::Listed(values.collect());
        self.with(option, values)
    }

    /// Draws numbers from `low` to `high`, each equally likely. For [`random`](Self::random) only.
    pub fn uniform(self, option: impl Into<String>, low: f64, high: f64) -> Self {
        self.with(option, Values::Uniform { low, high })
    }

    /// Draws numbers from `low` to `high` whose logarithms are equally likely: for options of which the
    /// order of magnitude matters. For [`random`](Self::random) only.
    pub fn log_uniform(self, option: impl Into<String>, low: f64, high: f64) -> Self {
        self.with(option, Values::LogUniform { low, high })
    }

    /// Draws whole numbers from `low` to `high`, both included. For [`random`](Self::random) only.
    pub fn integers(self, option: impl Into<String>, low: u64, high: u64) -> Self {
        self.with(option, Values::Integers { low, high })
    }

    fn with(mut self, option: impl Into<String>, values: Values) -> Self {
        self.options.push((option.into(), values));
        self
    }

    /// Every combination of the listed values; those of the last option change fastest.
    ///
    /// # Errors
    /// [`MlError::UnknownOption`], which lists the options there are; [`MlError::UnfitOption`] for a
    /// value that the option cannot have; [`MlError::InvalidOption`] for an option without values, and
    /// for one that is to be drawn.
    pub fn grid<O: Serialize + DeserializeOwned>(&self, base: &O) -> Result<Vec<O>, MlError> {
        let mut candidates = vec![Map::new()];
        for (option, values) in &self.options {
            let Values::Listed(values) = values else {
                return Err(MlError::InvalidOption {
                    name: "space",
                    value: format!("a range of `{option}`"),
                    expected: "values that are listed, for a grid",
                });
            };
            check_not_empty(option, values)?;
            candidates = candidates
                .iter()
                .flat_map(|candidate| {
                    values.iter().map(move |value| {
                        let mut candidate = candidate.clone();
                        candidate.insert(option.clone(), value.clone());
                        candidate
                    })
                })
                .collect();
        }
        candidates
            .into_iter()
            .map(|candidate| self.options_of(base, candidate))
            .collect()
    }

    /// `n` combinations at random. If all values are listed, no combination comes twice as long as
    /// there are others.
    ///
    /// # Errors
    /// Those of [`grid`](Self::grid); [`MlError::InvalidOption`] for a range that is none.
    pub fn random<O: Serialize + DeserializeOwned>(
        &self,
        base: &O,
        n: usize,
        seed: u64,
    ) -> Result<Vec<O>, MlError> {
        let mut rng = Rng::new(seed, STREAM);
        let mut size = Some(1usize);
        for (option, values) in &self.options {
            size = match values {
                Values::Listed(values) => {
                    check_not_empty(option, values)?;
                    size.and_then(|size| size.checked_mul(values.len()))
                }
                range => {
                    check_range(option, range)?;
                    None
                }
            };
        }
        // Of a grid that is not much larger than what is asked for, all are there to choose from.
        if let Some(size) = size.filter(|size| *size <= 1_000_000.max(n)) {
            let mut places: Vec<usize> = (0..size).collect();
            rng.shuffle(&mut places);
            let places = places.iter().cycle().take(n);
            return places
                .map(|place| self.options_of(base, self.at(*place)))
                .collect();
        }
        (0..n)
            .map(|_| {
                let drawn = self.options.iter().map(|(option, values)| {
                    let value = draw(values, &mut rng);
                    (option.clone(), value)
                });
                self.options_of(base, drawn.collect())
            })
            .collect()
    }

    /// The combination of this number, for listed values.
    fn at(&self, mut place: usize) -> Map<String, Value> {
        let mut candidate = Map::new();
        for (option, values) in self.options.iter().rev() {
            if let Values::Listed(values) = values {
                candidate.insert(option.clone(), values[place % values.len()].clone());
                place /= values.len();
            }
        }
        candidate
    }

    /// The options with some of them set.
    fn options_of<O: Serialize + DeserializeOwned>(
        &self,
        base: &O,
        candidate: Map<String, Value>,
    ) -> Result<O, MlError> {
        let base = serde_json::to_value(base).unwrap_or(Value::Null);
        let Value::Object(base) = base else {
            return Err(MlError::InvalidOption {
                name: "base",
                value: base.to_string(),
                expected: "options with names",
            });
        };
        let mut options = base.clone();
        for (option, value) in candidate {
            if !base.contains_key(&option) {
                return Err(MlError::UnknownOption {
                    option,
                    options: base.keys().cloned().collect(),
                });
            }
            // One at a time, so that the message names the one that does not fit.
            let mut alone = base.clone();
            alone.insert(option.clone(), value.clone());
            if let Err(problem) = serde_json::from_value::<O>(Value::Object(alone)) {
                return Err(MlError::UnfitOption {
                    option,
                    value: value.to_string(),
                    problem: problem.to_string(),
                });
            }
            options.insert(option, value);
        }
        serde_json::from_value(Value::Object(options)).map_err(|problem| MlError::InvalidOption {
            name: "space",
            value: problem.to_string(),
            expected: "values that fit together",
        })
    }
}

fn draw(values: &Values, rng: &mut Rng) -> Value {
    match values {
        Values::Listed(values) => values[rng.below(values.len() as u64) as usize].clone(),
        Values::Uniform { low, high } => Value::from(low + (high - low) * rng.next_f64()),
        Values::LogUniform { low, high } => {
            let (low, high) = (low.ln(), high.ln());
            Value::from((low + (high - low) * rng.next_f64()).exp())
        }
        Values::Integers { low, high } => match (high - low).checked_add(1) {
            Some(bound) => Value::from(low + rng.below(bound)),
            None => Value::from(rng.next_u64()),
        },
    }
}

fn check_not_empty(option: &str, values: &[Value]) -> Result<(), MlError> {
    if values.is_empty() {
        return Err(MlError::InvalidOption {
            name: "space",
            value: format!("no value of `{option}`"),
            expected: "at least one value of each option",
        });
    }
    Ok(())
}

fn check_range(option: &str, range: &Values) -> Result<(), MlError> {
    let (is_range, shown) = match range {
        Values::Listed(_) => (true, String::new()),
        Values::Uniform { low, high } => (
            low.is_finite() && high.is_finite() && low <= high,
            format!("{low} to {high}"),
        ),
        Values::LogUniform { low, high } => (
            *low > 0.0 && high.is_finite() && low <= high,
            format!("{low} to {high}, by the logarithm"),
        ),
        Values::Integers { low, high } => (low <= high, format!("{low} to {high}")),
    };
    if is_range {
        return Ok(());
    }
    Err(MlError::InvalidOption {
        name: "space",
        value: format!("`{option}` from {shown}"),
        expected: "a range from a low to a high number, above 0 for logarithms",
    })
}
