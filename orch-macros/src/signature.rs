//! What a task or a flow takes and returns.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, GenericParam, Generics, Lifetime, Pat, PathArguments, PathSegment,
    ReturnType, Safety, Token, Type, TypeParamBound, Visibility, WherePredicate, parse_quote,
};

use crate::attr::{Attribute, KeyPart, Keyed, take_key};
use crate::errors::{Errors, error};

/// The most inputs that the runtime's `Arguments` is implemented for.
const MAX_INPUTS: usize = 12;

/// A function as the user wrote it. Its body stays tokens: the compiler reports what is wrong in
/// there, and does it better.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<syn::Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: syn::Signature,
    pub(crate) body: TokenTree,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(syn::token::Brace) {
            return Err(input.error("expected a function with a body"));
        }
        Ok(Self {
            attributes,
            vis,
            sig,
            body: input.parse()?,
        })
    }
}

impl Function {
    /// Reads a function, or says that the item is none.
    pub(crate) fn read(attribute: Attribute, item: TokenStream) -> syn::Result<Self> {
        let error = match syn::parse2(item.clone()) {
            Ok(function) => return Ok(function),
            Err(error) => error,
        };
        let is_other = matches!(syn::parse2(item), Ok(other) if !matches!(other, syn::Item::Fn(_)));
        if !is_other {
            return Err(error);
        }
        let message = format!(
            "`{}` makes something of a function, and this is none\n\
             help: put it before a `fn`",
            attribute.written()
        );
        Err(syn::Error::new(error.span(), message))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self {
            attributes,
            vis,
            sig,
            body,
        } = self;
        tokens.extend(quote!(#(#attributes)* #vis #sig #body));
    }
}

/// A signature that a task or a flow can have.
pub(crate) struct Signature {
    /// The user's function without what only the macro understands; the body of `call`.
    pub(crate) function: Function,
    /// The lifetimes of `function`, which are a mistake.
    pub(crate) lifetimes: Vec<GenericParam>,
    /// The type and const parameters, with the bounds that a task needs.
    pub(crate) generics: Generics,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Returns,
    /// Whether the function can be called with what the parameters say. If not, there was an
    /// error, and the generated bodies are never run.
    pub(crate) is_sound: bool,
}

/// A parameter of a task or a flow.
pub(crate) struct Parameter {
    /// Its name, or a made-up one for a pattern.
    pub(crate) name: Ident,
    /// Its type as written.
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    pub(crate) key: Option<Keyed<KeyPart>>,
}

/// How the body gets a parameter.
pub(crate) enum Passing {
    /// The value is of this type, the body borrows it.
    ByRef(Type),
    ByValue(Type),
    Context,
    /// The type inside `Resource<..>`.
    Resource(Type),
    /// It cannot be passed; there was an error.
    Unknown,
}

/// A return type.
pub(crate) struct Returns {
    /// As written, or `()`.
    pub(crate) ty: Type,
    /// Whether it was written.
    pub(crate) is_written: bool,
    /// Whether it is called something with `Result`.
    pub(crate) is_result: bool,
    /// The value and the error, as far as they are written: `Result<T, E>`, `io::Result<T>`.
    pub(crate) parts: (Option<Type>, Option<Type>),
}

impl Parameter {
    /// The trait of what can be passed for it.
    pub(crate) fn input_trait(&self) -> Ident {
        let name = if self.input().is_some_and(is_tracked) {
            "TrackedInput"
        } else {
            "Input"
        };
        Ident::new(name, Span::call_site())
    }

    /// The type of the value that is passed in.
    pub(crate) fn input(&self) -> Option<&Type> {
        match &self.passing {
            Passing::ByRef(ty) | Passing::ByValue(ty) => Some(ty),
            _ => None,
        }
    }
}

impl Signature {
    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.function.sig.asyncness.is_some()
    }

    pub(crate) fn is_generic(&self) -> bool {
        !self.generics.params.is_empty()
    }

    pub(crate) fn takes_context(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| matches!(parameter.passing, Passing::Context))
    }

