DROP TABLE leases;
DROP TABLE outbox;
DROP TABLE refresh_tokens;
DROP TABLE logins;
DROP TABLE accounts;
ALTER TABLE meta DROP COLUMN next_user_id;
DROP TABLE read_marks;

-- Made anew, so that the column is where it was.
CREATE TEMPORARY TABLE kept AS SELECT group_id, user_id, role FROM members;
DROP TABLE members;
CREATE TABLE members (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    read_seq INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_id, group_id);
INSERT INTO members (group_id, user_id, role) SELECT group_id, user_id, role FROM kept;
DROP TABLE temp.kept;

DROP INDEX users_by_erasure;
ALTER TABLE users DROP COLUMN erase_up_to;
ALTER TABLE users DROP COLUMN erased_at;
ALTER TABLE users DROP COLUMN revoked_up_to;
DROP INDEX entries_by_target;

-- Without the column they would be there again.
DELETE FROM entries WHERE group_id IN (SELECT id FROM groups WHERE deleted_at IS NOT NULL);
DELETE FROM groups WHERE deleted_at IS NOT NULL;
ALTER TABLE groups DROP COLUMN retention_count;
ALTER TABLE groups DROP COLUMN retention_age;
ALTER TABLE groups DROP COLUMN deleted_at;
