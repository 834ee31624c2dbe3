//! Pages in queries.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use sealroom_domain::{ErrorCode, Refusal, Seq, ports::Cursor};
use sealroom_wire::values::integer;
use utoipa::openapi::{ObjectBuilder, path::ParameterIn, schema::Type};

use super::{decimal, is_decimal};
use crate::{
    openapi::{Describe, Spec, parameter},
    problem::Problem,
};

/// `before_seq`, `after_seq` and `limit`. Other keys are ignored, so that a client may add some against caches; one of
/// these that comes twice is refused, because parts of a chain of servers would disagree on which of them counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageQuery {
    pub(crate) cursor: Cursor,
    pub(crate) limit: Option<usize>,
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_malformed| ErrorCode::InvalidData)?;
        Ok(Self::read(&pairs)?)
    }
}

impl Describe for PageQuery {
    fn describe(spec: &mut Spec) {
        // However large it is, it is only capped.
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        for (name, schema, description) in [
            (
                "before_seq",
                integer(0),
                "The last page before this place. Not together with `after_seq`; without either, the newest page.",
            ),
            (
                "after_seq",
                integer(0),
                "The page after this place; 0 from the start.",
            ),
            (
                "limit",
                limit,
                "Entries at most: 100 where it is absent; more than 500 (a setting) is taken for 500. A page also \
                 ends at 512 KiB.",
            ),
        ] {
            spec.parameter(parameter(name, ParameterIn::Query, schema, description));
        }
        spec.refuses(&[ErrorCode::InvalidData, ErrorCode::HistoryTrimmed]);
    }
}

impl PageQuery {
    fn read(pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let before = seq(pairs, "before_seq")?;
        let after = seq(pairs, "after_seq")?;
        let cursor = match (before, after) {
            (None, None) => Cursor::Newest,
            (None, Some(after)) => Cursor::After(after),
            (Some(before), None) => Cursor::Before(before),
            (Some(_), Some(_)) => return Err(Refusal::invalid("before_seq")),
        };
        let limit = value(pairs, "limit")?.map(limit).transpose()?;
        Ok(Self { cursor, limit })
    }
}

fn seq(pairs: &[(String, String)], key: &'static str) -> Result<Option<Seq>, Refusal> {
    let Some(text) = value(pairs, key)? else {
        return Ok(None);
    };
    decimal(text)
        .and_then(|number| Seq::new(number).ok())
        .map(Some)
        .ok_or(Refusal::invalid(key))
}

/// At least 1. However large, it is for the use case to cap.
fn limit(text: &str) -> Result<usize, Refusal> {
    if !is_decimal(text) || text == "0" {
        return Err(Refusal::invalid("limit"));
    }
    Ok(text.parse().unwrap_or(usize::MAX))
}

fn value<'a>(pairs: &'a [(String, String)], key: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = pairs.iter().filter(|(name, _)| name == key);
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::invalid(key));
    }
    Ok(first.map(|(_, value)| value.as_str()))
}
