-- A deleted group keeps its row, so that its id is never given out again and the places of its log never name two
-- entries. `retention_age` is in microseconds.
ALTER TABLE groups ADD COLUMN deleted_at INTEGER;
ALTER TABLE groups ADD COLUMN retention_age INTEGER;
ALTER TABLE groups ADD COLUMN retention_count INTEGER;

-- The edits and the deletion of a message, in their order. Partial: a message costs no index page.
CREATE INDEX entries_by_target ON entries (group_id, target_seq, seq) WHERE target_seq IS NOT NULL;

-- Tokens issued up to `revoked_up_to` were taken back; of an erased user all. `erase_up_to`: the user's messages up to
-- this `message_id` are to lose their content; NULL where nothing is left to do.
ALTER TABLE users ADD COLUMN revoked_up_to INTEGER;
ALTER TABLE users ADD COLUMN erased_at INTEGER;
ALTER TABLE users ADD COLUMN erase_up_to INTEGER;

CREATE INDEX users_by_erasure ON users (id) WHERE erase_up_to IS NOT NULL;

-- Nothing has ever written it: read marks have a table of their own, because they do not end with the membership.
ALTER TABLE members DROP COLUMN read_seq;

CREATE TABLE read_marks (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    user_id INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;

-- An erased user's marks.
CREATE INDEX read_marks_by_user ON read_marks (user_id);

-- The id that the next account gets, unless a user has it.
ALTER TABLE meta ADD COLUMN next_user_id INTEGER NOT NULL DEFAULT 1;

CREATE TABLE accounts (
    user_id INTEGER NOT NULL PRIMARY KEY REFERENCES users (id),
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Access tokens name their login, so its id is never given out again.
CREATE TABLE logins (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    last_token_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX logins_by_user ON logins (user_id);

-- `digest` is the SHA-256 of a token, which itself is not stored.
CREATE TABLE refresh_tokens (
    digest BLOB NOT NULL PRIMARY KEY,
    login_id INTEGER NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_login ON refresh_tokens (login_id);

-- Entries of which the host has not heard yet. An id is never given out again: whoever delivered an item late must not
-- remove another one.
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Work that one process does at a time, until `until`.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
