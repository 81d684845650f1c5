"""What a command carries so that an auditor need not trust the api: who signed what, and by which authority."""

from api.problems import ProblemError
from api.wiring import CONTEXT
from log import topic
from log.message import Command
from log.released import codec
from log.signatures import verify
from log.statements import session_signed_bytes
from log.topic import partition_of
from projections.postgres import Postgres
from projections.used_nonces import UsedNonces
from tests.api.serving import ISSUER, PARTITIONS, Registry, key, star


def commands(registry: Registry) -> list[Command]:
    return [
        codec(CONTEXT, "command").decode(message.value)
        for partition in range(PARTITIONS)
        for message in registry.log.messages(topic.commands(CONTEXT), partition)
    ]


async def test_a_write_that_a_session_authorises_carries_the_signature_that_opened_it(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    fact = (await registry.ask("POST", "/facts", star(curator), by=curator)).json
    await registry.ask("POST", f"/facts/{fact['id']}/quarantine", {"reason": "spam"}, by=registry.operator)
    (command,) = [each for each in commands(registry) if each.type == "QuarantineFact"]
    assert command.actor == registry.operator.did
    proof = command.signature
    assert proof is not None
    assert proof.did == registry.operator.did
    nonce = proof.signed_bytes.decode().rsplit("\n", 1)[1]
    assert proof.signed_bytes == session_signed_bytes(issuer=ISSUER, did=proof.did, nonce=nonce)
    verify(proof.alg, proof.did, proof.signed_bytes, proof.signature)


async def test_the_authority_names_a_position_at_which_the_actor_was_an_admin(registry: Registry) -> None:
    await registry.signer(1, "curator")
    (added,) = [each for each in commands(registry) if each.type == "AddSigner" and each.payload.did == key(1).did]
    context, partition, offset = added.payload.authority.split("/")
    assert (context, int(partition)) == ("facts", partition_of(registry.operator.did, PARTITIONS))
    assert int(offset) >= 0


async def test_a_fact_carries_the_exact_bytes_that_its_issuer_signed(registry: Registry) -> None:
    curator = await registry.signer(1, "curator")
    sent = star(curator)
    await registry.ask("POST", "/facts", sent, by=curator)
    (command,) = [each for each in commands(registry) if each.type == "IssueFact"]
    assert command.signature is not None
    verify("ed25519", curator.did, command.signature.signed_bytes, sent["signature"])


async def test_when_used_nonces_can_not_be_asked_nobody_is_let_in(registry: Registry) -> None:
    registry.api.sessions._used = UsedNonces(Postgres("postgresql://127.0.0.1:1/none"))
    given = (await registry.ask("POST", "/auth/nonce", {"did": key(1).did})).json
    answer = await registry.ask("POST", "/auth/session", key(1).sign_session(ISSUER, key(1).did, given["nonce"]))
    assert (answer.status, answer.code) == (503, "read_model_unavailable")
    assert ProblemError(answer.code).kind.retryable
