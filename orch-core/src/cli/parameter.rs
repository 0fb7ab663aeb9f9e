//! Arguments of flows as people type them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::Failure;
use crate::parameters::ArgumentError;
use crate::register::{NamedCall, RegisteredFlow, flows};

/// Finds a flow by its name.
pub(super) fn flow(name: &str) -> Result<&'static RegisteredFlow, Failure> {
    let mut found = flows().filter(|flow| flow.definition().name == name);
    if let Some(flow) = found.next() {
        return Ok(flow);
    }
    let mut known: Vec<String> = flows()
        .map(|flow| format!("`{}`", flow.definition().name))
        .collect();
    known.sort_unstable();
    Err(Failure::usage(match known.len() {
        0 => format!("there is no flow `{name}`: this program has none that is not generic"),
        _ => format!(
            "there is no flow `{name}` (there are: {})",
            known.join(", ")
        ),
    }))
}

/// Makes a call of what was typed: each value as JSON if the parameter takes that, else as a text.
/// `call` is asked again with other forms of the values until it takes them all.
pub(super) fn call(
    typed: &[(String, String)],
    call: impl Fn(Map<String, Value>) -> Result<NamedCall, ArgumentError>,
) -> Result<NamedCall, Failure> {
    let mut arguments = Map::new();
    for (name, text) in typed {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        if arguments.insert(name.clone(), value).is_some() {
            return Err(Failure::usage(format!("parameter `{name}` is given twice")));
        }
    }
    let mut as_text = HashSet::new();
    // What was said of the value as JSON: of a number that does not fit, it says more.
    let mut first_problem = None;
    loop {
        let problem = match call(arguments.clone()) {
            Ok(call) => return Ok(call),
            Err(problem) => problem,
        };
        let ArgumentError::Invalid { parameter, .. } = &problem else {
            return Err(problem.into());
        };
        let text = typed.iter().find(|(name, _)| name == parameter);
        let is_new = as_text.insert(*parameter);
        match text {
            Some((name, text)) if is_new && !arguments[name].is_string() => {
                arguments.insert(name.clone(), Value::from(text.as_str()));
                first_problem = Some(problem);
            }
            _ => {
                let of_first = first_problem.filter(
                    |first| matches!(first, ArgumentError::Invalid { parameter: first, .. } if first == parameter),
                );
                return Err(of_first.unwrap_or(problem).into());
            }
        }
    }
}
