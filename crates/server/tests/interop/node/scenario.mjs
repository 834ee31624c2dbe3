// Three users chat in group 5 with the official client, encrypted from end to end. Prints one line for each check
// and ends with an error at the first that fails. The test starts the server and sets up the users and the group:
// 10 ("Nguyễn Văn A"), 11 and 12 are members, 13 is not.

import assert from "node:assert/strict";

import { Chat, assertSameJson, check, decrypt, encrypt, given, mode, pause, refusal, until } from "./chat.mjs";

const GROUP = 5;
const TEXT = "Xin chào!";
const MESSAGE_KEYS = ["id", "group_id", "sender_id", "sender_name", "encrypted_content", "timestamp"];
const LATER_KEYS = ["seq", "client_message_id", "key_epoch"];
const JOIN_KEYS = ["group_id", "head_seq", "log_id", "recovered", "entries", "has_more"];
const NOT_A_MEMBER = {
  success: false,
  error: "Not a member of this group",
  code: "not_a_member",
  retryable: false,
};

const token = Object.fromEntries([10, 11, 12, 13].map((id) => [id, given(`INTEROP_TOKEN_${id}`)]));

setTimeout(() => {
  console.log("FAILED - the scenario hangs");
  process.exit(1);
}, 60_000).unref();

let a, b, c;
let log_id;
let first;
let edited;

/** Sends text and waits until everybody who listens has it. */
async function say(from, text, listeners) {
  const message = await from.send(GROUP, encrypt(text));
  await Promise.all(listeners.map((listener) => listener.receive(message.seq)));
  return message;
}

function seqs(messages) {
  return messages.map((message) => message.seq);
}

/** `from`, and the `count - 1` numbers after it. */
function range(from, count) {
  return Array.from({ length: count }, (_, i) => from + i);
}

await check("three users connect", async () => {
  [a, b, c] = await Promise.all([10, 11, 12].map((id) => Chat.connect(token[id])));
});

await check("all join the group", async () => {
  for (const user of [a, b, c]) {
    const ack = await user.succeed("join_group", { group_id: GROUP });
    for (const key of JOIN_KEYS) assert.ok(key in ack, `the ack has ${key}`);
    assert.equal(ack.group_id, GROUP);
    assert.deepEqual([ack.recovered, ack.entries, ack.has_more], [false, [], false]);
    log_id = ack.log_id;
  }
});

await check("joining twice is harmless", () => b.succeed("join_group", { group_id: GROUP }));

await check("an encrypted message is acknowledged", async () => {
  const encrypted_content = encrypt(TEXT);
  const ack = await a.succeed("send_message", { group_id: GROUP, encrypted_content });
  assert.equal(ack.duplicate, false);
  assert.equal(a.inboxAtLastAck, 1, "the sender gets new_message before the ack");
  first = ack.message;
  assert.equal(first.encrypted_content, encrypted_content);
});

await check("all three receive it with the keys in their order", async () => {
  for (const user of [a, b, c]) {
    const message = await user.receive(first.seq);
    assert.deepEqual(Object.keys(message), [...MESSAGE_KEYS, ...LATER_KEYS]);
    assertSameJson(message, first);
  }
});

await check("it says who sent it and when", () => {
  assert.ok(Number.isSafeInteger(first.id) && first.id >= 1, `id ${first.id}`);
  assert.ok(Number.isSafeInteger(first.seq) && first.seq >= 1, `seq ${first.seq}`);
  assert.deepEqual([first.group_id, first.sender_id, first.sender_name], [GROUP, 10, "Nguyễn Văn A"]);
  assert.match(first.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(first.timestamp) - Date.now()) < 60_000, first.timestamp);
  assert.equal(first.client_message_id, null);
});

await check("everybody decrypts it", () => {
  for (const user of [a, b, c]) assert.equal(decrypt(user.inbox[0].encrypted_content), TEXT);
});

await check("it is read back as it was sent", async () => {
  const page = await c.succeed("get_entries", { group_id: GROUP, after_seq: first.seq - 1 });
  assert.equal(page.entries.length, 1);
  const { type, ...message } = page.entries[0];
  assert.equal(type, "new_message");
  assertSameJson(message, first);
  assert.equal(decrypt(message.encrypted_content), TEXT);
  assert.deepEqual([page.has_more, page.head_seq, page.log_id], [false, first.seq, log_id]);
});

await check("an identity in the payload changes nothing", async () => {
  const claim = { group_id: GROUP, encrypted_content: encrypt("11?"), user_id: 11, sender_id: 11 };
  const { message } = await a.succeed("send_message", claim);
  assert.equal(message.sender_id, 10);
  assert.equal((await b.receive(message.seq)).sender_id, 10);
});

