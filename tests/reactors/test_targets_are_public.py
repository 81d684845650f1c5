"""Where a webhook may go: public addresses only, whatever name or spelling leads to another."""

import socket
from typing import Any

import pytest

from processors.targets import TargetRefused, check_target, check_url, is_public
from processors.webhook_sending import Sender
from tests.reactors.rig import receiving

NOT_PUBLIC = (
    "0.0.0.0",  # noqa: S104  # called, not bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "5f00::1",
    "2606:4700::1111%eth0",
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_this_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "192.0.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e"]
)
def test_this_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "//example.org/",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https://example.org:0/",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://example.org/\r\nX-Header: 1",
        "https://[::1/",
        "https://example.org/" + "x" * 2048,
    ],
)
def test_this_is_no_url_of_a_webhook(url: str) -> None:
    with pytest.raises(TargetRefused):
        check_url(url)


THIS_HOST = (
    "127.0.0.1",
    "localhost",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "[::]",
)


@pytest.mark.parametrize("host", THIS_HOST)
async def test_no_spelling_of_this_host_is_called(host: str) -> None:
    async with receiving() as receiver, Sender("public", timeout_s=3.0) as sender:
        port = receiver.url.rpartition(":")[2]
        answer = await sender.post(f"http://{host}:{port}/a", b"{}", {})
        assert (answer.status, receiver.heard) == (None, [])
        assert answer.detail in {"target_not_public", "url_not_usable"}
        with pytest.raises(TargetRefused):
            await check_target(f"http://{host}:{port}/a")
    async with Sender("any", timeout_s=3.0) as sender, receiving() as receiver:
        assert (await sender.post(f"{receiver.url}/a", b"{}", {})).delivered


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:10.0.0.1"], ["169.254.169.254"]]
)
async def test_a_name_is_refused_when_any_of_its_addresses_is_not_public(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = socket.getaddrinfo

    def stub(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        if host in ("hooks.example.org", b"hooks.example.org"):
            return [entry for each in addresses for entry in resolved(each, port, *rest, **named)]
        return resolved(host, port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", stub)
    async with receiving() as receiver, Sender("public", timeout_s=3.0) as sender:
        port = receiver.url.rpartition(":")[2]
        answer = await sender.post(f"http://hooks.example.org:{port}/a", b"{}", {})
        assert answer == (None, "target_not_public", None)
        assert receiver.heard == []
        with pytest.raises(TargetRefused):
            await check_target(f"http://hooks.example.org:{port}/a")


async def test_what_answers_with_no_http_or_not_at_all_is_a_failure_with_a_closed_detail() -> None:
    async with Sender("any", timeout_s=1.0) as sender:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            assert (await sender.post(f"http://127.0.0.1:{port}/", b"{}", {})).detail == "connection_failed"
        async with receiving() as receiver:
            assert (await sender.post(receiver.url.replace("http:", "https:"), b"{}", {})).detail == "tls_failed"
