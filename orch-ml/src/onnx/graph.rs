//! Operators in a row, and the file around them.
//!
//! # Source
//! The numbers of the fields are those of `onnx.proto` of ONNX 1.23.

use super::protobuf::Message;

/// The version of the file format.
const IR_VERSION: i64 = 10;
/// The operators: those of version 10's release, and those for models of tables.
const OPERATOR_SETS: [(&str, i64); 2] = [("", 21), (ML_DOMAIN, 3)];
const ML_DOMAIN: &str = "ai.onnx.ml";

/// The types of values.
#[derive(Debug, Clone, Copy)]
pub(super) enum ElementType {
    Float = 1,
    Integer = 7,
    Text = 8,
}

/// A value of an operator's attribute.
pub(super) enum Attribute {
    Int(i64),
    Text(&'static str),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

/// An operator, whose inputs and outputs are named.
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) input: &'static str,
    pub(super) outputs: Vec<&'static str>,
    pub(super) attributes: Vec<(&'static str, Attribute)>,
}

/// An output of the file: its name, the type of its values, and how many there are per row; none
/// for a list of one per row.
pub(super) type Output = (&'static str, ElementType, Option<usize>);

/// What a file is made of.
pub(super) struct Graph {
    pub(super) input: (&'static str, usize),
    pub(super) operators: Vec<Operator>,
    pub(super) outputs: Vec<Output>,
    pub(super) description: String,
    pub(super) properties: Vec<(&'static str, String)>,
}

impl Graph {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let (input, n_features) = self.input;
        let input = value_info(input, ElementType::Float, Some(n_features));
        let nodes: Vec<Message> = self.operators.into_iter().map(Operator::message).collect();
        let outputs = self.outputs.iter();
        let outputs: Vec<Message> = outputs
            .map(|(name, element, width)| value_info(name, *element, *width))
            .collect();
        let graph = Message::new()
            .messages(1, &nodes)
            .text(2, "model")
            .message(11, &input)
            .messages(12, &outputs);
        let sets =
            OPERATOR_SETS.map(|(domain, version)| Message::new().text(1, domain).int(2, version));
        let properties = self.properties.iter();
        let properties: Vec<Message> = properties
            .map(|(name, value)| Message::new().text(1, name).text(2, value))
            .collect();
        Message::new()
            .int(1, IR_VERSION)
            .text(2, "orch-ml")
            .text(3, env!("CARGO_PKG_VERSION"))
            .text(6, &self.description)
            .message(7, &graph)
            .messages(8, &sets)
            .messages(14, &properties)
            .into_bytes()
    }
}

/// Rows of any number, each with `width` values or one without a dimension of its own.
fn value_info(name: &str, element: ElementType, width: Option<usize>) -> Message {
    let rows = Message::new().text(2, "n_rows");
    let width = width.map(|width| Message::new().int(1, width as i64));
    let shape = Message::new().messages(1, [&rows].into_iter().chain(&width));
    let tensor = Message::new().int(1, element as i64).message(2, &shape);
    Message::new()
        .text(1, name)
        .message(2, &Message::new().message(1, &tensor))
}

impl Operator {
    fn message(self) -> Message {
        let node = Message::new().text(1, self.input);
        let outputs = self.outputs.iter();
        let node = outputs.fold(node, |node, output| node.text(2, output));
        let attributes = self.attributes.into_iter();
        let attributes: Vec<Message> = attributes
            .map(|(name, value)| value.message(Message::new().text(1, name)))
            .collect();
        node.text(3, self.name)
            .text(4, self.name)
            .messages(5, &attributes)
            .text(7, ML_DOMAIN)
    }
}

impl Attribute {
    /// The value after the name, and its type last.
    fn message(self, named: Message) -> Message {
        match self {
            Attribute::Int(value) => named.int(3, value).int(20, 2),
            Attribute::Text(text) => named.text(4, text).int(20, 3),
            Attribute::Floats(values) => named.floats(7, &values).int(20, 6),
            Attribute::Ints(values) => named.ints(8, &values).int(20, 7),
            Attribute::Texts(texts) => {
                let named = texts.iter().fold(named, |named, text| named.text(9, text));
                named.int(20, 8)
            }
        }
    }
}