    /// Whether the body may ask its context for something that differs from run to run, the seed
    /// above all: it does, or it hands the context on.
    pub(crate) fn may_use_seed(&self) -> bool {
        let context = self
            .parameters
            .iter()
            .find(|parameter| matches!(parameter.passing, Passing::Context));
        context
            .is_some_and(|context| is_handed_on(self.function.body.clone().into(), &context.name))
    }

    /// Reads a function; `None` if calls of the generated one could not be type-checked.
    pub(crate) fn read(
        attribute: Attribute,
        mut function: Function,
        errors: &mut Errors,
    ) -> Option<Self> {
        let kind = if attribute == Attribute::Flow {
            "flow"
        } else {
            "task"
        };
        if let Some(receiver) = function.sig.receiver() {
            errors.push(error(
                receiver,
                format_args!("a {kind} is a free function, it cannot take `self`"),
                "move the body to a function and pass what it needs, as an argument or a \
                 `Resource<T>`",
            ));
            return None;
        }
        if let Some(variadic) = &function.sig.variadic {
            errors.push(error(
                variadic,
                format_args!("a {kind} has a fixed number of parameters"),
                "take a `Vec`",
            ));
            return None;
        }
        check_qualifiers(kind, &mut function.sig, errors);
        let mut reader = Reader {
            attribute,
            kind,
            lifetimes: function
                .sig
                .generics
                .lifetimes()
                .map(|p| p.lifetime.clone())
                .collect(),
            is_sound: true,
            errors,
        };
        let lifetimes = reader.lifetimes(&function.sig.generics);
        let mut parameters = Vec::new();
        for (i, argument) in function.sig.inputs.iter_mut().enumerate() {
            if let FnArg::Typed(argument) = argument {
                parameters.push(reader.parameter(i, argument));
            }
        }
        let returns = reader.returns(&function.sig.output);
        let is_sound = reader.is_sound;
        let generics = generics(&function.sig.generics);
        let inputs = parameters
            .iter()
            .filter(|parameter| parameter.input().is_some());
        if let Some(parameter) = inputs.clone().nth(MAX_INPUTS) {
            errors.push(error(
                &parameter.name,
                format_args!("a {kind} has at most {MAX_INPUTS} inputs, this is one more"),
                "put some of them into a struct",
            ));
            return None;
        }
        let returns = returns?;
        Some(Self {
            function,
            lifetimes,
            generics,
            parameters,
            returns,
            is_sound,
        })
    }
}

/// Reports them and takes them off, so that `call` adds no second error.
fn check_qualifiers(kind: &str, sig: &mut syn::Signature, errors: &mut Errors) {
    if let Some(constness) = sig.constness.take() {
        errors.push(error(
            constness,
            format_args!("a {kind} runs on an engine, it cannot be `const`"),
            format_args!("call a `const fn` from the {kind}"),
        ));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.push(error(
            token,
            format_args!("a {kind} is called by the engine, it cannot be `unsafe`"),
            "put an `unsafe` block into the body, and check there what it relies on",
        ));
        sig.safety = Safety::Default;
    }
    if let Some(abi) = sig.abi.take() {
        errors.push(error(
            abi,
            format_args!("a {kind} cannot be `extern`"),
            format_args!("call the `extern` function from the {kind}"),
        ));
    }
}

