"""Where a Kafka cluster is and how to be let in, from one setting."""

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = {
    "kafka": "PLAINTEXT",
    "kafka+ssl": "SSL",
    "kafka+sasl": "SASL_PLAINTEXT",
    "kafka+sasl+ssl": "SASL_SSL",
}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
PARAMETERS = {"mechanism", "cafile", "certfile", "keyfile"}


class InvalidAddress(ValueError):
    """A setting that names no Kafka cluster; its text never repeats a password."""


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Bootstrap servers, ``host:port`` each separated by commas, and what TLS and SASL need."""

    servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = field(default=None, repr=False)

    @staticmethod
    def parse(text: str) -> "KafkaAddress":
        """Read ``host:port[,host:port]`` or ``kafka[+sasl][+ssl]://[user:password@]host:port[,…][?mechanism=&cafile=…]``.

        Raises InvalidAddress.
        """
        if "://" not in text:
            text = f"kafka://{text}"
        scheme, _, rest = text.partition("://")
        if scheme not in SCHEMES:
            raise InvalidAddress(f"the scheme {scheme!r} is none of {', '.join(SCHEMES)}")
        credentials, at, place = rest.rpartition("@")
        parts = urlsplit(f"//{place}")
        parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := set(parameters) - PARAMETERS:
            raise InvalidAddress(f"unknown parameters: {', '.join(sorted(unknown))}")
        if parameters.get("mechanism", MECHANISMS[2]) not in MECHANISMS:
            raise InvalidAddress(f"the mechanism is none of {', '.join(MECHANISMS)}")
        servers = parts.netloc
        for server in servers.split(","):
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                raise InvalidAddress(f"{server!r} is not host:port")
        user, _, password = credentials.partition(":")
        if ("sasl" in scheme) != bool(at):
            raise InvalidAddress("user and password go with kafka+sasl:// and kafka+sasl+ssl://, and only with them")
        return KafkaAddress(
            servers,
            SCHEMES[scheme],
            parameters.get("mechanism", "SCRAM-SHA-512"),
            unquote(user) or None,
            unquote(password) or None,
            parameters.get("cafile"),
            parameters.get("certfile"),
            parameters.get("keyfile"),
        )

    def options(self) -> dict[str, Any]:
        """Give what every Kafka client of this process is made with."""
        options: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.protocol}
        if self.protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        if self.protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=self.cafile)
            if self.certfile is not None:
                context.load_cert_chain(self.certfile, self.keyfile)
            options["ssl_context"] = context
        return options
