//! Another name for the log, as a restored backup gets it.

use sealroom_domain::ports::GroupLog;
use sealroom_persistence::PostgresStore;

use crate::{make_groups, message, new_entries, options, store};

#[tokio::test]
async fn a_new_name_is_told_at_once_and_by_other_stores_once_they_are_opened_again() {
    let (store, database) = store().await;
    let other = PostgresStore::open(options(database.url())).await.unwrap();
    make_groups(&store, 1).await;
    new_entries(store.append(vec![message(1, "before", None)]).await.unwrap());
    let old = store.log_id().await.unwrap();

    let new = store.renew_log_id().await.unwrap();
    assert_ne!(new, old);
    assert_eq!(store.log_id().await.unwrap(), new);
    assert_eq!(other.log_id().await.unwrap(), old);
    let again = PostgresStore::open(options(database.url())).await.unwrap();
    assert_eq!(again.log_id().await.unwrap(), new);

    // Only the name is another: the entries stay, and the next one follows them.
    let entries = new_entries(again.append(vec![message(1, "after", None)]).await.unwrap());
    assert_eq!(entries[0].seq.get(), 2);
    assert_ne!(store.renew_log_id().await.unwrap(), new);
}
