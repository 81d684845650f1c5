"""A broker that asks for TLS and SASL: the real one, with certificates made for this test."""

import asyncio
import datetime
import ipaddress
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from log.kafka import KafkaLog
from log.kafka_address import InvalidAddress, KafkaAddress
from log.log import LogUnavailable, Topic
from muniment.stack import broker, jars
from muniment.stack.ports import free_ports

PASSWORD = "p@ss/w:rd"


@dataclass(frozen=True)
class Secured:
    """A broker behind TLS and SASL, and the certificate that it shows."""

    port: int
    cafile: Path


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for the loopback, and it with its key as Kafka's PEM keystore."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    shown = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(shown)
    (folder / "keystore.pem").write_bytes(secret + shown)
    return folder / "ca.pem", folder / "keystore.pem"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Run a broker whose clients come over SASL_SSL only."""
    folder = tmp_path_factory.mktemp("secured")
    if jars.missing_jars():
        subprocess.run([sys.executable, "-m", "muniment.stack.jars"], check=True)
    port, inner, controller = free_ports(3)
    cafile, keystore = write_certificate(folder)
    listeners = f"BROKER://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller},CLIENTS://127.0.0.1:{port}"
    given = {
        **broker.properties(inner, controller, "kafka"),
        "listeners": listeners,
        "advertised.listeners": f"BROKER://127.0.0.1:{inner},CLIENTS://127.0.0.1:{port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:SASL_SSL",
        "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.clients.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.clients.plain.sasl.jaas.config": (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_muniment="{PASSWORD}";'
        ),
        "listener.name.clients.ssl.keystore.type": "PEM",
        "listener.name.clients.ssl.keystore.location": str(keystore),
    }
    (folder / "server.properties").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    (folder / "log4j2.properties").write_text("rootLogger.level = off\n")
    java = [broker.JAVA, "-Xmx256m", "-cp", str(jars.jar_directory() / "*")]
    java.insert(1, "-Dlog4j2.configurationFile=log4j2.properties")
    format_command = [*java, "kafka.tools.StorageTool", "format", "-t", broker.cluster_id()]
    scram = f"SCRAM-SHA-512=[name=muniment,password={PASSWORD}]"
    subprocess.run(
        [*format_command, "-c", "server.properties", "--add-scram", scram],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    running = subprocess.Popen([*java, "kafka.Kafka", "server.properties"], cwd=folder)
    try:
        yield Secured(port, cafile)
    finally:
        running.terminate()
        running.wait(timeout=30)


def address(secured: Secured, password: str = PASSWORD, **parameters: str) -> KafkaAddress:
    """Write the setting that leads to the broker."""
    query = "&".join(f"{name}={value}" for name, value in ({"cafile": str(secured.cafile)} | parameters).items())
    return KafkaAddress.parse(f"kafka+sasl+ssl://muniment:{quote(password, safe='')}@127.0.0.1:{secured.port}?{query}")


@pytest.mark.stack
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_a_log_is_reached_over_tls_with_a_password(secured: Secured, mechanism: str) -> None:
    log = KafkaLog(address(secured, mechanism=mechanism))
    deadline = time.monotonic() + 60
    name = f"secured-{mechanism.lower()}"
    while True:
        try:
            await log.create([Topic(name, 1)])
            break
        except LogUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
    await (await log.append(name, 0, [(b"key", b"over TLS")]))
    found = await log.read_at(name, 0, 0)
    assert found is not None
    assert found.value == b"over TLS"
    await log.close()


@pytest.mark.stack
async def test_a_wrong_password_or_an_unknown_certificate_is_told_as_unavailable(
    secured: Secured, tmp_path: Path
) -> None:
    other, _ = write_certificate(tmp_path)
    for wrong in (address(secured, password="wrong"), address(Secured(secured.port, other))):
        log = KafkaLog(wrong)
        with pytest.raises(LogUnavailable):
            await log.append("secured-plain", 0, [(None, b"never")])
        await log.close()


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ("127.0.0.1:9092", "PLAINTEXT"),
        ("one:9092,two:9092", "PLAINTEXT"),
        ("kafka+ssl://one:9093?cafile=/ca.pem", "SSL"),
        ("kafka+sasl://me:secret@one:9092", "SASL_PLAINTEXT"),
        ("kafka+sasl+ssl://me:s%40cret@one:9092,two:9092?mechanism=PLAIN", "SASL_SSL"),
    ],
)
def test_an_address_says_its_protocol(text: str, protocol: str) -> None:
    assert KafkaAddress.parse(text).protocol == protocol


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no-port",
        "host:port",
        "http://one:9092",
        "kafka+sasl://one:9092",
        "kafka://me:secret@one:9092",
        "one:9092?cafile=x&unknown=1",
        "kafka+sasl://me:secret@one:9092?mechanism=GSSAPI",
    ],
)
def test_an_address_that_names_no_cluster_is_refused_without_repeating_its_password(text: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        KafkaAddress.parse(text)
    assert "secret" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    shown = repr(KafkaAddress.parse("kafka+sasl://me:secret@one:9092"))
    assert "secret" not in shown
