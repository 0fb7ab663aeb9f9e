//! The parameters of flows, as they are stored, shown, and read from outside.

use std::marker::PhantomData;

use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::error::FlowErrorKind;
use crate::input::{ByRef, ByValue, Input, Owned, Passing, Shared};
use crate::key::{CallHasher, Keyed, KeyedArgument, KeyedInner};
use crate::secret::{Secret, SecretError, SecretSource, SecretValue, scrub_json};
use crate::store::{ParameterRow, Place, StoredValue};
use crate::value::{self, Codec, DecodeError, EncodeError};

/// What can be done with a parameter's type.
pub struct ParameterForm<T> {
    pub(crate) codec: Codec<T>,
    to_json: fn(&T) -> Value,
    from_json: fn(Value) -> Result<T, serde_json::Error>,
    schema: fn() -> Value,
}

impl<T> ParameterForm<T> {
    /// Shows a value.
    pub fn show(&self, value: &T) -> Value {
        (self.to_json)(value)
    }
}

impl<T> Clone for ParameterForm<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ParameterForm<T> {}

/// Finds out whether arguments of a type can be stored.
pub struct ParameterProbe<T>(PhantomData<T>);

impl<T: serde::Serialize + serde::de::DeserializeOwned + 'static> ParameterProbe<T> {
    /// They can.
    pub const FORM: Option<ParameterForm<T>> = Some(ParameterForm {
        codec: Codec::serde(),
        to_json: |value| serde_json::to_value(value).unwrap_or(Value::Null),
        from_json: serde_json::from_value,
        schema: value::schema_of::<T>,
    });
}

/// How the places of secrets are stored.
const PLACES: Codec<SecretSource> = Codec::serde();

/// Where a secret can be read again.
fn place_of_secret<T: SecretValue>(secret: &Secret<T>) -> Result<SecretSource, EncodeError> {
    match secret.source() {
        SecretSource::Program => Err(serde::ser::Error::custom(SecretError::Program)),
        source => Ok(source.clone()),
    }
}

/// A secret is recorded by where it comes from.
impl<T: SecretValue> ParameterProbe<Secret<T>> {
    /// They can.
    pub const FORM: Option<ParameterForm<Secret<T>>> = Some(ParameterForm {
        codec: Codec::of(
            |secret, out| PLACES.encode_into(&place_of_secret(secret)?, out),
            |secret| PLACES.identify(&place_of_secret(secret)?),
            |stored, bytes| {
                let place = PLACES.decode(stored, bytes)?;
                Secret::read(place).map_err(DecodeError::custom)
            },
        ),
        to_json: |secret| Value::from(secret.source().to_string()),
        from_json: |value| {
            let text: String = serde_json::from_value(value)?;
            let source = text.parse().map_err(serde_json::Error::custom)?;
            Secret::read(source).map_err(serde_json::Error::custom)
        },
        schema: || serde_json::json!({ "type": "string", "pattern": "^[^:]+:.+" }),
    });
}

/// The answer for types whose values cannot.
pub trait NoForm<T> {
    /// They cannot.
    const FORM: Option<ParameterForm<T>> = None;
}

impl<T> NoForm<T> for ParameterProbe<T> {}

/// Collects the arguments of a flow call.
pub struct Parameters<'a>(Purpose<'a>);

enum Purpose<'a> {
    /// To be stored.
    Store {
        rows: Vec<ParameterRow>,
        problem: Option<FlowErrorKind>,
    },
    /// To name the call.
    Call(&'a mut CallHasher),
}

impl<'a> Parameters<'a> {
    /// Collects what is stored of a call.
    pub(crate) fn to_store() -> Self {
        Self(Purpose::Store {
            rows: Vec::new(),
            problem: None,
        })
    }

    /// Collects what names a call.
    pub(crate) fn of_call(call: &'a mut CallHasher) -> Self {
        Self(Purpose::Call(call))
    }

    /// Adds an argument.
    pub fn value<T: 'static>(
        &mut self,
        name: &'static str,
        ty: &'static str,
        argument: &impl KeyedArgument<T>,
        form: Option<ParameterForm<T>>,
    ) {
        let Keyed(argument) = argument.as_keyed();
        let (rows, problem) = match &mut self.0 {
            Purpose::Store { rows, problem } => (rows, problem),
            Purpose::Call(call) => {
                let digest = |value: &T| Some(form?.codec.identify(value).ok()?.digest);
                return call.parameter(name, &argument, digest);
            }
        };
        let value = match argument {
            KeyedInner::Value(value) => Some(value),
            // One that a task run of another flow run has given already is as good.
            KeyedInner::Run(handle) => handle.value(),
            KeyedInner::Gather(_) => None,
        };
        let (Some(value), Some(form)) = (value, form) else {
            let what = || format!("parameter `{name}` of type `{ty}`");
            problem.get_or_insert_with(|| not_storable(what()));
            return;
        };
        match form.codec.encode(value) {
            Ok(encoded) => rows.push(ParameterRow {
                name: name.to_owned(),
                value: StoredValue {
                    stored: encoded.stored,
                    place: Place::Inline(encoded.bytes.into()),
                },
                shown: scrub_json((form.to_json)(value)),
            }),
            Err(error) => {
                problem.get_or_insert_with(|| match error {
                    EncodeError::File { path, source } => FlowErrorKind::FileUnreadable {
                        parameter: name.to_owned(),
                        path,
                        problem: source.to_string(),
                    },
                    error => not_storable(format!("parameter `{name}` of type `{ty}` ({error})")),
                });
            }
        }
    }

    /// Returns the rows, or what cannot be stored.
    pub(crate) fn finish(self) -> Result<Vec<ParameterRow>, FlowErrorKind> {
        match self.0 {
            Purpose::Store {
                rows,
                problem: None,
            } => Ok(rows),
            Purpose::Store {
                problem: Some(problem),
                ..
            } => Err(problem),
            Purpose::Call(_) => Ok(Vec::new()),
        }
    }
}

