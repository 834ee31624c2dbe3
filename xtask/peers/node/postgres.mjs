// The log in PostgreSQL: one statement for a message, prepared, on ten connections.

import pg from 'pg';

const ADVANCE = `
  WITH advanced AS (
    UPDATE groups SET head = head + 1
    WHERE id = $1 AND EXISTS (SELECT 1 FROM members WHERE group_id = $1 AND user_id = $2)
    RETURNING head
  )
  INSERT INTO messages (group_id, seq, sender_id, encrypted_content, timestamp)
  SELECT $1, head, $2, $3, $4 FROM advanced
  RETURNING id, seq`;

/** Opens a PostgreSQL URL. */
export async function openPostgres(database) {
  // Ids and numbers of this size are exact in a number.
  pg.types.setTypeParser(pg.types.builtins.INT8, Number);
  const pool = new pg.Pool({ connectionString: database, max: 10 });
  await pool.query(`
    CREATE TABLE IF NOT EXISTS groups (id BIGINT PRIMARY KEY, head BIGINT NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS members (
      group_id BIGINT NOT NULL, user_id BIGINT NOT NULL, PRIMARY KEY (group_id, user_id)
    );
    CREATE TABLE IF NOT EXISTS messages (
      id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, group_id BIGINT NOT NULL, seq BIGINT NOT NULL,
      sender_id BIGINT NOT NULL, encrypted_content TEXT NOT NULL, timestamp TIMESTAMPTZ NOT NULL,
      UNIQUE (group_id, seq)
    );
  `);
  const run = (name, text, ...values) => pool.query({ name, text, values });
  return {
    addGroup: (groupId) => run('group', 'INSERT INTO groups (id) VALUES ($1) ON CONFLICT DO NOTHING', groupId),
    addMember: (groupId, userId) =>
      run(
        'member',
        'INSERT INTO members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
        groupId,
        userId,
      ),
    join: async (groupId, userId) => {
      const text = 'SELECT head FROM groups JOIN members ON group_id = id WHERE id = $1 AND user_id = $2';
      return (await run('join', text, groupId, userId)).rows[0]?.head;
    },
    append: async (...values) => (await run('append', ADVANCE, ...values)).rows[0],
  };
}
