"""What the scenario is told with: one user's connection, end-to-end encryption, and checks."""

import asyncio
import base64
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable

import socketio
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# What a client may hear of a group besides messages.
OTHERS = ("message_edited", "message_deleted", "read", "typing")
# How long an answer or a delivery may take, in seconds.
PATIENCE = 5


def given(name: str) -> str:
    """A value that the test hands over in the environment."""
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set")
    return value


MODE = given("INTEROP_TRANSPORT")
if MODE not in ("websocket", "polling"):
    sys.exit("INTEROP_TRANSPORT must be websocket or polling")


async def check(name: str, body: Callable[[], Awaitable[None]]) -> None:
    """Runs one check and prints one line about it; the first failure ends the program."""
    try:
        await body()
    except Exception:
        print(f"FAILED - {name}: {traceback.format_exc()}", flush=True)
        # Not `sys.exit`: open connections of the client must not keep the program.
        os._exit(1)
    print(f"ok - {name}", flush=True)


def equal(actual: object, expected: object, what: str = "") -> None:
    if actual != expected:
        raise AssertionError(f"{what}\nexpected: {expected!r}\nfound:    {actual!r}")


def same_json(actual: object, expected: object) -> None:
    """Same values and same order of keys."""
    equal(json.dumps(actual), json.dumps(expected))


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits until `holds()` is true."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        await asyncio.sleep(0.005)


class Chat:
    """One user's connection and everything that arrived on it."""

    def __init__(self) -> None:
        # Every `new_message`, in the order of arrival.
        self.inbox: list[dict] = []
        # Every `request_error`.
        self.errors: list[dict] = []
        # Everything else that is told, as pairs of the event and its object, in the order of arrival.
        self.told: list[tuple[str, dict]] = []
        self.refused: list[object] = []
        self.sio = socketio.AsyncClient(reconnection=False)
        self.sio.on("new_message", self.inbox.append)
        self.sio.on("request_error", self.errors.append)
        for event in OTHERS:
            self.sio.on(event, lambda told, event=event: self.told.append((event, told)))
        self.sio.on("connect_error", self.refused.append)

    @staticmethod
    async def connected(token: str) -> "Chat":
        """Connects as mobile clients do: the token in `auth`, and once more in a header."""
        chat = Chat()
        await chat.connect(auth={"token": token}, headers=bearer(token))
        return chat

    async def connect(self, auth: dict | None = None, headers: dict | None = None) -> None:
        await self.sio.connect(
            given("INTEROP_URL"),
            auth=auth,
            headers=headers or {},
            transports=[MODE],
            wait_timeout=PATIENCE,
        )

    async def call(self, event: str, payload: dict) -> dict:
        """Sends an event and waits for its ack: one object, `success` first."""
        ack = await self.sio.call(event, payload, timeout=PATIENCE)
        self.inbox_at_last_ack = len(self.inbox)
        # Several values would be a tuple.
        equal(type(ack), dict, f"the ack of {event} is one object")
        equal(next(iter(ack)), "success", f"the first key of the ack of {event}")
        return ack

    async def succeed(self, event: str, payload: dict) -> dict:
        """The same for an event that must succeed."""
        ack = await self.call(event, payload)
        equal(ack["success"], True, f"{event}: {ack}")
        return ack

    async def send(self, group_id: int, encrypted_content: str) -> dict:
        """Sends content to a group and returns the stored message."""
        ack = await self.succeed(
            "send_message", {"group_id": group_id, "encrypted_content": encrypted_content}
        )
        return ack["message"]

    async def receive(self, seq: int) -> dict:
        """Waits for the message with this `seq`."""
        await until(f"message {seq} arrives", lambda: any(found["seq"] == seq for found in self.inbox))
        return next(found for found in self.inbox if found["seq"] == seq)

    async def hear(self, event: str, before: int = 0) -> dict:
        """Waits for the next of these events after the first `before` ones."""

        def found() -> list[dict]:
            return [told for name, told in self.told[before:] if name == event]

        await until(f"{event} arrives", lambda: bool(found()))
        return found()[0]

    async def close(self) -> None:
        await self.sio.disconnect()


def bearer(token: str) -> dict:
    return {"Authorization": f"Bearer {token}"}


async def refusal(auth: dict | None = None, headers: dict | None = None) -> object:
    """Why the server refuses a connection with these options."""
    chat = Chat()
    try:
        await chat.connect(auth, headers)
    except socketio.exceptions.ConnectionError as error:
        if not chat.refused or not isinstance(chat.refused[0], dict):
            raise AssertionError(f"a passing failure, not a refusal: {chat.refused}") from error
        return chat.refused[0].get("message")
    finally:
        await chat.close()
    raise AssertionError("was accepted")


# The key that the members of the group share; the server never sees it.
GROUP_KEY = AESGCM(AESGCM.generate_key(bit_length=256))


def encrypt(text: str) -> str:
    """AES-256-GCM, as base64 of `{"iv", "data"}`, both base64; the tag is at the end of `data`."""
    iv = os.urandom(12)
    data = GROUP_KEY.encrypt(iv, text.encode(), None)
    sealed = {"iv": base64.b64encode(iv).decode(), "data": base64.b64encode(data).decode()}
    return base64.b64encode(json.dumps(sealed, separators=(",", ":")).encode()).decode()


def decrypt(content: str) -> str:
    """The reverse of `encrypt`; raises where a single bit was changed."""
    sealed = json.loads(base64.b64decode(content))
    return GROUP_KEY.decrypt(base64.b64decode(sealed["iv"]), base64.b64decode(sealed["data"]), None).decode()