await check("content arrives byte for byte", async () => {
  for (const content of ["\u0001 \"\\ Xin chào! \u{1F44B}\u2028\uFFFD", "x".repeat(65_536)]) {
    const message = await b.send(GROUP, content);
    assert.equal(message.encrypted_content, content);
    for (const user of [a, c]) assert.equal((await user.receive(message.seq)).encrypted_content, content);
  }
});

await check("messages sent without waiting keep their order", async () => {
  const sent = await Promise.all(range(0, 20).map((i) => a.send(GROUP, encrypt(`${i}`))));
  assert.deepEqual(seqs(sent), range(sent[0].seq, 20));
  await Promise.all([b, c].map((user) => user.receive(sent.at(-1).seq)));
  const texts = b.inbox.slice(-20).map((message) => decrypt(message.encrypted_content));
  assert.deepEqual(texts, range(0, 20).map(String));
});

await check("a retry with the same client_message_id is the same message", async () => {
  const payload = { group_id: GROUP, encrypted_content: encrypt("once"), client_message_id: `node-${mode}` };
  const one = await a.succeed("send_message", payload);
  const two = await a.succeed("send_message", payload);
  assert.deepEqual([one.duplicate, two.duplicate], [false, true]);
  assertSameJson(two.message, one.message);
});

await check("a stranger is refused, and hears nothing", async () => {
  const stranger = await Chat.connect(token[13]);
  for (const group_id of [GROUP, 999_999]) {
    assertSameJson(await stranger.call("join_group", { group_id }), NOT_A_MEMBER);
    assertSameJson(await stranger.call("get_entries", { group_id }), NOT_A_MEMBER);
    const content = { group_id, encrypted_content: encrypt("let me in") };
    assertSameJson(await stranger.call("send_message", content), NOT_A_MEMBER);
  }
  await say(a, "for members", [b, c]);
  assertSameJson(await stranger.call("get_entries", { group_id: GROUP }), NOT_A_MEMBER);
  assert.deepEqual(stranger.inbox, []);
  stranger.close();
});

await check("events without an ack do the same work", async () => {
  const quiet = await Chat.connect(token[12]);
  quiet.socket.emit("join_group", { group_id: GROUP });
  // Nothing tells when the join is done, so others talk until it is.
  for (let i = 0; quiet.inbox.length === 0 && i < 100; i++) {
    await say(a, `are you there? ${i}`, [b]);
    await pause(20);
  }
  assert.ok(quiet.inbox.length > 0, "messages arrive after a join without an ack");
  const encrypted_content = encrypt("quiet");
  quiet.socket.emit("send_message", { group_id: GROUP, encrypted_content });
  const arrived = (user) => user.inbox.filter((found) => found.encrypted_content === encrypted_content);
  for (const user of [a, b, c, quiet]) {
    await until("the message sent without an ack arrives", () => arrived(user).length > 0);
    assert.equal(arrived(user)[0].sender_id, 12);
  }
  assert.equal(arrived(quiet).length, 1);
  assert.deepEqual(quiet.errors, []);
  quiet.close();
});

await check("an event without an ack is refused with request_error", async () => {
  a.socket.emit("send_message", { group_id: GROUP });
  await until("request_error arrives", () => a.errors.length > 0);
  assertSameJson(a.errors, [{ event: "send_message", code: "invalid_data", error: "Invalid data" }]);
});

await check("a connection without a good token is refused", async () => {
  assert.equal(await refusal({}), "token_missing");
  assert.equal(await refusal({ auth: { token: null } }), "token_missing");
  assert.equal(await refusal({ auth: { token: "not.a.token" } }), "token_invalid");
  // The header counts only where `auth` has no token.
  const extraHeaders = { Authorization: `Bearer ${token[10]}` };
  assert.equal(await refusal({ auth: { token: "not.a.token" }, extraHeaders }), "token_invalid");
});

await check("the Authorization header alone is enough", async () => {
  const other = await Chat.connectWith({ extraHeaders: { Authorization: `Bearer ${token[10]}` } });
  const message = await other.send(GROUP, encrypt("from the header"));
  assert.equal(message.sender_id, 10);
  await Promise.all([a, b, c].map((user) => user.receive(message.seq)));
  other.close();
});

await check("after a lost connection exactly the missed entries come", async () => {
  const last = c.inbox.at(-1).seq;
  const before = c.inbox.length;
  c.socket.io.engine.close();
  await until("the connection is lost", () => !c.socket.connected);
  for (let i = 0; i < 5; i++) await say(i % 2 ? b : a, `missed ${i}`, [a, b]);
  await until("the client reconnects by itself", () => c.socket.connected);

  const missed = [];
  let page = await c.succeed("join_group", { group_id: GROUP, after_seq: last, log_id, limit: 2 });
  assert.equal(page.recovered, true);
  const { head_seq } = page;
  missed.push(...page.entries);
  while (page.has_more) {
    page = await c.succeed("get_entries", { group_id: GROUP, after_seq: missed.at(-1).seq, limit: 2 });
    assert.ok(page.entries.length > 0 && page.entries.length <= 2, "a page within its limit");
    missed.push(...page.entries);
  }
  assert.equal(head_seq, last + 5);
  assertSameJson(missed, a.inbox.slice(-5).map((message) => withTypeAs(missed[0], message)));

  const next = await say(a, "live again", [b, c]);
  assert.equal(next.seq, head_seq + 1);
  assert.deepEqual(seqs(c.inbox.slice(before)), [next.seq], "live messages go on after the missed ones");
  c.inbox.splice(before, 0, ...missed);
});

