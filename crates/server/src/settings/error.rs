//! A setting that is wrong.

use std::borrow::Cow;

/// A setting cannot be used. Its text is one line, and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct SettingError {
    name: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl SettingError {
    /// An error of the setting with that flag or variable.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            problem: problem.into(),
        }
    }

    /// The flag or variable at fault, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }
}
