//! Names with `{parameters}` in them.

use syn::LitStr;

use crate::errors::{error, list, nearest};

/// A name with parameters in it, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    /// For `format!`, with one `{}` for each of `inputs`.
    pub(crate) format: String,
    /// The inputs that it shows, by position among the inputs of the function.
    pub(crate) inputs: Vec<usize>,
}

/// The parameters of a function, as far as templates care.
pub(crate) struct Names<'a> {
    /// The inputs, in order.
    pub(crate) inputs: Vec<&'a str>,
    /// The contexts and resources.
    pub(crate) others: Vec<&'a str>,
}

/// Reads a template; `option` is the option it is the value of.
pub(crate) fn parse(option: &str, literal: &LitStr, names: &Names<'_>) -> syn::Result<Template> {
    let text = literal.value();
    let mut template = Template {
        format: String::new(),
        inputs: Vec::new(),
    };
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        template.format += before;
        if let Some(after) = brace.strip_prefix("{{") {
            template.format += "{{";
            rest = after;
        } else if let Some(after) = brace.strip_prefix("}}") {
            template.format += "}}";
            rest = after;
        } else if let Some((inside, after)) =
            brace.strip_prefix('{').and_then(|b| b.split_once('}'))
        {
            let (name, spec) = inside.split_once(':').unwrap_or((inside, ""));
            template
                .inputs
                .push(find(option, literal, name.trim(), names)?);
            check_spec(literal, spec.trim_end())?;
            template.format += &match spec.trim_end() {
                "" => String::from("{}"),
                spec => format!("{{:{spec}}}"),
            };
            rest = after;
        } else {
            let brace = &brace[..1];
            return Err(error(
                literal,
                format_args!("`{option}` has a `{brace}` without its partner"),
                format_args!("write `{brace}{brace}` for a plain `{brace}`"),
            ));
        }
    }
    template.format += rest;
    Ok(template)
}

fn find(option: &str, literal: &LitStr, name: &str, names: &Names<'_>) -> syn::Result<usize> {
    if let Some(idx) = names.inputs.iter().position(|input| *input == name) {
        return Ok(idx);
    }
    if names.others.contains(&name) {
        return Err(error(
            literal,
            format_args!("`{option}` cannot show `{name}`, which is not an input"),
            choices(names),
        ));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(error(
            literal,
            format_args!("`{option}` has a `{{{name}}}` that names no parameter"),
            choices(names),
        ));
    }
    let meant = match nearest(name, names.inputs.iter().copied()) {
        Some(nearest) => format!("did you mean `{{{nearest}}}`?\nhelp: "),
        None => String::new(),
    };
    Err(error(
        literal,
        format_args!("`{option}` names `{name}`, which is not a parameter"),
        meant + &choices(names),
    ))
}

fn choices(names: &Names<'_>) -> String {
    if names.inputs.is_empty() {
        return String::from("the function has no inputs; write `{{` for a plain `{`");
    }
    format!(
        "its inputs are {}; write `{{{{` for a plain `{{`",
        list(names.inputs.iter().copied())
    )
}

/// Refuses what would name further arguments of `format!`.
fn check_spec(literal: &LitStr, spec: &str) -> syn::Result<()> {
    if spec.contains(['$', '*', '{']) {
        return Err(error(
            literal,
            format_args!("the format `{spec}` takes its width or precision from an argument"),
            "write the number itself, as in `{alpha:.2}`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn parse_it(text: &str) -> Result<Template, String> {
        let names = Names {
            inputs: vec!["train", "alpha"],
            others: vec!["context"],
        };
        parse("name", &LitStr::new(text, Span::call_site()), &names)
            .map_err(|error| error.to_string())
    }

    fn check(text: &str, format: &str, inputs: &[usize]) {
        let expected = Template {
            format: format.to_owned(),
            inputs: inputs.to_vec(),
        };
        assert_eq!(parse_it(text), Ok(expected));
    }

    fn check_error(text: &str, expected: &str) {
        let error = parse_it(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn parameters_become_positions() {
        check("ridge", "ridge", &[]);
        check("ridge {alpha}", "ridge {}", &[1]);
        check("{alpha:.2}/{train:?}/{alpha}", "{:.2}/{:?}/{}", &[1, 0, 1]);
        check("{ alpha }", "{}", &[1]);
    }

    #[test]
    fn doubled_braces_stay() {
        check("{{x}} {alpha}", "{{x}} {}", &[1]);
    }

    #[test]
    fn wrong_templates_are_refused() {
        check_error("{alhpa}", "did you mean `{alpha}`?");
        check_error(
            "{other}",
            "names `other`, which is not a parameter\nhelp: its inputs are",
        );
        check_error("{context}", "cannot show `context`");
        check_error("{}", "has a `{}` that names no parameter");
        check_error("{0}", "has a `{0}` that names no parameter");
        check_error("{alpha", "has a `{` without its partner");
        check_error("alpha}", "has a `}` without its partner");
        check_error(
            "{alpha:width$}",
            "takes its width or precision from an argument",
        );
    }
}
