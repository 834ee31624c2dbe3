//! What PostgreSQL does for statements that only look simple, under the settings of the store's sessions.

use sealroom_domain::ports::GroupLog;
use tokio_postgres::Client;

use crate::{edit, make_groups, message, store};

async fn plan(client: &Client, statement: &str) -> String {
    let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
        SET enable_hashjoin = off; SET enable_mergejoin = off";
    client.batch_execute(settings).await.unwrap();
    let rows = client.query(&format!("EXPLAIN {statement}"), &[]).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn changes_and_spans_are_found_by_their_indexes() {
    let (store, database) = store().await;
    make_groups(&store, 2).await;
    store
        .append(vec![message(1, "x", None), edit(1, 1, "y")])
        .await
        .unwrap();
    let client = database.client().await;
    client.batch_execute("ANALYZE").await.unwrap();
    let last_changes = "SELECT c.* FROM UNNEST(ARRAY[1], ARRAY[1]) AS asked (group_id, seq) CROSS JOIN LATERAL \
        (SELECT * FROM entries e WHERE e.group_id = asked.group_id AND e.target_seq = asked.seq \
        AND e.target_seq IS NOT NULL ORDER BY e.seq DESC LIMIT 1) AS c";
    let clear = "UPDATE entries SET content = NULL FROM (\
        SELECT m.group_id, m.seq FROM UNNEST(ARRAY[1], ARRAY[1]) AS m (group_id, seq) UNION ALL \
        SELECT e.group_id, e.seq FROM UNNEST(ARRAY[1], ARRAY[1]) AS m (group_id, seq) \
        JOIN entries e ON e.group_id = m.group_id AND e.target_seq = m.seq AND e.target_seq IS NOT NULL) AS gone \
        WHERE entries.group_id = gone.group_id AND entries.seq = gone.seq";
    let messages = "SELECT e.seq, edit.seq FROM entries e LEFT JOIN LATERAL (SELECT c.seq FROM entries c \
        WHERE c.group_id = e.group_id AND c.target_seq = e.seq AND c.target_seq IS NOT NULL \
        ORDER BY c.seq DESC LIMIT 1) AS edit ON TRUE WHERE e.group_id = 1 AND e.seq BETWEEN 1 AND 100 \
        AND e.kind = 1 AND e.content IS NOT NULL ORDER BY e.seq DESC LIMIT 10";
    let span = "SELECT group_id, seq, kind FROM entries WHERE (group_id, seq) > (1, 1) \
        ORDER BY group_id, seq LIMIT 10";
    for (statement, indexes) in [
        (last_changes, ["Backward using entries_by_target", "Index Cond"]),
        (clear, ["using entries_by_target", "using entries_pkey"]),
        (
            messages,
            ["Backward using entries_pkey", "Backward using entries_by_target"],
        ),
        (
            span,
            ["using entries_pkey", "Index Cond: (ROW(group_id, seq) > ROW("],
        ),
    ] {
        let plan = plan(&client, statement).await;
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
        for index in indexes {
            assert!(plan.contains(index), "{index} is not in\n{plan}");
        }
    }
}