/** The message as an entry, `type` at the place where `entry` has it. */
function withTypeAs(entry, message) {
  return Object.fromEntries(Object.keys(entry).map((key) => [key, key === "type" ? "new_message" : message[key]]));
}

await check("another log cannot be recovered from", async () => {
  const other = await Chat.connect(token[12]);
  const ack = await other.succeed("join_group", { group_id: GROUP, after_seq: 1, log_id: "another" });
  assert.deepEqual([ack.recovered, ack.entries, ack.log_id], [false, [], log_id]);
  other.close();
});

await check("everybody has every message once and in the same order", async () => {
  const expected = range(first.seq, a.inbox.length);
  for (const user of [a, b, c]) assert.deepEqual(seqs(user.inbox), expected);
});

await check("an edit is an entry that everybody gets", async () => {
  const message = await say(a, "before", [b, c]);
  const encrypted_content = encrypt("after");
  const edit = { group_id: GROUP, seq: message.seq, encrypted_content };
  const { entry } = await a.succeed("edit_message", edit);
  const { type, ...event } = entry;
  assert.equal(type, "message_edited");
  assert.deepEqual([event.seq, event.target_seq, event.actor_id], [message.seq + 1, message.seq, 10]);
  for (const user of [a, b, c]) assertSameJson(await user.hear("message_edited"), event);
  assert.equal(decrypt((await b.hear("message_edited")).encrypted_content), "after");
  assert.equal((await b.call("edit_message", edit)).code, "forbidden");
  assert.equal((await b.call("delete_message", edit)).code, "forbidden");
  edited = message;
});

await check("a deletion leaves a place without content", async () => {
  const { entry } = await a.succeed("delete_message", { group_id: GROUP, seq: edited.seq });
  const { type, ...event } = entry;
  assert.equal(type, "message_deleted");
  for (const user of [a, b, c]) assertSameJson(await user.hear("message_deleted"), event);
  const page = await c.succeed("get_entries", { group_id: GROUP, after_seq: edited.seq - 1 });
  assert.deepEqual(seqs(page.entries), range(edited.seq, 3));
  for (const gone of page.entries.slice(0, 2)) {
    assert.deepEqual([gone.encrypted_content, gone.deleted], [null, true]);
  }
});

await check("a read mark is told to the others", async () => {
  const before = c.told.length;
  const ack = await b.succeed("mark_read", { group_id: GROUP, seq: edited.seq });
  assert.deepEqual([ack.read_seq, ack.unread], [edited.seq, 2]);
  assertSameJson(await c.hear("read", before), { group_id: GROUP, user_id: 11, read_seq: edited.seq });
});

await check("typing is told to the others, and not to whoever types", async () => {
  for (const is_typing of [true, false]) {
    const before = c.told.length;
    await a.succeed("typing", { group_id: GROUP, is_typing });
    assertSameJson(await c.hear("typing", before), { group_id: GROUP, user_id: 10, is_typing });
  }
  assert.ok(!a.told.some(([event]) => event === "typing"));
});

await check("a token is refreshed on the open socket", async () => {
  const ack = await a.succeed("refresh_token", { token: token[10] });
  assert.ok(Date.parse(ack.expires_at) > Date.now(), ack.expires_at);
  for (const other of [token[11], "not.a.token"]) {
    assert.equal((await a.call("refresh_token", { token: other })).code, "token_invalid");
  }
  assert.equal((await say(a, "still here", [b, c])).sender_id, 10);
});

await check("who has left hears nothing more", async () => {
  const heard = b.inbox.length;
  const ack = await b.succeed("leave_group", { group_id: GROUP });
  assert.equal(ack.group_id, GROUP);
  const message = await say(a, "without b", [a, c]);
  const page = await b.succeed("get_entries", { group_id: GROUP, after_seq: message.seq - 1 });
  assert.deepEqual(seqs(page.entries), [message.seq], "still a member");
  assert.equal(b.inbox.length, heard);
});

await check(`the transport is ${mode}`, async () => {
  const expected = mode === "upgrade" ? "websocket" : mode;
  for (const user of [a, b, c]) {
    await until(`${expected} in use`, () => user.transport === expected);
  }
});

for (const user of [a, b, c]) user.close();
console.log("all checks passed");
