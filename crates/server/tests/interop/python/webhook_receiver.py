"""A receiver of webhooks as a host writes one: each request is verified with the official library.

Prints `listening on URL` and then one JSON line for each event that is taken, in the order in which they came:
{"id", "type", "timestamp", "data", "repeated"}; `repeated` where the id was taken before. A request that is not
signed as it should be is a line {"refused": "<why>"} and answered 401. The program ends when its stdin does.

  WEBHOOK_SECRET        whsec_<base64>
  WEBHOOK_PORT          0 (any) where it is not set
  WEBHOOK_FAIL_SECONDS  answers 503 for so long from the first request on, without looking at it
  WEBHOOK_FAIL_EVERY    answers 500 to every n-th request after that
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = os.environ.get("WEBHOOK_SECRET")
if not SECRET:
    sys.exit("WEBHOOK_SECRET is not set")
FAIL_SECONDS = float(os.environ.get("WEBHOOK_FAIL_SECONDS") or 0)
FAIL_EVERY = int(os.environ.get("WEBHOOK_FAIL_EVERY") or 0)

WEBHOOK = Webhook(SECRET)


class Taken:
    """What came so far. One request at a time, so that the lines are in the order of the answers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ids: set[str] = set()
        self.requests = 0
        self.first_at: float | None = None

    def refusal(self) -> int | None:
        """The status that the present request is refused with, where this receiver plays being down."""
        now = time.monotonic()
        if self.first_at is None:
            self.first_at = now
        if now - self.first_at < FAIL_SECONDS:
            return 503
        self.requests += 1
        if FAIL_EVERY and self.requests % FAIL_EVERY == 0:
            return 500
        return None

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        with self.lock:
            status = self.refusal()
            if status is not None:
                return status
            try:
                event = WEBHOOK.verify(body, headers)
            except WebhookVerificationError as error:
                say({"refused": str(error)})
                return 401
            webhook_id = headers["webhook-id"]
            say({
                "id": webhook_id,
                "type": event["type"],
                "timestamp": event["timestamp"],
                "data": event["data"],
                "repeated": webhook_id in self.ids,
            })
            self.ids.add(webhook_id)
            return 204


def say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


TAKEN = Taken()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(TAKEN.take(body, headers))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: stdout is for events."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("WEBHOOK_PORT") or 0)), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/webhooks", flush=True)
    # Whoever started this closes stdin, also by dying.
    sys.stdin.buffer.read()


main()
