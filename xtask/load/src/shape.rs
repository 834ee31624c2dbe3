//! Which clients there are.

/// Who is in which group. Each member of each group is a user with one socket.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many groups.
    pub groups: u64,
    /// How many sockets in each that take part.
    pub members: u64,
    /// How many of them send, where any does; at least one.
    pub senders: u64,
    /// How many more join each group and then take nothing any more.
    pub stuck: u64,
    /// The first group's id; its first user's as well.
    pub first_id: u64,
}

impl Shape {
    /// All groups.
    pub fn group_ids(self) -> impl Iterator<Item = u64> {
        (0..self.groups).map(move |number| self.first_id + number)
    }

    /// The users of a group: those who take part, then those that are stuck.
    pub fn users(self, group_id: u64) -> impl Iterator<Item = u64> {
        let each = self.members + self.stuck;
        let first = self.first_id + (group_id - self.first_id) * each;
        first..first + each
    }

    /// How many sockets take part.
    pub fn sockets(self) -> u64 {
        self.groups * self.members
    }

    /// How many requests it takes to make the groups and their members.
    pub fn preparations(self) -> u64 {
        self.groups * (1 + self.members + self.stuck)
    }
}
