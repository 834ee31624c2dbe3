//! What somebody may do, and who lost the right to it.

mod devices;
mod matrix;
mod races;
mod roles;
mod rooms;
mod stuck;

use devices::{az_15_one_of_several_devices, az_17_what_was_true_a_moment_ago};
use matrix::az_9_every_route_of_a_group_or_a_user;
use races::{az_3_sends_at_the_removal_of_their_sender, az_5_joins_at_a_removal};
use roles::{az_11_taking_more_than_was_given, az_14_bodies_that_set_more_than_they_may};
use rooms::{
    az_1_groups_of_others_and_groups_that_are_not_there, az_2_sending_needs_membership_and_no_join,
    az_8_leaving_what_was_never_joined, az_10_a_log_belongs_to_its_members_of_now,
    az_16_names_of_rooms_in_place_of_ids,
};
use stuck::{
    az_4_a_removal_with_deliveries_that_are_stuck, az_7_a_removal_of_somebody_whose_sockets_are_full,
};

rows! {
    played {
        "AZ-1" => az_1_groups_of_others_and_groups_that_are_not_there,
        "AZ-2" => az_2_sending_needs_membership_and_no_join,
        "AZ-3" => az_3_sends_at_the_removal_of_their_sender,
        "AZ-4" => az_4_a_removal_with_deliveries_that_are_stuck,
        "AZ-5" => az_5_joins_at_a_removal,
        "AZ-7" => az_7_a_removal_of_somebody_whose_sockets_are_full with [("SEALROOM_LIMIT_WRITE_STALL", "2s")],
        "AZ-8" => az_8_leaving_what_was_never_joined,
        "AZ-9" => az_9_every_route_of_a_group_or_a_user,
        "AZ-10" => az_10_a_log_belongs_to_its_members_of_now,
        "AZ-11" => az_11_taking_more_than_was_given,
        "AZ-14" => az_14_bodies_that_set_more_than_they_may,
        "AZ-15" => az_15_one_of_several_devices,
        "AZ-16" => az_16_names_of_rooms_in_place_of_ids,
        "AZ-17" => az_17_what_was_true_a_moment_ago,
    }
    not_played {
        "AZ-6": "there is no bus between servers yet; several servers on one PostgreSQL are in AZ-17",
        "AZ-12": "there are no key envelopes and nobody changes a key epoch yet",
        "AZ-13": "no key epoch changes yet, so none is ever stale",
    }
}
