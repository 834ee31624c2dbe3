// A group chat with the official Socket.IO server: tokens, memberships, one dense order in each group, durable before
// the acknowledgement. It speaks the part of Sealroom's protocol that the load generator needs.

import { createServer } from 'node:http';
import jwt from 'jsonwebtoken';
import { Server } from 'socket.io';
import { openPostgres } from './postgres.mjs';
import { openSqlite } from './sqlite.mjs';

const secret = process.env.PEER_SECRET;
const database = process.env.PEER_DATABASE;
const store = database.startsWith('postgres') ? await openPostgres(database) : openSqlite(database);

const refusal = (error, code) => ({ success: false, error, code, retryable: false });
const notAMember = refusal('Not a member of this group', 'not_a_member');
const internal = refusal('Internal error', 'internal');

const verify = (token) => jwt.verify(token, secret, { algorithms: ['HS256'] });

const http = createServer(async (request, response) => {
  const end = (status) => response.writeHead(status).end();
  try {
    const claims = verify((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    if (claims.scope !== 'admin') return end(403);
  } catch {
    return end(401);
  }
  const path = /^\/api\/v1\/groups\/(\d+)(?:\/members\/(\d+))?$/.exec(request.url);
  if (request.method !== 'PUT' || !path) return end(404);
  try {
    const [groupId, userId] = [Number(path[1]), Number(path[2])];
    if (path[2] === undefined) await store.addGroup(groupId);
    else await store.addMember(groupId, userId);
    end(200);
  } catch (error) {
    console.error(error);
    end(500);
  }
});

const io = new Server(http, { transports: ['websocket', 'polling'] });

io.use((socket, next) => {
  try {
    const claims = verify(socket.handshake.auth.token);
    socket.data.userId = claims.user_id;
    socket.data.name = claims.name ?? 'Unknown';
    next();
  } catch {
    next(new Error('token_invalid'));
  }
});

io.on('connection', (socket) => {
  const { userId, name } = socket.data;

  socket.on('join_group', async ({ group_id }, acknowledge) => {
    try {
      const head = await store.join(group_id, userId);
      if (head === undefined) return acknowledge(notAMember);
      socket.join(`group_${group_id}`);
      acknowledge({ success: true, group_id, head_seq: head });
    } catch (error) {
      console.error(error);
      acknowledge(internal);
    }
  });

  socket.on('send_message', async ({ group_id, encrypted_content }, acknowledge) => {
    if (typeof encrypted_content !== 'string') return acknowledge(refusal('Invalid data', 'invalid_data'));
    try {
      const timestamp = new Date().toISOString();
      const stored = await store.append(group_id, userId, encrypted_content, timestamp);
      if (stored === undefined) return acknowledge(notAMember);
      const message = {
        id: stored.id,
        group_id,
        sender_id: userId,
        sender_name: name,
        encrypted_content,
        timestamp,
        seq: stored.seq,
        client_message_id: null,
        key_epoch: null,
      };
      io.to(`group_${group_id}`).emit('new_message', message);
      acknowledge({ success: true, message, duplicate: false });
    } catch (error) {
      console.error(error);
      acknowledge(internal);
    }
  });
});

http.listen(0, '127.0.0.1', 4096, () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
