"""Three users chat in group 5 with the python-socketio client, encrypted from end to end.

Prints one line for each check and ends with an error at the first that fails. The test starts the server and sets up
the users and the group: 10 ("Nguyễn Văn A"), 11 and 12 are members, 13 is not.
"""

import asyncio
import re
from datetime import UTC, datetime

from chat import MODE, Chat, bearer, check, decrypt, encrypt, equal, given, refusal, same_json, until

GROUP = 5
TEXT = "Xin chào!"
MESSAGE_KEYS = ["id", "group_id", "sender_id", "sender_name", "encrypted_content", "timestamp"]
LATER_KEYS = ["seq", "client_message_id", "key_epoch"]
JOIN_KEYS = ["group_id", "head_seq", "log_id", "recovered", "entries", "has_more"]
NOT_A_MEMBER = {
    "success": False,
    "error": "Not a member of this group",
    "code": "not_a_member",
    "retryable": False,
}
# The client drops a polling response of more than 16 packets, and each of these is a message and an ack.
IN_FLIGHT = {"websocket": 20, "polling": 5}[MODE]
TOKENS = {user_id: given(f"INTEROP_TOKEN_{user_id}") for user_id in (10, 11, 12, 13)}


def seqs(messages: list[dict]) -> list[int]:
    return [message["seq"] for message in messages]


async def say(sender: Chat, text: str, listeners: list[Chat]) -> dict:
    """Sends text and waits until everybody who listens has it."""
    message = await sender.send(GROUP, encrypt(text))
    for listener in listeners:
        await listener.receive(message["seq"])
    return message


