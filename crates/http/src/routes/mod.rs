//! The handlers, one file for each resource, and what is said of their routes.

pub(crate) mod auth;
pub(crate) mod groups;
pub(crate) mod log;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod users;
