//! The targets.

mod addresses;
mod connect_auth;
mod engine_io;
mod event;
mod http;
mod keys;
mod settings;
mod tokens;

pub use self::{
    addresses::{forwarded_for, origin},
    connect_auth::connect_auth,
    engine_io::{engine_io_body, engine_io_query},
    event::event,
    http::{http_body, http_headers, http_path, http_query},
    keys::{jwks, pem, webhook_secret},
    settings::settings,
    tokens::{token, token_claims},
};
