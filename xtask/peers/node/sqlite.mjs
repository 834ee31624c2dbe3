// The log in SQLite. better-sqlite3 does everything at once, on the one thread: a message is one transaction.

import Database from 'better-sqlite3';

/** Opens `sqlite:PATH?synchronous=FULL`. */
export function openSqlite(database) {
  const [path, query] = database.replace(/^sqlite:/, '').split('?');
  const synchronous = new URLSearchParams(query).get('synchronous');
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${synchronous === 'NORMAL' ? 'NORMAL' : 'FULL'}`);
  db.exec(`
    CREATE TABLE IF NOT EXISTS groups (id INTEGER PRIMARY KEY, head INTEGER NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS members (
      group_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (group_id, user_id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS messages (
      id INTEGER PRIMARY KEY, group_id INTEGER NOT NULL, seq INTEGER NOT NULL, sender_id INTEGER NOT NULL,
      encrypted_content TEXT NOT NULL, timestamp TEXT NOT NULL, UNIQUE (group_id, seq)
    );
  `);
  const addGroup = db.prepare('INSERT INTO groups (id) VALUES (?) ON CONFLICT DO NOTHING');
  const addMember = db.prepare('INSERT INTO members (group_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING');
  const join = db
    .prepare('SELECT head FROM groups JOIN members ON group_id = id WHERE id = ? AND user_id = ?')
    .pluck();
  const advance = db
    .prepare(
      `UPDATE groups SET head = head + 1
       WHERE id = ? AND EXISTS (SELECT 1 FROM members WHERE group_id = ? AND user_id = ?) RETURNING head`,
    )
    .pluck();
  const insert = db.prepare(
    'INSERT INTO messages (group_id, seq, sender_id, encrypted_content, timestamp) VALUES (?, ?, ?, ?, ?)',
  );
  const append = db.transaction((groupId, userId, content, timestamp) => {
    const seq = advance.get(groupId, groupId, userId);
    if (seq === undefined) return undefined;
    const { lastInsertRowid } = insert.run(groupId, seq, userId, content, timestamp);
    return { id: lastInsertRowid, seq };
  });
  return {
    addGroup: (groupId) => addGroup.run(groupId),
    addMember: (groupId, userId) => addMember.run(groupId, userId),
    join: (groupId, userId) => join.get(groupId, userId),
    append: append.immediate,
  };
}
