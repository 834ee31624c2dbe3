-- One row: the name of the log, and the numbers that are given out next.
CREATE TABLE meta (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    log_id TEXT NOT NULL,
    next_group_id INTEGER NOT NULL,
    next_message_id INTEGER NOT NULL
) STRICT;

-- `head_seq` is the place of the last entry of the group's log, `first_seq` of the first one that is still stored.
CREATE TABLE groups (
    id INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT 0,
    first_seq INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY,
    display_name TEXT,
    token_name TEXT,
    username TEXT UNIQUE
) STRICT;

CREATE TABLE members (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    read_seq INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_user ON members (user_id, group_id);

-- The logs of all groups. Times are microseconds since 1970 in UTC. `kind`: 1 message, 2 message edited, 3 message
-- deleted, 4 member added, 5 member removed, 6 key epoch changed. The long column is the last one, so that the
-- others are read without it. A rowid table: clustered by group (WITHOUT ROWID), a page was read in 0.6 of the time,
-- but a batch of 64 over 50 groups wrote 1.4 times the bytes, and there is one writer.
CREATE TABLE entries (
    group_id INTEGER NOT NULL REFERENCES groups (id),
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 6),
    at INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    message_id INTEGER,
    target_seq INTEGER,
    user_id INTEGER,
    role TEXT,
    reason TEXT,
    key_epoch INTEGER,
    client_message_id TEXT,
    sender_name TEXT,
    content TEXT,
    PRIMARY KEY (group_id, seq)
) STRICT;

-- A retry finds the message that it repeats. Partial: an entry without a client's id costs no index page.
CREATE UNIQUE INDEX entries_by_client_message_id ON entries (group_id, actor_id, client_message_id)
    WHERE client_message_id IS NOT NULL;