fn not_storable(what: String) -> FlowErrorKind {
    FlowErrorKind::NotStorable { what }
}

/// Where the arguments of a call come from that no code makes.
pub enum ArgumentSource<'a> {
    /// A store.
    Stored(&'a [ParameterRow]),
    /// A JSON object; parameters that are not there count as `null`.
    Json(Map<String, Value>),
    /// A JSON object, and a store for what is not in it.
    Changed(Map<String, Value>, &'a [ParameterRow]),
}

/// Why a flow cannot be called with arguments from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// A parameter has a type whose values cannot be read.
    #[error("parameter `{parameter}` of type `{ty}` cannot be given from outside")]
    NotReadable {
        /// The parameter.
        parameter: &'static str,
        /// Its type, as written.
        ty: &'static str,
    },
    /// A parameter was not given.
    #[error("parameter `{parameter}` of type `{ty}` is missing")]
    Missing {
        /// The parameter.
        parameter: &'static str,
        /// Its type, as written.
        ty: &'static str,
    },
    /// What was given is not of the parameter's type.
    #[error("parameter `{parameter}` of type `{ty}`: {problem}")]
    Invalid {
        /// The parameter.
        parameter: &'static str,
        /// Its type, as written.
        ty: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Something was given that the flow does not take.
    #[error("the flow has no parameter `{parameter}` (its parameters: {known})")]
    Unknown {
        /// What was given.
        parameter: String,
        /// The parameters there are.
        known: String,
    },
}

impl ArgumentSource<'_> {
    /// Returns the argument for one parameter.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not there, or is not of this type.
    pub fn take<T: 'static, How: FromValue>(
        &mut self,
        name: &'static str,
        ty: &'static str,
        form: Option<ParameterForm<T>>,
    ) -> Result<How::Argument<T>, ArgumentError> {
        let form = form.ok_or(ArgumentError::NotReadable {
            parameter: name,
            ty,
        })?;
        let invalid = |problem: String| ArgumentError::Invalid {
            parameter: name,
            ty,
            problem,
        };
        let missing = || ArgumentError::Missing {
            parameter: name,
            ty,
        };
        let (given, rows) = match self {
            Self::Stored(rows) => (None, *rows),
            Self::Json(object) => (object.remove(name), &[][..]),
            Self::Changed(object, rows) => (object.remove(name), *rows),
        };
        if let Some(given) = given {
            let value = (form.from_json)(given).map_err(|error| invalid(error.to_string()))?;
            return Ok(How::from_value(value));
        }
        let value = match (rows.iter().find(|row| row.name == name), &*self) {
            (Some(row), source) => {
                let Place::Inline(bytes) = &row.value.place else {
                    return Err(missing());
                };
                match form.codec.decode(&row.value.stored, bytes) {
                    Ok(value) => value,
                    // The type may have changed along with the code, to one that takes the same.
                    Err(error) => match source {
                        Self::Changed(..) => (form.from_json)(row.shown.clone())
                            .map_err(|_| invalid(error.to_string()))?,
                        _ => return Err(invalid(error.to_string())),
                    },
                }
            }
            (None, Self::Stored(_)) => return Err(missing()),
            // What may be left out says so by taking `null`.
            (None, _) => (form.from_json)(Value::Null).map_err(|_| missing())?,
        };
        Ok(How::from_value(value))
    }
}

/// Makes an argument of a value.
pub trait FromValue: Passing {
    #[doc(hidden)]
    fn from_value<T>(value: T) -> Self::Argument<T>;
}

impl FromValue for ByRef {
    fn from_value<T>(value: T) -> Shared<T> {
        <T as Input<T, ByRef>>::into_argument(value)
    }
}

impl FromValue for ByValue {
    fn from_value<T>(value: T) -> Owned<T> {
        <T as Input<T, ByValue>>::into_argument(value)
    }
}

/// Describes the parameters of a flow for forms and checks.
#[derive(Default)]
pub struct ParameterSchema {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl ParameterSchema {
    /// Adds a parameter.
    pub fn add<T: 'static>(
        &mut self,
        name: &'static str,
        ty: &'static str,
        form: Option<ParameterForm<T>>,
    ) {
        let mut schema =
            form.map_or_else(|| serde_json::json!({ "not": {} }), |form| (form.schema)());
        if let Value::Object(schema) = &mut schema {
            schema.insert("title".to_owned(), Value::from(ty));
        }
        let may_be_left_out = form.is_none_or(|form| (form.from_json)(Value::Null).is_ok());
        if !may_be_left_out {
            self.required.push(Value::from(name));
        }
        self.properties.insert(name.to_owned(), schema);
    }

    /// Returns the JSON Schema.
    pub(crate) fn finish(self) -> Value {
        serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}
