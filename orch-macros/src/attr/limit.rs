//! Limits that a task runs under.

use syn::{Expr, LitStr};

use super::option::RawOption;
use super::value::{integer, peeled, string};
use crate::errors::error;

/// A limit and how much of it.
#[derive(Clone)]
pub(crate) struct Limit {
    pub(crate) name: LitStr,
    pub(crate) weight: u32,
}

impl RawOption {
    pub(super) fn limits(&self) -> syn::Result<Vec<Limit>> {
        match self.peeled() {
            Some(Expr::Array(array)) => array
                .elems
                .iter()
                .map(|element| self.limit(element))
                .collect(),
            Some(one) => Ok(vec![self.limit(one)?]),
            None => Err(self.wrong("the name of a limit")),
        }
    }

    fn limit(&self, value: &Expr) -> syn::Result<Limit> {
        const HELP: &str =
            "write `limit = \"gpu\"`, or `limit = (\"gpu\", 2)` for two of its slots";
        let (name, weight) = match peeled(value) {
            Expr::Tuple(tuple) if tuple.elems.len() == 2 => {
                (string(&tuple.elems[0]), Some(&tuple.elems[1]))
            }
            one => (string(one), None),
        };
        let Some(name) = name else {
            return Err(error(
                value,
                "a limit is a name, or a name and a number",
                HELP,
            ));
        };
        let name = self.non_empty(name)?;
        let weight = match weight {
            None => 1,
            Some(weight) => match integer::<u32>(weight) {
                Some(slots) if slots > 0 => slots,
                _ => {
                    return Err(error(
                        weight,
                        format_args!(
                            "the weight of limit `{}` is not a number from 1 on",
                            name.value()
                        ),
                        HELP,
                    ));
                }
            },
        };
        Ok(Limit { name, weight })
    }
}