/// The type and const parameters, each type able to cross threads.
fn generics(written: &Generics) -> Generics {
    let mut generics = written.clone();
    generics.params = written
        .params
        .iter()
        .filter(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
        .cloned()
        .collect();
    if generics.params.is_empty() {
        generics.lt_token = None;
        generics.gt_token = None;
    }
    let mut clause = generics.where_clause.take();
    if let Some(clause) = &mut clause {
        clause.predicates = clause
            .predicates
            .iter()
            .filter(|predicate| !matches!(predicate, WherePredicate::Lifetime(_)))
            .cloned()
            .collect();
    }
    for parameter in generics.type_params_mut() {
        let name = &parameter.ident;
        let mut predicates = clause.iter_mut().flat_map(|clause| &mut clause.predicates);
        // Beside the user's own bounds: clippy warns of bounds in two places.
        let bounds = match predicates.find_map(|predicate| bounds_of(name, predicate)) {
            Some(bounds) if parameter.bounds.is_empty() => bounds,
            _ => &mut parameter.bounds,
        };
        bounds.push(parse_quote!(::core::marker::Send));
        bounds.push(parse_quote!(::core::marker::Sync));
        bounds.push(parse_quote!('static));
    }
    generics.where_clause = clause;
    generics
}

/// The bounds that a `where` clause puts on a type parameter.
fn bounds_of<'a>(
    name: &Ident,
    predicate: &'a mut WherePredicate,
) -> Option<&'a mut Punctuated<TypeParamBound, Token![+]>> {
    match predicate {
        WherePredicate::Type(predicate) => match &predicate.bounded_ty {
            Type::Path(path) if path.path.is_ident(name) => Some(&mut predicate.bounds),
            _ => None,
        },
        _ => None,
    }
}

struct Reader<'a> {
    attribute: Attribute,
    kind: &'static str,
    /// The function's own, each already reported.
    lifetimes: Vec<Lifetime>,
    is_sound: bool,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn wrong(&mut self, error: syn::Error) {
        self.is_sound = false;
        self.errors.push(error);
    }

    fn lifetimes(&mut self, generics: &Generics) -> Vec<GenericParam> {
        let kind = self.kind;
        let mut lifetimes = Vec::new();
        for parameter in &generics.params {
            if let GenericParam::Lifetime(lifetime) = parameter {
                self.wrong(error(
                    lifetime,
                    format_args!("a {kind} outlives its call, it cannot have a named lifetime"),
                    "take `&T` without a lifetime to borrow from the engine, or `T` to own it",
                ));
                lifetimes.push(parameter.clone());
            }
        }
        lifetimes
    }

    fn parameter(&mut self, i: usize, argument: &mut syn::PatType) -> Parameter {
        let key = take_key(&mut argument.attrs, self.errors);
        let name = self.parameter_name(i, &argument.pat);
        let ty = (*argument.ty).clone();
        let passing = match self.passing(&name, peeled(&ty)) {
            Ok(passing) => passing,
            Err(error) => {
                self.wrong(error);
                Passing::Unknown
            }
        };
        if matches!(passing, Passing::Unknown) {
            self.is_sound = false;
        }
        if let (Passing::Context, Some(key)) = (&passing, &key) {
            self.wrong(error(
                &key.key,
                "a context has no part in the cache key",
                "remove `#[key(..)]`",
            ));
        }
        Parameter {
            name,
            ty,
            passing,
            key,
        }
    }

    fn parameter_name(&mut self, i: usize, pattern: &Pat) -> Ident {
        match pattern {
            Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                pattern.ident.clone()
            }
            _ => {
                let kind = self.kind;
                // The body can still be called: only the name is missing.
                self.errors.push(error(
                    pattern,
                    format_args!("a parameter of a {kind} is a plain name"),
                    "write a name here and take it apart with `let` in the body",
                ));
                format_ident!("argument_{i}", span = Span::call_site())
            }
        }
    }

    fn passing(&mut self, name: &Ident, ty: &Type) -> syn::Result<Passing> {
        let kind = self.kind;
        if let Type::ImplTrait(ty) = ty {
            return Err(error(
                ty,
                format_args!("a parameter of a {kind} cannot be an `impl Trait`"),
                "give the type a name: `fn f<T: Trait>(value: T)`",
            ));
        }
        if let Some(segment) = last_segment(ty) {
            if let Some(context) = context(segment) {
                return Err(error(
                    ty,
                    format_args!("the context of a {kind} is borrowed"),
                    format_args!("write `&{context}`"),
                ));
            }
            if let Some(inner) = resource(segment) {
                self.check_owned(name, inner)?;
                return Ok(Passing::Resource(inner.clone()));
            }
        }
        let Type::Reference(reference) = ty else {
            self.check_owned(name, ty)?;
            return Ok(if self.borrows(ty).is_some() {
                Passing::Unknown
            } else {
                Passing::ByValue(ty.clone())
            });
        };
        if reference.mutability.is_some() {
            return Err(error(
                reference,
                format_args!("a {kind} cannot change a value of its caller"),
                "take the value itself and return the changed one",
            ));
        }
        if reference
            .lifetime
            .as_ref()
            .is_some_and(|lifetime| lifetime.ident == "static")
        {
            self.check_owned(name, ty)?;
            return Ok(Passing::ByValue(ty.clone()));
        }
        self.borrowed(name, peeled(&reference.elem))
    }

    /// The parameter `&ty`.
    fn borrowed(&mut self, name: &Ident, ty: &Type) -> syn::Result<Passing> {
        let kind = self.kind;
        match ty {
            Type::ImplTrait(_) | Type::TraitObject(_) => {
                return Err(error(
                    ty,
                    format_args!("a {kind} cannot borrow a value without knowing its type"),
                    "name the type, or make it a type parameter: `fn f<T: Trait>(value: &T)`",
                ));
            }
            Type::Slice(slice) => {
                self.check_owned(name, &slice.elem)?;
                let element = &slice.elem;
                return Ok(Passing::ByRef(parse_quote!(::std::vec::Vec<#element>)));
            }
            _ => {}
        }
        if let Some(segment) = last_segment(ty) {
            if let Some(written) = context(segment) {
                let right = match self.attribute {
                    Attribute::Flow => "FlowContext",
                    _ => "TaskContext",
                };
                if written != right {
                    return Err(error(
                        ty,
                        format_args!("`{written}` is not the context of a {kind}"),
                        format_args!("write `&{right}`"),
                    ));
                }
                return Ok(Passing::Context);
            }
            if resource(segment).is_some() {
                return Err(error(
                    ty,
                    "a resource is shared already, so it is taken by value",
                    "write `Resource<T>` without the `&`",
                ));
            }
            if segment.arguments.is_none() && segment.ident == "str" {
                return Ok(Passing::ByRef(parse_quote!(::std::string::String)));
            }
            if segment.arguments.is_none() && segment.ident == "Path" {
                return Ok(Passing::ByRef(parse_quote!(::std::path::PathBuf)));
            }
        }
        self.check_owned(name, ty)?;
        Ok(if self.borrows(ty).is_some() {
            Passing::Unknown
        } else {
            Passing::ByRef(ty.clone())
        })
    }

    /// Refuses what borrows from somewhere, if that is not reported yet.
    fn check_owned(&self, name: &Ident, ty: &Type) -> syn::Result<()> {
        let kind = self.kind;
        match self.borrows(ty) {
            Some(Borrow::ImplTrait(tokens)) => Err(error(
                tokens,
                format_args!("`{}` has no type that can be named", name.unraw()),
                "give the type a name: `fn f<T: Trait>(value: Vec<T>)`",
            )),
            Some(Borrow::From(tokens, None)) => Err(error(
                tokens,
                format_args!("`{}` borrows, but a {kind} outlives its call", name.unraw()),
                "own the value (`String` for `&str`, `Vec<T>` for `&[T]`), or borrow the whole \
                 parameter: `&T`",
            )),
            _ => Ok(()),
        }
    }

    fn borrows(&self, ty: &Type) -> Option<Borrow> {
        let mut finder = BorrowFinder {
            known: &self.lifetimes,
            bound: Vec::new(),
            found: None,
        };
        finder.visit_type(ty);
        finder.found
    }

    fn returns(&mut self, output: &ReturnType) -> Option<Returns> {
        let kind = self.kind;
        let ReturnType::Type(_, ty) = output else {
            return Some(Returns {
                ty: parse_quote!(()),
                is_written: false,
                is_result: false,
                parts: (None, None),
            });
        };
        if let Type::Never(_) = peeled(ty) {
            self.wrong(error(
                ty,
                format_args!("a {kind} that never returns has no result"),
                "return `()`, or a `Result` with the reason why it stopped",
            ));
            return None;
        }
        match self.borrows(ty) {
            None => {}
            Some(Borrow::ImplTrait(tokens)) => {
                self.wrong(error(
                    tokens,
                    format_args!("the result of a {kind} needs a type that can be named"),
                    "return the type itself, or `Box<dyn Trait + Send + Sync>`",
                ));
                return None;
            }
            Some(Borrow::From(tokens, lifetime)) => {
                self.is_sound = false;
                if lifetime.is_none() {
                    self.wrong(error(
                        tokens,
                        format_args!("the result of a {kind} cannot borrow from its inputs"),
                        "return an owned value: `String` for `&str`, `Vec<T>` for `&[T]`, a clone",
                    ));
                }
                return None;
            }
        }
        let segment = last_segment(ty);
        let is_result =
            segment.is_some_and(|segment| segment.ident.to_string().ends_with("Result"));
        Some(Returns {
            ty: (**ty).clone(),
            is_written: true,
            is_result,
            parts: segment.map_or((None, None), result_parts),
        })
    }
}

/// The type without parentheses and invisible groups.
pub(crate) fn peeled(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peeled(&group.elem),
        Type::Paren(paren) => peeled(&paren.elem),
        other => other,
    }
}

/// The last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match peeled(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn context(segment: &PathSegment) -> Option<&'static str> {
    ["TaskContext", "FlowContext"]
        .into_iter()
        .find(|name| segment.ident == name)
}

