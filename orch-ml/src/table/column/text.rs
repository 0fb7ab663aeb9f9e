//! Strings, each distinct one stored once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::MlError;

/// Strings as codes into a list of distinct ones, in order of first appearance.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "RawTextColumn")]
pub struct TextColumn {
    pub(super) codes: Vec<u32>,
    pub(super) categories: Arc<Vec<String>>,
}

/// The code of a missing string.
pub(crate) const MISSING_CODE: u32 = u32::MAX;

#[derive(Deserialize)]
struct RawTextColumn {
    codes: Vec<u32>,
    categories: Vec<String>,
}

impl TryFrom<RawTextColumn> for TextColumn {
    type Error = MlError;

    fn try_from(raw: RawTextColumn) -> Result<Self, MlError> {
        let limit = raw.categories.len();
        let wrong = |code: &u32| *code != MISSING_CODE && *code as usize >= limit;
        match raw.codes.iter().position(wrong) {
            Some(row_idx) => {
                let code = raw.codes[row_idx];
                Err(MlError::CodeOutOfRange {
                    what: "text code",
                    row_idx,
                    code,
                    limit,
                })
            }
            None => Ok(Self::from_parts(raw.codes, raw.categories)),
        }
    }
}

impl TextColumn {
    pub(crate) fn from_parts(codes: Vec<u32>, categories: Vec<String>) -> Self {
        Self {
            codes,
            categories: Arc::new(categories),
        }
    }

    /// The string of a row, `None` if it is missing.
    pub fn get(&self, row_idx: usize) -> Option<&str> {
        let code = self.codes[row_idx];
        (code != MISSING_CODE).then(|| self.categories[code as usize].as_str())
    }

    /// The distinct strings, in order of first appearance; after a filter some may be unused.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Its texts, without those that no row has, in order of first appearance.
    pub(crate) fn in_order_of_appearance(&self) -> (Vec<u32>, Vec<&str>) {
        let mut categories: Vec<&str> = Vec::new();
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut new_codes: Vec<Option<u32>> = vec![None; self.categories.len()];
        let codes = self.codes.iter().map(|code| {
            if *code == MISSING_CODE {
                return MISSING_CODE;
            }
            let new_code = &mut new_codes[*code as usize];
            *new_code.get_or_insert_with(|| {
                let text = self.categories[*code as usize].as_str();
                *known.entry(text).or_insert_with(|| {
                    categories.push(text);
                    categories.len() as u32 - 1
                })
            })
        });
        let codes = codes.collect();
        (codes, categories)
    }

    /// The strings of all rows.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.codes.len()).map(|row_idx| self.get(row_idx))
    }
}

impl<'a> FromIterator<Option<&'a str>> for TextColumn {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(texts: I) -> Self {
        let mut known: HashMap<&'a str, u32> = HashMap::new();
        let mut categories = Vec::new();
        let mut codes = Vec::new();
        for text in texts {
            codes.push(match text {
                None => MISSING_CODE,
                Some(text) => *known.entry(text).or_insert_with(|| {
                    categories.push(text.to_owned());
                    categories.len() as u32 - 1
                }),
            });
        }
        Self::from_parts(codes, categories)
    }
}
