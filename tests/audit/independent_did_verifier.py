"""A second verifier of DIDs' operation logs, by ops/did_operations.md alone: standard library, PyNaCl, cryptography."""

import base64
import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from tests.audit.independent_personal_sign import address_of_signer

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CURVES = {  # by multicodec: the curve and its order
    b"\xe7\x01": (ec.SECP256K1(), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141),
    b"\x80\x24": (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
}
DAY = timedelta(days=1)
MEMBERS = {  # by type: those that must be there, those that may
    "create": ("rotation_keys keys", "handle"), "rotate": ("", "add end overlap_s"), "cancel": ("operation", ""),
    "revoke": ("key_id reason", "since"), "recover": ("rotation_keys keys", ""), "set_handle": ("handle", ""),
    "set_guardians": ("dids threshold", "delay_s"), "guardian_recover": ("rotation_keys keys approvals", ""),
}  # fmt: skip


class Lie(Exception): ...


def require(holds, rule):
    if not holds:
        raise Lie(rule)


def canonical(value):  # RFC 8785, for what operations are made of
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def time_of(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def signed_by(multibase, content, text):
    try:
        number = functools.reduce(lambda found, letter: 58 * found + BASE58.index(letter), multibase[1:], 0)
        key, signature = number.to_bytes((number.bit_length() + 7) // 8, "big"), base64.b64decode(text, validate=True)
        if key[:2] == b"\xed\x01":
            return VerifyKey(key[2:]).verify(content, signature) == content
        curve, order = CURVES[key[:2]]
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, key[2:])
        public.verify(encode_dss_signature(r, s), content, ec.ECDSA(SHA256()))
    except (CryptoError, InvalidSignature, ValueError, KeyError):
        return False
    return len(signature) == 64 and s <= order // 2


def ended(windows, at, names):
    chosen = {n: (k, end or at, since) for n, (k, end, since) in windows.items() if n in names}
    return windows | {n: (k, min(end, at), since) for n, (k, end, since) in chosen.items()}


def opened(windows, keys, at):
    return windows | {(key["id"], at): (key, None, None) for key in keys}


class Log:
    # Windows: (id, begin) to (key, end, compromised since); links: hash, time, rank of who signed, state before.
    def __init__(self, did, others):  # others: operations of guardians by their DIDs
        self.did, self.others, self.at, self.floor, self.seen, self.nullified = did, others or {}, None, 0, [], set()
        self.state = {"rotation": [], "handle": None, "named": None, "guardians": None, "due": None, "windows": {}}
        self.chain = [(None, None, 0, self.state)]

    def take(self, item):
        said, at = item["operation"], time_of(item["at"])
        content, kind = canonical(said), said.get("type")
        digest = hashlib.sha256(content).digest()
        name = "sha256-" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
        require(item["hash"] == name and name not in self.seen, "hash")
        require(self.at is None or at >= self.at, "time")
        must, may = MEMBERS.get(kind, ("none", ""))
        must = {"type", "version", "prev", *must.split(), *(() if kind == "create" else ("did",))}
        require(must <= said.keys() <= must | {*may.split()} and said["version"] == 1, "form")
        require((kind == "create") == (not self.seen), "prev")
        require(self.did == said.get("did", "did:mun:" + base64.b32encode(digest).decode().lower()[:26]), "did")
        self.settle(at)
        names, before, ceiling = [link[0] for link in self.chain], self.state, None
        fork = names.index(said["prev"]) if said["prev"] in names and said["prev"] not in self.nullified else -1
        require(fork == len(names) - 1 or (kind == "recover" and fork > 0), "prev")
        if fork < len(names) - 1:
            _, first_at, ceiling, before = self.chain[fork + 1]
            require(at - first_at <= 3 * DAY, "late")
            require(fork >= self.floor, "guardians")
        rotation = said["rotation_keys"] if kind == "create" else before["rotation"]
        rank = next((n for n, key in enumerate(rotation) if signed_by(key, content, item["signature"])), None)
        rank = len(rotation) if kind == "guardian_recover" else rank  # whoever sent it: every rotation key is higher
        require(rank is not None, "signature")
        require(ceiling is None or rank < ceiling, "not_higher")
        self.nullified |= set(names[fork + 1 :])
        self.state = before | getattr(self, kind)(said, at, name, before)
        self.chain = [*self.chain[: fork + 1], (name, at, rank, before)]
        self.seen, self.at = [*self.seen, name], at

    def settle(self, at):
        if self.state["due"] is not None and self.state["due"][1] <= at:
            _, due, rotation, keys = self.state["due"]
            windows = opened(ended(self.state["windows"], due, self.state["windows"]), keys, due)
            self.state = self.state | {"rotation": rotation, "windows": windows, "due": None}
            self.floor = len(self.chain) - 1

    def check_approvals(self, said, at):
        require(self.state["guardians"] is not None and self.state["due"] is None, "guardians")
        dids, threshold, _ = self.state["guardians"]
        content = canonical({name: said[name] for name in said if name != "approvals"})
        for approval in said["approvals"]:
            did, keys = approval["did"], [approval["did"].removeprefix("did:key:")]
            if did.startswith("did:mun:"):
                name, held = approval["key_id"], stood(did, self.others[did], at, self.others).holding(at)
                held = [key for key in held if key["id"] == name and "assertion" in key["purposes"]]
                keys = [key["public_key_multibase"] for key in held]
            holds = any(signed_by(key, content, approval["signature"]) for key in keys)
            if did.startswith("did:pkh:eip155:"):
                address = address_of_signer(content, base64.b64decode(approval["signature"]))
                holds = address is not None and did.lower().endswith(f":{address}")
            require(did in dids and holds, "approval")
        require(len({approval["did"] for approval in said["approvals"]}) >= threshold, "approval")

    def create(self, said, at, _name, _before):
        named = {"handle": said["handle"], "named": at} if "handle" in said else {}
        return {"rotation": said["rotation_keys"], "windows": opened({}, said["keys"], at), **named}

    def rotate(self, said, at, _name, before):
        ends, overlap = said.get("end", []), timedelta(seconds=said.get("overlap_s", 86_400))
        names = {n for n, (_, end, _) in before["windows"].items() if n[0] in ends and (end is None or end > at)}
        require(len(names) == len(ends), "key")
        return {"windows": opened(ended(before["windows"], at + overlap, names), said.get("add", []), at)}

    def revoke(self, said, at, _name, before):
        name = max((n for n in before["windows"] if n[0] == said["key_id"]), default=None)
        require(name is not None, "key")
        windows = ended(before["windows"], at, {name})
        if said["reason"] == "compromised":
            key, end, since = windows[name]
            windows[name] = (key, end, min(at, since or at, time_of(said["since"]) if "since" in said else at))
        return {"windows": windows}

    def recover(self, said, at, _name, before):
        due = self.state["due"] if (self.state["due"] or [None])[0] not in self.nullified else None
        begun = {n: (key, end, n[1]) for n, (key, end, _) in self.state["windows"].items()} | before["windows"]
        windows = opened(ended(begun, at, begun), said["keys"], at)
        return {"rotation": said["rotation_keys"], "windows": windows, "due": due}

    def set_handle(self, said, at, _name, before):
        require(before["named"] is None or at - before["named"] >= 30 * DAY, "too_soon")
        return {"handle": said["handle"], "named": at}

    def set_guardians(self, said, _at, _name, _before):
        return {"guardians": (said["dids"], said["threshold"], said.get("delay_s", 86_400))}

    def guardian_recover(self, said, at, name, before):
        self.check_approvals(said, at)
        delay = max(timedelta(seconds=before["guardians"][2]), timedelta(milliseconds=1))
        return {"due": (name, at + delay, said["rotation_keys"], said["keys"])}

    def cancel(self, said, _at, _name, before):
        require(before["due"] is not None and before["due"][0] == said["operation"], "cancel")
        self.nullified.add(said["operation"])
        return {"due": None}

    def holding(self, at):
        windows = sorted(self.state["windows"].items(), key=lambda each: each[0][::-1])
        return [key for (_, begin), (key, end, _) in windows if begin <= at < (end or at + DAY)]


def stood(did, items, at, others=None):  # as the operations up to a time left it
    log = Log(did, others)
    for item in (item for item in items if time_of(item["at"]) <= at):
        log.take(item)
    log.settle(at)
    return log


def verify(did, items, others=None):  # raises Lie
    log = stood(did, items, datetime.max.replace(tzinfo=UTC) - DAY, others)
    told = [item["hash"] for item in items if item["nullified"]]
    require(items and told == [name for name in log.seen if name in log.nullified], "nullified")
    return log
