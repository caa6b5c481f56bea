"""How a broker is reached: where it is, who we are to it, whose certificates count. All clients are built from it."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from faststream.security import BaseSecurity, SASLOAuthBearer, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import SecretStr


class SecurityProtocol(StrEnum):
    """What is spoken beneath Kafka's own protocol, as Kafka calls it."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    @property
    def has_sasl(self) -> bool:
        """Whether we say who we are by SASL."""
        return self in {SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL}


class SaslMechanism(StrEnum):
    """How we show who we are, as Kafka calls it."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class BrokerRefuses(Exception):
    """The broker does not let us do our work, however often it is asked; says what was tried and what to set."""


@dataclass(frozen=True)
class Connection:
    """A broker's address and how we are known to it.

    Attributes
    ----------
    bootstrap_servers : str
        Addresses, separated by commas.
    protocol : SecurityProtocol
        What is spoken.
    mechanism : SaslMechanism or None
        How we show who we are; with SASL only.
    username : str
        Who we are; where tokens are fetched, the client's id.
    password : SecretStr or None
        What shows it.
    named : str
        Which settings the password is taken from, for people.
    tokens : AbstractTokenProvider or None
        What gives tokens, for OAUTHBEARER.
    ca_file, certificate_file, key_file : Path or None
        Whose certificates count (None: those of the system), and our own certificate.
    key_password : SecretStr or None
        What our key is encrypted with.
    """

    bootstrap_servers: str
    protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    mechanism: SaslMechanism | None = None
    username: str = ""
    password: SecretStr | None = None
    named: str = "KAFKA_PASSWORD"
    tokens: AbstractTokenProvider | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What TLS is spoken with; the name of the host is always checked.

        Raises
        ------
        BrokerRefuses
            If a file is none of certificates or keys.
        """
        if not self.protocol.is_encrypted:
            return None
        read = self.ca_file
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                read = self.certificate_file
                password = self.key_password.get_secret_value() if self.key_password else ""
                context.load_cert_chain(self.certificate_file, self.key_file, password)
        except ssl.SSLError as error:
            names = "KAFKA_CA_FILE, KAFKA_CERTIFICATE_FILE, KAFKA_KEY_FILE and KAFKA_KEY_PASSWORD"
            raise BrokerRefuses(f"{read} cannot be used ({error.reason or error}); set {names}") from error
        return context

    @property
    def _password(self) -> str:
        return self.password.get_secret_value() if self.password else ""

    def options(self) -> dict[str, Any]:
        """Return what aiokafka's clients are built with."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.protocol.value,
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism.value if self.mechanism else "PLAIN",
            "sasl_plain_username": self.username,
            "sasl_plain_password": self._password,
            "sasl_oauth_token_provider": self.tokens,
        }

    def security(self) -> BaseSecurity | None:
        """Return the same as FastStream takes it, beside `tokens`."""
        tls: dict[str, Any] = {"ssl_context": self.tls, "use_ssl": self.protocol.is_encrypted}
        if self.mechanism is None:
            return BaseSecurity(**tls) if self.protocol.is_encrypted else None
        if self.mechanism is SaslMechanism.OAUTHBEARER:
            return SASLOAuthBearer(**tls)
        by_password = {
            SaslMechanism.PLAIN: SASLPlaintext,
            SaslMechanism.SCRAM_SHA_256: SASLScram256,
            SaslMechanism.SCRAM_SHA_512: SASLScram512,
        }[self.mechanism]
        return by_password(username=self.username, password=self._password, **tls)