/// Whether a type is written as `Tracked<..>`, or as a `Vec` or an array of it.
fn is_tracked(ty: &Type) -> bool {
    let is_one = |ty| last_segment(ty).is_some_and(|it| only_argument(it, "Tracked").is_some());
    let element = match peeled(ty) {
        Type::Array(array) => Some(&*array.elem),
        ty => last_segment(ty).and_then(|segment| only_argument(segment, "Vec")),
    };
    is_one(element.unwrap_or(ty))
}

/// The type inside `Resource<..>`.
fn resource(segment: &PathSegment) -> Option<&Type> {
    only_argument(segment, "Resource")
}

/// The type inside `name<..>`.
fn only_argument<'a>(segment: &'a PathSegment, name: &str) -> Option<&'a Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == name => {
            match arguments.args.first() {
                Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The value and the error in `Result<..>`. Everybody's `Result<T>` has the value first.
fn result_parts(segment: &PathSegment) -> (Option<Type>, Option<Type>) {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == "Result" => {
            let mut types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            });
            (types.next(), types.next())
        }
        _ => (None, None),
    }
}

/// What keeps a type from being owned.
enum Borrow {
    ImplTrait(TokenStream),
    /// The tokens, and the lifetime if it is one of the function's own.
    From(TokenStream, Option<Lifetime>),
}

