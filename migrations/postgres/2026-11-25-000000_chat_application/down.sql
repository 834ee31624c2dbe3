DROP TABLE leases;
DROP TABLE outbox;
DROP TABLE refresh_tokens;
DROP TABLE logins;
DROP TABLE accounts;
ALTER TABLE meta DROP COLUMN next_user_id;
DROP TABLE read_marks;
ALTER TABLE members ADD COLUMN read_seq BIGINT NOT NULL DEFAULT 0;

DROP INDEX users_by_erasure;
ALTER TABLE users
    DROP COLUMN erase_up_to,
    DROP COLUMN erased_at,
    DROP COLUMN revoked_up_to;
DROP INDEX entries_by_target;

-- Without the column they would be there again.
DELETE FROM entries WHERE group_id IN (SELECT id FROM groups WHERE deleted_at IS NOT NULL);
DELETE FROM groups WHERE deleted_at IS NOT NULL;
ALTER TABLE groups
    DROP COLUMN retention_count,
    DROP COLUMN retention_age,
    DROP COLUMN deleted_at;
