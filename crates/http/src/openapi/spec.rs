//! What is said of one route.

use std::{collections::BTreeMap, future::Future};

use axum::{
    extract::{OriginalUri, State},
    http::StatusCode,
};
use sealroom_domain::ErrorCode;
use sealroom_wire::values::integer;
use utoipa::{
    ToSchema,
    openapi::{
        AllOf, Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, Response, Schema,
        header::Header,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBody,
        schema::Type,
        security::SecurityRequirement,
    },
};

use crate::{
    problem::{Problem, ProblemDocument, status},
    request_id::REQUEST_ID,
};

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// The schemas that a route refers to, by name.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A part of a handler's signature, or all of it, that knows what it means to the route.
pub(crate) trait Describe {
    /// Adds it.
    fn describe(spec: &mut Spec);
}

/// What is said of one route so far.
#[derive(Default)]
pub(crate) struct Spec {
    operation: Operation,
    answers: BTreeMap<u16, Response>,
    refusals: BTreeMap<u16, Vec<ErrorCode>>,
    pub(super) schemas: Schemas,
}

/// A schema that stands by its name among the others.
pub(crate) struct Body(RefOr<Schema>);

impl Spec {
    /// A parameter of the path, the query or the head.
    pub(crate) fn parameter(&mut self, parameter: Parameter) {
        self.operation
            .parameters
            .get_or_insert_default()
            .push(parameter.into());
    }

    /// What the request carries.
    pub(crate) fn request_body(&mut self, body: RequestBody) {
        self.operation.request_body = Some(body.into());
    }

    /// An answer where all is well.
    pub(crate) fn answer(&mut self, status: StatusCode, answer: Response) {
        let answer = with_header(answer, REQUEST_ID, request_id());
        self.answers.insert(status.as_u16(), answer);
    }

    /// Codes that the route refuses with; a problem document for each of their statuses.
    pub(crate) fn refuses(&mut self, codes: &[ErrorCode]) {
        for code in codes {
            let same_status = self.refusals.entry(status(*code).as_u16()).or_default();
            if !same_status.contains(code) {
                same_status.push(*code);
            }
        }
    }

    /// Only who has a good token may ask.
    pub(crate) fn needs_token(&mut self) {
        let requirement = SecurityRequirement::new(BEARER, <[&str; 0]>::default());
        self.operation.security = Some(vec![requirement]);
    }

    /// Who has no token may ask as well.
    pub(crate) fn may_have_token(&mut self) {
        let requirement = SecurityRequirement::new(BEARER, <[&str; 0]>::default());
        self.operation.security = Some(vec![SecurityRequirement::default(), requirement]);
    }

    /// A schema of a type, which also stands among the document's schemas.
    pub(crate) fn body<T: ToSchema>(&mut self) -> Body {
        self.named(T::name().into_owned(), T::schema());
        T::schemas(&mut self.schemas);
        Body(Ref::from_schema_name(T::name()).into())
    }

    /// The same of a schema that no type has.
    pub(crate) fn named(&mut self, name: String, schema: RefOr<Schema>) -> Body {
        let reference = Ref::from_schema_name(&name);
        self.schemas.push((name, schema));
        Body(reference.into())
    }

    /// The operation, its answers in the order of their statuses.
    pub(super) fn finish(mut self) -> (Operation, Schemas) {
        if !self.refusals.is_empty() {
            self.body::<ProblemDocument<'_>>();
        }
        let refusals = std::mem::take(&mut self.refusals);
        for (status, codes) in refusals {
            // A status that is no refusal on this route, such as the probe's 503, is described by its answer alone.
            self.answers
                .entry(status)
                .or_insert_with(|| refusal(status, &codes));
        }
        let responses = &mut self.operation.responses.responses;
        for (status, answer) in self.answers {
            responses.insert(status.to_string(), answer.into());
        }
        (self.operation, self.schemas)
    }

    pub(super) fn operation(&mut self) -> &mut Operation {
        &mut self.operation
    }
}

/// A body of this media type.
pub(crate) fn json_content(Body(schema): Body) -> Content {
    Content::new(Some(schema))
}

/// The answer of a status with the codes that it may carry.
fn refusal(status: u16, codes: &[ErrorCode]) -> Response {
    let names = codes.iter().map(|code| code.as_str());
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names));
    let mut document = AllOf::new();
    document.items = vec![
        Ref::from_schema_name(ProblemDocument::name()).into(),
        ObjectBuilder::new().property("code", code).into(),
    ];
    let lines = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.text()));
    let mut answer = Response::new(lines.collect::<Vec<_>>().join("; "));
    let content = Content::new(Some(Schema::AllOf(document)));
    answer
        .content
        .insert("application/problem+json".to_owned(), content.into());
    let answer = with_header(answer, REQUEST_ID, request_id());
    match status {
        401 => with_header(
            answer,
            "WWW-Authenticate",
            header("The scheme, and `invalid_token` where a token came (RFC 6750)."),
        ),
        429 | 503 => {
            let seconds = HeaderBuilder::new()
                .schema(Some(integer(1)))
                .description(Some("Seconds to wait, where they are known."))
                .build();
            with_header(answer, "Retry-After", seconds)
        }
        _ => answer,
    }
}

/// A header of an answer, which is text.
pub(crate) fn header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

fn request_id() -> Header {
    header("The request's own, or a new one; lines of the log carry it.")
}

fn with_header(mut answer: Response, name: &str, header: Header) -> Response {
    answer.headers.insert(name.to_owned(), header.into());
    answer
}

/// A parameter of this schema. Those of paths must be there.
pub(crate) fn parameter(
    name: &str,
    place: ParameterIn,
    schema: ObjectBuilder,
    description: &str,
) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) {
        Required::True
    } else {
        Required::False
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// What handlers work on is nothing that a client sees.
impl<S> Describe for State<S> {
    fn describe(_spec: &mut Spec) {}
}

/// The path as it came names pages beside it.
impl Describe for OriginalUri {
    fn describe(_spec: &mut Spec) {}
}

impl<T: Describe> Describe for Result<T, Problem> {
    fn describe(spec: &mut Spec) {
        T::describe(spec);
    }
}

/// A handler, whose arguments are `Arguments`.
pub(crate) trait Described<Arguments> {
    /// Adds what its arguments and its answer say.
    fn describe(&self, spec: &mut Spec);
}

macro_rules! handlers {
    ($(($($argument:ident),*)),+) => {
        $(impl<Handler, Answer, $($argument),*> Described<($($argument,)*)> for Handler
        where
            Handler: Fn($($argument),*) -> Answer,
            Answer: Future<Output: Describe>,
            $($argument: Describe,)*
        {
            fn describe(&self, spec: &mut Spec) {
                $($argument::describe(spec);)*
                Answer::Output::describe(spec);
            }
        })+
    };
}

handlers!(
    (),
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
    (A, B, C, D, E, F)
);
