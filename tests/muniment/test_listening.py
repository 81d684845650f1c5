"""The receiver that verifies webhooks."""

import json
import threading
import time
import urllib.error
import urllib.request

from muniment.listening import Heard, Listener, server
from processors.webhook_signing import signed_headers

SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


def delivery(sequence: int, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    body = json.dumps({"id": "fct_x", "kind": "endorsement.star", "sequence": sequence}).encode()
    headers = signed_headers(f"whk_1_{sequence}", body, [secret], int(time.time()))
    return {name.lower(): value for name, value in headers.items()}, body


def test_what_was_signed_with_the_secret_is_verified_and_a_loss_is_seen() -> None:
    heard: list[Heard] = []
    listener = Listener(SECRET, heard.append)
    assert [listener.hear(*delivery(number)) for number in (1, 2, 2, 5)] == [204] * 4
    assert [(each.verified, each.repeated, each.missing) for each in heard] == [
        (True, False, 0),
        (True, False, 0),
        (True, True, 0),
        (True, False, 2),
    ]


def test_what_was_changed_or_signed_by_another_is_refused() -> None:
    listener = Listener(SECRET, lambda _heard: None)
    headers, body = delivery(1)
    assert listener.hear(headers, body.replace(b"fct_x", b"fct_y")) == 401
    assert listener.hear(*delivery(1, "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=")) == 401
    assert listener.hear({**headers, "webhook-id": "whk_1_9"}, body) == 401
    assert listener.hear({**headers, "webhook-timestamp": "x"}, body) == 401
    assert listener.hear({}, body) == 401


def test_it_answers_over_http_and_bounds_what_it_reads() -> None:
    heard: list[Heard] = []
    with server("127.0.0.1", 0, Listener(SECRET, heard.append)) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        headers, body = delivery(1)
        statuses = []
        for sent in (headers, {**headers, "content-length": str(1 << 30)}):
            try:
                request = urllib.request.Request(url, body, sent, method="POST")
                with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
                    statuses.append(answer.status)
            except urllib.error.HTTPError as error:
                statuses.append(error.code)
                error.close()
        receiver.shutdown()
        thread.join()
    assert statuses == [204, 413]
    assert [each.verified for each in heard] == [True]
