//! What somebody may do, and who lost the right to it.

rows! {
    played {}
    not_played {}
}
