"""The first start: the operator's key, the service's own keys, and the command that makes the operator an admin."""

import asyncio
import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final

from domain.facts.signer import GENESIS, AddSigner, SignerAdded
from domain.ledger.frame import FrameOpened, OpenFrame
from log import topic
from log.canonical import canonical_json
from log.chain import Chain, Mark
from log.following import Decided
from log.log import Log, LogUnavailable
from log.message import Command, Signature
from log.released import codec
from log.scope import command_id
from log.sealing import KEY_BYTES, InvalidSealingKey, read_sealing_key
from log.statements import session_signed_bytes
from log.topic import partition_of
from muniment.key_files import OPERATOR_FILE, KeyFileError, KeyFileProblem
from muniment.settings import InvalidSetting, Settings
from muniment.signing_key import SigningKey
from muniment.stack.data_directory import write_private

WEBHOOK_KEY_FILE: Final = "webhook.key"
VAULT_KEY_FILE: Final = "vault.key"
OPERATOR_ROLES: Final = ("admin", "operator")
CONTEXT: Final = "facts"
LEDGER: Final = "ledger"
GENESIS_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.5


class GenesisFailed(RuntimeError):
    """The operator could not be made an admin; ``code`` is stable."""

    code = "genesis_failed"


class Genesis(Enum):
    """What became of the operator at a start."""

    MADE = "the operator is an admin from now on"
    ALREADY = "the operator was made an admin before"
    REFUSED = "the log had begun before this operator: unless an admin of that log added it, one must"


def operator_key(data: Path, note: Callable[[str], None] = lambda _line: None) -> SigningKey:
    """Load the operator's key, made on the first start; raises KeyFileError."""
    path = data / OPERATOR_FILE
    try:
        return SigningKey.load(path)
    except KeyFileError as error:
        if error.code is not KeyFileProblem.MISSING:
            raise
    key = SigningKey.generate()
    key.save(path)
    note(f"wrote the operator's key to {path}")
    return key


def sealing_key(settings: Settings) -> bytes:
    """Give the key that seals webhook secrets, made where neither the setting nor the file is there.

    Raises InvalidSetting.
    """
    return _own_key(settings.webhook_key, "MUNIMENT_WEBHOOK_KEY", settings.keys / WEBHOOK_KEY_FILE)


def vault_key(settings: Settings) -> bytes:
    """Give the key that owners' keys are wrapped with, made likewise. Raises InvalidSetting."""
    return _own_key(settings.vault_key, "MUNIMENT_VAULT_KEY", settings.keys / VAULT_KEY_FILE)


def has_vault_key(settings: Settings) -> bool:
    """Tell whether the key that owners' keys are wrapped with is here, without making one."""
    return settings.vault_key is not None or (settings.keys / VAULT_KEY_FILE).exists()


def _own_key(given: str | None, variable: str, path: Path) -> bytes:
    if given is not None:
        return _read_key(given, variable)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_private(draft, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        # A link fails where a rename would replace: of two processes that start at once, both use the first one's key.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return _read_key(path.read_text(encoding="ascii"), str(path))


def _read_key(text: str, source: str) -> bytes:
    try:
        return read_sealing_key(text)
    except InvalidSealingKey as error:
        raise InvalidSetting(f"{source}: {error}") from None


def genesis_command(key: SigningKey) -> Command:
    """Write the command that makes a key's DID admin and operator, signed by that key.

    It is the same each time, so a repeat after a crash is refused as ``repeated`` and changes nothing.
    """
    payload = AddSigner(key.did, OPERATOR_ROLES, GENESIS)
    asked = canonical_json({"authority": GENESIS, "did": key.did, "roles": list(OPERATOR_ROLES), "type": "AddSigner"})
    digest = hashlib.sha256(asked).digest()
    signed = session_signed_bytes(issuer=GENESIS, did=key.did, nonce=digest.hex())
    signature = Signature(key.alg, key.did, None, signed, key.sign(signed))
    name = command_id(key.did, digest, idempotency_key=GENESIS)
    return Command(name, "AddSigner", key.did, GENESIS, digest, payload, signature)


def first_frame_command(key: SigningKey, frame_id: str) -> Command:
    """Write the command that opens the frame that a ledger begins with, signed by the operator's key.

    Like ``genesis_command`` it is the same each time.
    """
    payload = OpenFrame(frame_id, "sovereign", "enabled", GENESIS)
    said = {"authority": GENESIS, "frame_id": frame_id, "minting": "enabled", "mode": "sovereign", "type": "OpenFrame"}
    digest = hashlib.sha256(canonical_json(said)).digest()
    signed = session_signed_bytes(issuer=GENESIS, did=key.did, nonce=digest.hex())
    signature = Signature(key.alg, key.did, None, signed, key.sign(signed))
    name = command_id(key.did, digest, idempotency_key=f"{GENESIS} {frame_id}")
    return Command(name, "OpenFrame", key.did, f"{GENESIS} {frame_id}", digest, payload, signature)


async def open_first_frame(log: Log, key: SigningKey, frame_id: str, timeout_s: float = GENESIS_TIMEOUT_S) -> bool:
    """Open a frame where its partition of the ledger is empty, and wait for the decision; say whether it was opened.

    Raises GenesisFailed when no decision came in time.
    """
    partition = partition_of(frame_id, await log.partitions(topic.events(LEDGER)))
    if await _first_decision(log, LEDGER, partition) is not None:
        return False
    value = codec(LEDGER, "command").encode(first_frame_command(key, frame_id))
    # Durable from here, as the operator's own genesis is.
    await (await log.append(topic.commands(LEDGER), partition, [(frame_id.encode(), value)]))
    if (first := await _first_decision(log, LEDGER, partition, timeout_s)) is None:
        raise GenesisFailed(f"no process decided within {timeout_s:.0f} s")
    return any(isinstance(event, FrameOpened) and event.frame_id == frame_id for event in first.payloads)


async def make_admin(log: Log, key: SigningKey, timeout_s: float = GENESIS_TIMEOUT_S) -> Genesis:
    """Make the operator an admin unless the log says that it is one, and wait for the decision.

    Raises GenesisFailed when no decision came in time.
    """
    partition = partition_of(key.did, await log.partitions(topic.events(CONTEXT)))
    first = await _first_decision(log, CONTEXT, partition)
    made = Genesis.ALREADY
    if first is None:
        value = codec(CONTEXT, "command").encode(genesis_command(key))
        # Durable from here: a crash before the decision leaves a command that the next start's repeat can't double.
        await (await log.append(topic.commands(CONTEXT), partition, [(key.did.encode(), value)]))
        first, made = await _first_decision(log, CONTEXT, partition, timeout_s), Genesis.MADE
    if first is None:
        raise GenesisFailed(f"no process decided within {timeout_s:.0f} s")
    of_key = any(isinstance(event, SignerAdded) and event.did == key.did for event in first.payloads)
    return made if of_key else Genesis.REFUSED


async def _first_decision(log: Log, context: str, partition: int, wait_s: float | None = None) -> Decided | None:
    """Give the first decision that counts in a partition; without ``wait_s`` only one that lies there now."""
    name = topic.events(context)
    chain = Chain(Mark.start(name, partition))
    reader = await log.reader(name, {partition: 0})
    try:
        end = (await reader.ends())[partition]
        async with asyncio.timeout(wait_s):
            while wait_s is not None or chain.mark.next < end:
                with contextlib.suppress(LogUnavailable):
                    for message in chain.counted((await reader.poll(POLL_S, 1)).get(partition, ())):
                        return Decided(context, message)
    except TimeoutError:
        return None
    finally:
        await reader.close()
    return None