class Scenario:
    """The steps, in the order in which `main` runs them."""

    async def three_users_connect(self) -> None:
        users = [await Chat.connected(TOKENS[user_id]) for user_id in (10, 11, 12)]
        self.a, self.b, self.c = users
        self.users = users
        equal([user.sio.transport() for user in users], [MODE] * 3)

    async def all_join_the_group(self) -> None:
        for user in self.users:
            ack = await user.succeed("join_group", {"group_id": GROUP})
            equal([key for key in JOIN_KEYS if key not in ack], [], "keys that the ack lacks")
            equal((ack["group_id"], ack["recovered"], ack["entries"], ack["has_more"]), (GROUP, False, [], False))
            self.log_id = ack["log_id"]

    async def an_encrypted_message_is_acknowledged(self) -> None:
        content = encrypt(TEXT)
        ack = await self.a.succeed("send_message", {"group_id": GROUP, "encrypted_content": content})
        equal(ack["duplicate"], False)
        equal(self.a.inbox_at_last_ack, 1, "the sender gets new_message before the ack")
        self.first = ack["message"]
        equal(self.first["encrypted_content"], content)

    async def all_three_receive_it_with_the_keys_in_their_order(self) -> None:
        for user in self.users:
            message = await user.receive(self.first["seq"])
            equal(list(message), MESSAGE_KEYS + LATER_KEYS)
            same_json(message, self.first)

    async def it_says_who_sent_it_and_when(self) -> None:
        first = self.first
        equal((type(first["id"]), type(first["seq"])), (int, int))
        equal((first["group_id"], first["sender_id"], first["sender_name"]), (GROUP, 10, "Nguyễn Văn A"))
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["timestamp"]):
            raise AssertionError(first["timestamp"])
        age = datetime.now(UTC) - datetime.fromisoformat(first["timestamp"])
        equal(abs(age.total_seconds()) < 60, True, first["timestamp"])
        equal(first["client_message_id"], None)

    async def everybody_decrypts_it(self) -> None:
        for user in self.users:
            equal(decrypt(user.inbox[0]["encrypted_content"]), TEXT)

    async def it_is_read_back_as_it_was_sent(self) -> None:
        seq = self.first["seq"]
        page = await self.c.succeed("get_entries", {"group_id": GROUP, "after_seq": seq - 1})
        equal(len(page["entries"]), 1)
        message = page["entries"][0]
        equal(message.pop("type"), "new_message")
        same_json(message, self.first)
        equal(decrypt(message["encrypted_content"]), TEXT)
        equal((page["has_more"], page["head_seq"], page["log_id"]), (False, seq, self.log_id))

    async def content_arrives_byte_for_byte(self) -> None:
        for content in ['\u0001 "\\ Xin chào! \U0001f44b\u2028\ufffd', "x" * 65_536]:
            message = await self.b.send(GROUP, content)
            for user in (self.a, self.c):
                equal((await user.receive(message["seq"]))["encrypted_content"], content)

    async def messages_sent_without_waiting_keep_their_order(self) -> None:
        texts = [str(i) for i in range(IN_FLIGHT)]
        sent: list[dict] = []
        for text in texts:
            payload = {"group_id": GROUP, "encrypted_content": encrypt(text)}
            await self.a.sio.emit("send_message", payload, callback=lambda ack: sent.append(ack["message"]))
        await until("all are acknowledged", lambda: len(sent) == len(texts))
        equal(seqs(sent), list(range(sent[0]["seq"], sent[0]["seq"] + IN_FLIGHT)))
        for user in (self.b, self.c):
            await user.receive(sent[-1]["seq"])
            equal([decrypt(message["encrypted_content"]) for message in user.inbox[-IN_FLIGHT:]], texts)

    async def a_retry_with_the_same_client_message_id_is_the_same_message(self) -> None:
        payload = {"group_id": GROUP, "encrypted_content": encrypt("once"), "client_message_id": f"python-{MODE}"}
        one = await self.a.succeed("send_message", payload)
        two = await self.a.succeed("send_message", payload)
        equal((one["duplicate"], two["duplicate"]), (False, True))
        same_json(two["message"], one["message"])

    async def a_stranger_is_refused_and_hears_nothing(self) -> None:
        stranger = await Chat.connected(TOKENS[13])
        for group_id in (GROUP, 999_999):
            same_json(await stranger.call("join_group", {"group_id": group_id}), NOT_A_MEMBER)
            same_json(await stranger.call("get_entries", {"group_id": group_id}), NOT_A_MEMBER)
            payload = {"group_id": group_id, "encrypted_content": encrypt("let me in")}
            same_json(await stranger.call("send_message", payload), NOT_A_MEMBER)
        await say(self.a, "for members", [self.b, self.c])
        same_json(await stranger.call("get_entries", {"group_id": GROUP}), NOT_A_MEMBER)
        equal(stranger.inbox, [])
        await stranger.close()

    async def events_without_an_ack_do_the_same_work(self) -> None:
        quiet = await Chat.connected(TOKENS[12])
        await quiet.sio.emit("join_group", {"group_id": GROUP})
        # Nothing tells when the join is done, so others talk until it is.
        for i in range(100):
            if quiet.inbox:
                break
            await say(self.a, f"are you there? {i}", [self.b])
            await asyncio.sleep(0.02)
        equal(bool(quiet.inbox), True, "messages arrive after a join without an ack")
        content = encrypt("quiet")
        await quiet.sio.emit("send_message", {"group_id": GROUP, "encrypted_content": content})

        def arrived(user: Chat) -> list[dict]:
            return [found for found in user.inbox if found["encrypted_content"] == content]

        for user in (*self.users, quiet):
            await until("the message sent without an ack arrives", lambda user=user: bool(arrived(user)))
            equal(arrived(user)[0]["sender_id"], 12)
        equal(len(arrived(quiet)), 1)
        equal(quiet.errors, [])
        await quiet.close()

    async def an_event_without_an_ack_is_refused_with_request_error(self) -> None:
        await self.a.sio.emit("send_message", {"group_id": GROUP})
        await until("request_error arrives", lambda: bool(self.a.errors))
        same_json(self.a.errors, [{"event": "send_message", "code": "invalid_data", "error": "Invalid data"}])

    async def a_connection_without_a_good_token_is_refused(self) -> None:
        equal(await refusal(), "token_missing")
        equal(await refusal(auth={"token": None}), "token_missing")
        equal(await refusal(auth={"token": "not.a.token"}), "token_invalid")
        # The header counts only where `auth` has no token.
        equal(await refusal(auth={"token": "not.a.token"}, headers=bearer(TOKENS[10])), "token_invalid")

    async def the_authorization_header_alone_is_enough(self) -> None:
        other = Chat()
        await other.connect(headers=bearer(TOKENS[10]))
        message = await other.send(GROUP, encrypt("from the header"))
        equal(message["sender_id"], 10)
        for user in self.users:
            await user.receive(message["seq"])
        await other.close()

    async def after_a_reconnect_exactly_the_missed_entries_come(self) -> None:
        last, before = self.c.inbox[-1]["seq"], len(self.c.inbox)
        await self.c.close()
        for i in range(5):
            await say((self.a, self.b)[i % 2], f"missed {i}", [self.a, self.b])
        await self.c.connect(auth={"token": TOKENS[12]})

        join = {"group_id": GROUP, "after_seq": last, "log_id": self.log_id, "limit": 2}
        page = await self.c.succeed("join_group", join)
        equal((page["recovered"], page["head_seq"]), (True, last + 5))
        missed = page["entries"]
        while page["has_more"]:
            next_page = {"group_id": GROUP, "after_seq": missed[-1]["seq"], "limit": 2}
            page = await self.c.succeed("get_entries", next_page)
            equal(len(page["entries"]) in (1, 2), True, "a page within its limit")
            missed = missed + page["entries"]
        equal([entry.pop("type") for entry in missed], ["new_message"] * 5)
        same_json(missed, self.a.inbox[-5:])

        live = await say(self.a, "live again", [self.b, self.c])
        equal(live["seq"], last + 6)
        equal(seqs(self.c.inbox[before:]), [live["seq"]], "live messages go on after the missed ones")
        self.c.inbox[before:before] = missed

    async def everybody_has_every_message_once_and_in_the_same_order(self) -> None:
        first = self.first["seq"]
        for user in self.users:
            equal(seqs(user.inbox), list(range(first, first + len(self.a.inbox))))

    async def an_edit_is_an_entry_that_everybody_gets(self) -> None:
        self.edited = await say(self.a, "before", [self.b, self.c])
        edit = {"group_id": GROUP, "seq": self.edited["seq"], "encrypted_content": encrypt("after")}
        entry = (await self.a.succeed("edit_message", edit))["entry"]
        equal(entry.pop("type"), "message_edited")
        seq = self.edited["seq"]
        equal((entry["seq"], entry["target_seq"], entry["actor_id"]), (seq + 1, seq, 10))
        for user in self.users:
            same_json(await user.hear("message_edited"), entry)
        equal(decrypt(entry["encrypted_content"]), "after")
        for event in ("edit_message", "delete_message"):
            equal((await self.b.call(event, edit))["code"], "forbidden")

    async def a_deletion_leaves_a_place_without_content(self) -> None:
        seq = self.edited["seq"]
        entry = (await self.a.succeed("delete_message", {"group_id": GROUP, "seq": seq}))["entry"]
        equal(entry.pop("type"), "message_deleted")
        for user in self.users:
            same_json(await user.hear("message_deleted"), entry)
        page = await self.c.succeed("get_entries", {"group_id": GROUP, "after_seq": seq - 1})
        equal(seqs(page["entries"]), [seq, seq + 1, seq + 2])
        for gone in page["entries"][:2]:
            equal((gone["encrypted_content"], gone["deleted"]), (None, True))

    async def a_read_mark_is_told_to_the_others(self) -> None:
        seq, before = self.edited["seq"], len(self.c.told)
        ack = await self.b.succeed("mark_read", {"group_id": GROUP, "seq": seq})
        equal((ack["read_seq"], ack["unread"]), (seq, 2))
        same_json(await self.c.hear("read", before), {"group_id": GROUP, "user_id": 11, "read_seq": seq})

    async def typing_is_told_to_the_others(self) -> None:
        for is_typing in (True, False):
            before = len(self.c.told)
            await self.a.succeed("typing", {"group_id": GROUP, "is_typing": is_typing})
            told = {"group_id": GROUP, "user_id": 10, "is_typing": is_typing}
            same_json(await self.c.hear("typing", before), told)
        equal([event for event, _ in self.a.told if event == "typing"], [])

    async def a_token_is_refreshed_on_the_open_socket(self) -> None:
        ack = await self.a.succeed("refresh_token", {"token": TOKENS[10]})
        equal(datetime.fromisoformat(ack["expires_at"]) > datetime.now(UTC), True, ack["expires_at"])
        for other in (TOKENS[11], "not.a.token"):
            equal((await self.a.call("refresh_token", {"token": other}))["code"], "token_invalid")
        equal((await say(self.a, "still here", [self.b, self.c]))["sender_id"], 10)

    async def who_has_left_hears_nothing_more(self) -> None:
        heard = len(self.b.inbox)
        ack = await self.b.succeed("leave_group", {"group_id": GROUP})
        equal(ack["group_id"], GROUP)
        message = await say(self.a, "without b", [self.a, self.c])
        page = await self.b.succeed("get_entries", {"group_id": GROUP, "after_seq": message["seq"] - 1})
        equal(seqs(page["entries"]), [message["seq"]], "still a member")
        equal(len(self.b.inbox), heard)


