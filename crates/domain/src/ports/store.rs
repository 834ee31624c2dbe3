//! One store for all that a deployment keeps.

use super::{GroupLog, Groups, Memberships, ReadMarks, Upkeep, Users};

/// Whatever answers every port that the use cases cannot do without; nothing to implement.
pub trait Store: GroupLog + Groups + Memberships + Users + ReadMarks + Upkeep {}

impl<T: GroupLog + Groups + Memberships + Users + ReadMarks + Upkeep> Store for T {}
