//! The shape of what clients send.

rows! {
    played {}
    not_played {}
}
