//! The OpenAPI document, made from what the handlers take and give.
//!
//! Each type of a handler's signature says what it means to the route ([`Describe`]): a path parameter its place and
//! range, a body its keys, an answer its status, headers and schema, and each of them the codes that it refuses with.
//! What no signature tells, [`Words`] asks for where the route is named, so no route is without it.

mod document;
mod routes;
mod spec;

pub(crate) use self::{
    document::document,
    routes::{API, Routes, Words},
    spec::{Describe, Spec, header, json_content, parameter},
};