/// Finds the first borrow in a type.
struct BorrowFinder<'a> {
    known: &'a [Lifetime],
    bound: Vec<Lifetime>,
    found: Option<Borrow>,
}

impl BorrowFinder<'_> {
    fn find(&mut self, borrow: Borrow) {
        self.found.get_or_insert(borrow);
    }
}

impl<'ast> Visit<'ast> for BorrowFinder<'_> {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        if reference.lifetime.is_none() {
            self.find(Borrow::From(quote!(#reference), None));
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident == "static" || self.bound.contains(lifetime) {
            return;
        }
        let known = self.known.contains(lifetime).then(|| lifetime.clone());
        self.find(Borrow::From(quote!(#lifetime), known));
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.find(Borrow::ImplTrait(quote!(#ty)));
    }

    fn visit_bound_lifetimes(&mut self, lifetimes: &'ast syn::BoundLifetimes) {
        for parameter in &lifetimes.lifetimes {
            if let GenericParam::Lifetime(parameter) = parameter {
                self.bound.push(parameter.lifetime.clone());
            }
        }
    }

    // Lifetimes that are left out in these are bound there.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(
        &mut self,
        _: &'ast syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// A type as a person writes it: `&Dataset`, `Result<Vec<u8>, MlError>`.
pub(crate) fn written(ty: &impl ToTokens) -> String {
    let mut text = String::new();
    write_tokens(ty.to_token_stream(), &mut text);
    text
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                use proc_macro2::Delimiter;
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                if group.delimiter() != Delimiter::None && follows_word(text) {
                    text.push(' ');
                }
                *text += open;
                write_tokens(group.stream(), text);
                if text.ends_with(", ") && !text.ends_with("(, ") {
                    text.pop();
                }
                *text = text.trim_end().to_owned() + close;
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                c @ (',' | ';') => {
                    text.push(c);
                    text.push(' ');
                }
                '+' => *text += " + ",
                '=' => *text += " = ",
                '>' if text.ends_with("- ") || text.ends_with('-') => {
                    *text = text.trim_end_matches(['-', ' ']).to_owned() + " -> ";
                }
                ':' if text.ends_with("::") => text.push(':'),
                ':' if text.ends_with(": ") => {
                    text.pop();
                    text.push(':');
                }
                ':' => {
                    // The second colon of `::` takes the space back.
                    text.push_str(": ");
                }
                '<' if text.ends_with(": ") => {
                    text.pop();
                    text.push('<');
                }
                '>' => {
                    *text = text.trim_end_matches([' ', ',']).to_owned() + ">";
                }
                c => {
                    if follows_word(text) {
                        text.push(' ');
                    }
                    text.push(c);
                }
            },
            word => {
                if text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '>')) {
                    text.push(' ');
                }
                *text += &word.to_string();
            }
        }
    }
}

/// Whether the text ends in a word that is not the start of a path or a call.
fn follows_word(text: &str) -> bool {
    let start = text
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    let word = &text[start..];
    let is_lifetime = !word.is_empty() && text[..start].ends_with('\'');
    let is_keyword = matches!(word, "mut" | "const" | "dyn" | "impl" | "as" | "in");
    is_lifetime || is_keyword
}

/// What a body may do with its context without coming to another result by it.
const HARMLESS: [&str; 11] = [
    "attempt",
    "name",
    "flow_run",
    "index",
    "is_cancelled",
    "cancelled",
    "cancel_token",
    "heartbeat",
    "checkpoint",
    "restore",
    "step",
];

/// Whether a name is used for anything but calls of harmless methods.
fn is_handed_on(tokens: TokenStream, name: &Ident) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(i, token)| match token {
        TokenTree::Group(group) => is_handed_on(group.stream(), name),
        TokenTree::Ident(ident) if ident == name => {
            let method = match (tokens.get(i + 1), tokens.get(i + 2)) {
                (Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(method)))
                    if dot.as_char() == '.' =>
                {
                    method.to_string()
                }
                _ => return true,
            };
            !HARMLESS.contains(&method.as_str())
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_written(source: &str, expected: &str) {
        let ty: Type = syn::parse_str(source).unwrap();
        assert_eq!(written(&ty), expected);
    }

    #[test]
    fn types_are_written_without_odd_spaces() {
        for ty in [
            "&Dataset",
            "f64",
            "()",
            "(A,)",
            "(A, B)",
            "&'static str",
            "&'static [u8]",
            "&[u8]",
            "[u8; 4]",
            "Result<Vec<u8>, MlError>",
            "std::collections::BTreeMap<String, Vec<f64>>",
            "::std::vec::Vec<T>",
            "<T as Model>::Params",
            "Box<dyn Fn(&str) -> bool + Send + 'static>",
            "Box<dyn for<'a> Fn(&'a str) -> &'a str>",
            "Box<dyn Iterator<Item = u8>>",
            "fn(u8, &u8) -> u8",
            "*const u8",
            "Matrix<3, -1>",
            "impl Into<String>",
        ] {
            check_written(ty, ty);
        }
        check_written("Result < u8 , String , >", "Result<u8, String>");
    }
}
