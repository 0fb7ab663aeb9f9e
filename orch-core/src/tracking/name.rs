//! Names of params, metrics, tags and artifacts: such that files can be called so.

use super::TrackError;

/// The longest name, in bytes, as in MLflow.
const MAX_NAME: usize = 250;

/// Checks a name by the rules of MLflow 3: letters, digits and `_ - . : /` and spaces, and a relative
/// path that is written in its shortest form.
pub(super) fn check(what: &'static str, name: &str) -> Result<(), TrackError> {
    let invalid = |problem| {
        Err(TrackError::InvalidName {
            what,
            name: name.to_owned(),
            problem,
        })
    };
    if name.is_empty() {
        return invalid("has no letters");
    }
    if name.len() > MAX_NAME {
        return invalid("is longer than 250 bytes");
    }
    let is_allowed = |c: char| c.is_alphanumeric() || "_-.:/ ".contains(c);
    if !name.chars().all(is_allowed) {
        return invalid("has characters that names of files do not have everywhere");
    }
    if name
        .split('/')
        .any(|part| matches!(part, "" | "." | "..") || part != part.trim())
    {
        return invalid("is no relative path");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_files_can_have() {
        for name in [
            "loss",
            "val/loss",
            "précision 2",
            "a.b-c_d:e",
            "..a",
            "model.onnx",
        ] {
            assert!(check("metric", name).is_ok(), "{name}");
        }
        for name in [
            "", "/loss", "loss/", "a//b", "a/../b", "..", "./a", "a\nb", "f(x)", "a\\b", " a",
            "a /b",
        ] {
            assert!(check("metric", name).is_err(), "{name:?}");
        }
        assert!(check("metric", &"a".repeat(250)).is_ok());
        assert!(check("metric", &"a".repeat(251)).is_err());
    }
}
