-- One row: the name of the log, and the number that is given out next.
CREATE TABLE meta (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    log_id TEXT NOT NULL,
    next_group_id BIGINT NOT NULL
);

-- Where SQLite has a column of `meta`: a row would make the writers of different groups wait for each other until
-- their commits, and ids of messages may have gaps. Up to 2^53 - 1.
CREATE SEQUENCE message_ids AS BIGINT MAXVALUE 9007199254740991;

-- `head_seq` is the place of the last entry of the group's log, `first_seq` of the first one that is still stored.
-- Each batch changes the heads: with room in its page, a changed row needs no index entry.
CREATE TABLE groups (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    head_seq BIGINT NOT NULL DEFAULT 0,
    first_seq BIGINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    display_name TEXT,
    token_name TEXT,
    username TEXT COLLATE "C" UNIQUE
);

CREATE TABLE members (
    group_id BIGINT NOT NULL REFERENCES groups (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    read_seq BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX members_by_user ON members (user_id, group_id);

-- The logs of all groups. Times are microseconds since 1970 in UTC. `kind`: 1 message, 2 message edited, 3 message
-- deleted, 4 member added, 5 member removed, 6 key epoch changed. No foreign key to `groups`: an append holds the
-- lock of its group's row, and the check would cost a query for each entry.
CREATE TABLE entries (
    group_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    kind SMALLINT NOT NULL CHECK (kind BETWEEN 1 AND 6),
    at BIGINT NOT NULL,
    actor_id BIGINT NOT NULL,
    message_id BIGINT,
    target_seq BIGINT,
    user_id BIGINT,
    role TEXT,
    reason TEXT,
    key_epoch BIGINT,
    client_message_id TEXT COLLATE "C",
    sender_name TEXT,
    content TEXT,
    PRIMARY KEY (group_id, seq)
);

-- Ciphertext does not shrink: no attempt to compress it.
ALTER TABLE entries ALTER COLUMN content SET STORAGE EXTERNAL;

-- A retry finds the message that it repeats. Partial: an entry without a client's id costs no index page.
CREATE UNIQUE INDEX entries_by_client_message_id ON entries (group_id, actor_id, client_message_id)
    WHERE client_message_id IS NOT NULL;
