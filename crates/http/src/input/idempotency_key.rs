//! The `Idempotency-Key` of a request.

use axum::{extract::FromRequestParts, http::request::Parts};
use sealroom_domain::{ClientMessageId, ErrorCode, Refusal};
use utoipa::openapi::{
    Required,
    path::{ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Type},
};

use crate::{
    openapi::{Describe, Spec},
    problem::Problem,
};

const NAME: &str = "Idempotency-Key";

/// The client's own id of a message, as its header has it: the characters themselves, without quotes around them.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<ClientMessageId>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(NAME).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let id = value
            .to_str()
            .ok()
            .and_then(|text| ClientMessageId::new(text).ok());
        match (id, values.next()) {
            (Some(id), None) => Ok(Self(Some(id))),
            _ => Err(Refusal::invalid(NAME).into()),
        }
    }
}

impl Describe for IdempotencyKey {
    fn describe(spec: &mut Spec) {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(64))
            .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
        let parameter = ParameterBuilder::new()
            .name(NAME)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The client's own id of the message, its `client_message_id`: 1 to 64 printable ASCII characters.",
            ))
            .schema(Some(text));
        spec.parameter(parameter.build());
        spec.refuses(&[ErrorCode::InvalidData]);
    }
}
