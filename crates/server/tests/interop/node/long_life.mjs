// Sockets that live long: each receives a multiple of the bytes that may wait for it, which the test sets to 200 000,
// and stays connected. The clients have their default options, polling and then an upgrade: nothing must depend on
// when the upgrade comes, so there are many of them. A last one upgrades by hand and connects only afterwards.

import assert from "node:assert/strict";
import WebSocket from "ws";

import { Chat, check, given, pause, until } from "./chat.mjs";

const GROUP = 5;
const MESSAGES = 80;
const CONTENT = "x".repeat(8_000);
const token = Object.fromEntries([10, 11, 12].map((id) => [id, given(`INTEROP_TOKEN_${id}`)]));

setTimeout(() => {
  console.log("FAILED - the clients hang");
  process.exit(1);
}, 60_000).unref();

/** A session that polls once, upgrades over another connection, and sends CONNECT over the WebSocket. */
async function connectAfterUpgrade(user) {
  const url = new URL("/socket.io/?EIO=4&transport=polling", given("INTEROP_URL"));
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  url.protocol = "ws:";
  url.search = `?EIO=4&transport=websocket&sid=${sid}`;
  const late = { messages: 0, joined: false, closed: false };
  const socket = new WebSocket(url);
  socket.on("error", () => {});
  socket.on("close", () => (late.closed = true));
  socket.on("message", (data) => {
    const packet = data.toString();
    if (packet === "2") socket.send("3");
    else if (packet === "3probe") {
      socket.send("5");
      socket.send(`40${JSON.stringify({ token: user })}`);
    } else if (packet.startsWith("40")) socket.send(`420["join_group",{"group_id":${GROUP}}]`);
    else if (packet.startsWith("430")) late.joined = true;
    else if (packet.startsWith('42["new_message"')) late.messages += 1;
  });
  socket.on("open", () => socket.send("2probe"));
  late.close = () => socket.terminate();
  await until("the late socket joins", () => late.joined);
  return late;
}

let writer, late;
const readers = [];

await check("many clients connect with default options and upgrade", async () => {
  writer = await Chat.connect(token[10]);
  for (let i = 0; i < 12; i++) {
    const reader = await Chat.connect(token[11 + (i % 2)]);
    reader.socket.on("disconnect", (reason) => (reader.lost = reason));
    readers.push(reader);
  }
  for (const reader of [writer, ...readers]) {
    await until("the WebSocket is in use", () => reader.transport === "websocket");
    await reader.succeed("join_group", { group_id: GROUP });
  }
});

await check("a client connects after its upgrade", async () => {
  late = await connectAfterUpgrade(token[12]);
});

await check("all receive more than may wait for them, and stay", async () => {
  for (let i = 0; i < MESSAGES; i++) {
    await writer.send(GROUP, CONTENT);
    await pause(5);
  }
  const all = (count) => readers.every((reader) => reader.inbox.length === count || reader.lost);
  await until("everything arrives", () => all(MESSAGES) && (late.messages === MESSAGES || late.closed));
  for (const reader of readers) {
    assert.equal(reader.lost, undefined);
    assert.equal(reader.inbox.length, MESSAGES);
  }
  assert.deepEqual([late.messages, late.closed], [MESSAGES, false]);
});

await check("they still get answers", async () => {
  for (const reader of readers) await reader.succeed("leave_group", { group_id: GROUP });
});

for (const one of [writer, late, ...readers]) one.close();
console.log("all checks passed");
