//! Every part does what it says, before it is timed or counted.

use xtask_micro::{PARTS, Part};

#[test]
fn every_part_can_be_played() {
    for part in PARTS {
        let mut round = part.prepare().unwrap();
        for _ in 0..3 {
            round.play().unwrap();
        }
    }
}

#[test]
fn parts_are_found_by_their_names() {
    for part in PARTS {
        assert_eq!(Part::of(part.name).unwrap().name, part.name);
    }
    assert!(Part::of("none").is_none());
}
