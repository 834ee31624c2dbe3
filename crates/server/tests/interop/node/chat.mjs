// What the scenario is told with: one user's connection, end-to-end encryption, and checks.

import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { io } from "socket.io-client";

/** How long an answer or a delivery may take, in milliseconds. */
const PATIENCE = 5_000;

/** What a client may hear of a group besides messages. */
const OTHERS = ["message_edited", "message_deleted", "read", "typing"];

const TRANSPORTS = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};

/** A value that the test hands over in the environment. */
export function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const mode = given("INTEROP_TRANSPORT");
const transports = TRANSPORTS[mode];
if (!transports) throw new Error(`INTEROP_TRANSPORT must be one of ${Object.keys(TRANSPORTS)}`);

/** Runs one check and prints one line about it; the first failure ends the program. */
export async function check(name, body) {
  try {
    await body();
    console.log(`ok - ${name}`);
  } catch (error) {
    console.log(`FAILED - ${name}: ${error.stack ?? error}`);
    process.exit(1);
  }
}

/** Waits until `holds()` is true. */
export async function until(what, holds) {
  const deadline = Date.now() + PATIENCE;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not within ${PATIENCE} ms: ${what}`);
    await pause(5);
  }
}

export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Same values and same order of keys. */
export function assertSameJson(actual, expected) {
  assert.equal(JSON.stringify(actual), JSON.stringify(expected));
}

/** A socket that has not been connected yet. */
function newSocket(options) {
  return io(given("INTEROP_URL"), {
    path: "/socket.io",
    transports,
    forceNew: true,
    autoConnect: false,
    reconnectionDelay: 100,
    randomizationFactor: 0,
    ...options,
  });
}

/** Why the server refuses a connection with these options; it must not be worth a retry. */
export async function refusal(options) {
  const socket = newSocket(options);
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("neither accepted nor refused")), PATIENCE);
      socket.on("connect", () => reject(new Error("was accepted")));
      socket.on("connect_error", (error) => {
        clearTimeout(timer);
        // `active` says whether the client is going to try again by itself.
        if (socket.active) reject(new Error(`a passing failure, not a refusal: ${error.message}`));
        else resolve(error.message);
      });
      socket.connect();
    });
  } finally {
    socket.disconnect();
  }
}

/** One user's connection and everything that arrived on it. */
export class Chat {
  /** Every `new_message`, in the order of arrival. */
  inbox = [];
  /** Every `request_error`. */
  errors = [];
  /** Everything else that is told, as pairs of the event and its object, in the order of arrival. */
  told = [];

  constructor(options) {
    this.socket = newSocket(options);
    this.socket.on("new_message", (...values) => {
      assert.equal(values.length, 1, "new_message has one argument");
      this.inbox.push(values[0]);
    });
    this.socket.on("request_error", (error) => this.errors.push(error));
    for (const event of OTHERS) this.socket.on(event, (object) => this.told.push([event, object]));
  }

  /** Connects as mobile clients do: the token in `auth`, and once more in a header. */
  static connect(token) {
    return Chat.connectWith({ auth: { token }, extraHeaders: { Authorization: `Bearer ${token}` } });
  }

  static async connectWith(options) {
    const chat = new Chat(options);
    let refused;
    chat.socket.on("connect_error", (error) => (refused = error));
    chat.socket.connect();
    await until("connected", () => {
      if (refused) throw refused;
      return chat.socket.connected;
    });
    return chat;
  }

  /** The name of the transport in use at the moment. */
  get transport() {
    return this.socket.io.engine.transport.name;
  }

  /** Sends an event and waits for its ack: one object, `success` first. */
  async call(event, payload) {
    const values = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ack for ${event}`)), PATIENCE);
      this.socket.emit(event, payload, (...found) => {
        clearTimeout(timer);
        this.inboxAtLastAck = this.inbox.length;
        resolve(found);
      });
    });
    assert.equal(values.length, 1, `the ack of ${event} is one object`);
    assert.equal(Object.keys(values[0])[0], "success", `the first key of the ack of ${event}`);
    return values[0];
  }

  /** The same for an event that must succeed. */
  async succeed(event, payload) {
    const ack = await this.call(event, payload);
    assert.equal(ack.success, true, `${event}: ${JSON.stringify(ack)}`);
    return ack;
  }

  /** Sends content to a group and returns the stored message. */
  async send(group_id, encrypted_content) {
    return (await this.succeed("send_message", { group_id, encrypted_content })).message;
  }

  /** Waits for the message with this `seq`. */
  async receive(seq) {
    await until(`message ${seq} arrives`, () => this.inbox.some((message) => message.seq === seq));
    return this.inbox.find((message) => message.seq === seq);
  }

  /** Waits for the next of these events after the first `before` ones. */
  async hear(event, before = 0) {
    const found = () => this.told.slice(before).find(([name]) => name === event);
    await until(`${event} arrives`, () => found() !== undefined);
    return found()[1];
  }

  close() {
    this.socket.disconnect();
  }
}

/** The key that the members of the group share; the server never sees it. */
const groupKey = randomBytes(32);

/** AES-256-GCM, as base64 of `{"iv", "data"}`, both base64; the tag is at the end of `data`. */
export function encrypt(text) {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", groupKey, iv);
  const data = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  const sealed = JSON.stringify({ iv: iv.toString("base64"), data: data.toString("base64") });
  return Buffer.from(sealed).toString("base64");
}

/** The reverse of `encrypt`; throws where a single bit was changed. */
export function decrypt(content) {
  const sealed = JSON.parse(Buffer.from(content, "base64").toString("utf8"));
  const data = Buffer.from(sealed.data, "base64");
  const decipher = createDecipheriv("aes-256-gcm", groupKey, Buffer.from(sealed.iv, "base64"));
  decipher.setAuthTag(data.subarray(-16));
  return Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]).toString("utf8");
}