async def main() -> None:
    scenario = Scenario()
    steps = [
        scenario.three_users_connect,
        scenario.all_join_the_group,
        scenario.an_encrypted_message_is_acknowledged,
        scenario.all_three_receive_it_with_the_keys_in_their_order,
        scenario.it_says_who_sent_it_and_when,
        scenario.everybody_decrypts_it,
        scenario.it_is_read_back_as_it_was_sent,
        scenario.content_arrives_byte_for_byte,
        scenario.messages_sent_without_waiting_keep_their_order,
        scenario.a_retry_with_the_same_client_message_id_is_the_same_message,
        scenario.a_stranger_is_refused_and_hears_nothing,
        scenario.events_without_an_ack_do_the_same_work,
        scenario.an_event_without_an_ack_is_refused_with_request_error,
        scenario.a_connection_without_a_good_token_is_refused,
        scenario.the_authorization_header_alone_is_enough,
        scenario.after_a_reconnect_exactly_the_missed_entries_come,
        scenario.everybody_has_every_message_once_and_in_the_same_order,
        scenario.an_edit_is_an_entry_that_everybody_gets,
        scenario.a_deletion_leaves_a_place_without_content,
        scenario.a_read_mark_is_told_to_the_others,
        scenario.typing_is_told_to_the_others,
        scenario.a_token_is_refreshed_on_the_open_socket,
        scenario.who_has_left_hears_nothing_more,
    ]
    # A refused polling client may not get its farewell out; then it waits until the server gives up, 10 s each time.
    async with asyncio.timeout(120):
        for step in steps:
            await check(step.__name__.replace("_", " "), step)
        for user in scenario.users:
            await user.close()
    print("all checks passed")


asyncio.run(main())
