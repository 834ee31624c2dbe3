//! Logs that are right for one caller at a time.

use sealroom_testkit::conformance::group_log;

use super::{
    caught,
    racing::{Defect, Racing},
};

mod without_a_defect {
    use super::{Defect, Racing};

    sealroom_testkit::group_log_conformance!(async { Racing::new(Defect::None) });
}

caught! {
    ids_are_looked_up_before_the_lock: group_log::concurrent_repetitions_store_one_message,
        Racing::new(Defect::IdsBeforeTheBatch);
    places_are_taken_before_the_lock: group_log::concurrent_appenders_get_dense_unique_places,
        Racing::new(Defect::PlacesBeforeTheBatch);
    an_answer_comes_before_the_append: group_log::one_callers_appends_keep_their_order,
        Racing::new(Defect::AnswersFirst);
    a_refused_id_is_taken: group_log::a_refused_message_does_not_take_its_client_id,
        Racing::new(Defect::RefusedIdsAreTaken);
    an_empty_batch_fails: group_log::an_empty_batch_is_answered, Racing::new(Defect::EmptyBatchFails);
    a_page_is_put_together_from_two_moments: group_log::pages_have_no_gap_under_concurrent_appends,
        Racing::new(Defect::HeadBeforeThePage);
    groups_are_mixed: group_log::pages_hold_one_group_only, Racing::new(Defect::GroupsByPrefix);
    a_batch_is_stored_piece_by_piece: group_log::an_abandoned_append_leaves_all_or_nothing,
        Racing::new(Defect::PieceByPiece);
    an_abandoned_append_keeps_its_lock: group_log::abandoned_appends_do_not_stop_later_ones,
        Racing::new(Defect::LockIsLeft);
    an_abandoned_batch_keeps_its_lock: group_log::an_abandoned_append_leaves_all_or_nothing,
        Racing::new(Defect::LockIsLeft);
    groups_are_locked_in_the_batchs_order:
        group_log::concurrent_batches_over_several_groups_do_not_block_each_other,
        Racing::new(Defect::LocksInBatchOrder);
}
