"""The address that one submission gives its provider to call: unguessable, and checked without looking anything up.

`<public URL>/cb/v1/<ledger>/<attempt>/<token>`; the token is an HMAC-SHA256 over ledger and attempt. A provider that takes
no address with an order calls `<public URL>/cb/v1/signed/<provider>/<token>`, and signs what it says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipelines.core.errors import SetupError
from pipelines.ledger.storage.callback_keys import stored_keys
from pipelines.ledger.storage.place import LedgerPlace
from pipelines.net.addresses import is_loopback

#: The environment variable with one or two keys, newest first, where they are not kept with the ledger.
KEYS_BY_ENVIRONMENT = "REELBATCH_CALLBACK_KEYS"
MARK = "/cb/v1/"
#: Stands in the place of the ledger in the address by which `doctor` proves the way in.
PROOF = "proof"
#: Stands there in the address of a provider that signs: one for all ledgers, since its page takes one only.
SIGNED = "signed"
_SHAPE = re.compile(r"([0-9a-z]{5,32})/([0-9a-z-]{1,40})/([A-Za-z0-9_-]{43})", re.ASCII)
_LEAST_KEY = 32  # characters
_LIVE = 2


@dataclass(frozen=True, slots=True)
class CallAddress:
    """Whom a call is about: the names in the path of its address, once the token has shown that they are ours."""

    ledger: str
    subject: str  # the number of an attempt, or the name of a provider

    @property
    def attempt_id(self) -> str | None:
        """The attempt, as the ledger writes it; None where the subject is a provider."""
        return str(uuid.UUID(self.subject)) if re.fullmatch("[0-9a-f]{32}", self.subject) else None


@dataclass(frozen=True, slots=True)
class CallbackKeys:
    """One or two keys: the newest makes tokens, each of them opens."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> CallbackKeys:
        """Read keys, newest first.

        Raises:
            SetupError: there is none, there are more than two, or one is too short to be a secret.
        """
        if not 1 <= len(texts) <= _LIVE or any(len(text) < _LEAST_KEY for text in texts):
            raise SetupError(
                f"{KEYS_BY_ENVIRONMENT} takes one or two keys with a comma between them, the newest first, each of at "
                f"least {_LEAST_KEY} characters, such as `openssl rand -hex 32` makes."
            )
        return cls(tuple(text.encode() for text in texts))

    def url(self, public_url: str, ledger: str, subject: str) -> str:
        """The whole address to call.

        Args:
            public_url: under which the receiver can be reached from outside.
            ledger: the name of the ledger.
            subject: the number of an attempt, in any spelling; or the name of a provider.
        """
        name = subject.replace("-", "") if len(subject) == 36 else subject  # noqa: PLR2004 - a UUID as text
        return f"{public_url.rstrip('/')}{MARK}{ledger}/{name}/{_token(self.keys[0], ledger, name)}"

    def opens(self, target: str) -> CallAddress | None:
        """Whom the target of a request is about. None: it is not one of ours. Compares in constant time.

        Args:
            target: path of a request, with whatever prefix a proxy has left on it; a query makes it none of ours.
        """
        _, mark, rest = target.rpartition(MARK)
        found = _SHAPE.fullmatch(rest) if mark else None
        if found is None:
            return None
        ledger, subject, token = found.groups()
        # Both are compared always, so that time does not tell which key is in use.
        fits = [hmac.compare_digest(token, _token(key, ledger, subject)) for key in self.keys]
        return CallAddress(ledger, subject) if any(fits) else None

    def answer_to(self, subject: str) -> str:
        """What only a receiver with one of these keys answers to a call that proves the way in."""
        return _token(self.keys[0], "answer", subject)

    def is_answer(self, subject: str, text: str) -> bool:
        """Tell whether a text is such an answer."""
        fits = [hmac.compare_digest(text.encode(), _token(key, "answer", subject).encode()) for key in self.keys]
        return any(fits)


def keys_for(place: LedgerPlace | None, environment: Mapping[str, str]) -> CallbackKeys:
    """The keys of the environment, else those that are kept with a ledger.

    Args:
        place: of the ledger; None: nobody has named one.
        environment: may name keys.

    Raises:
        SetupError: those of the environment are none, or nobody says whose they are.
        LedgerError: those of the ledger cannot be read.
    """
    given = tuple(text.strip() for text in environment.get(KEYS_BY_ENVIRONMENT, "").split(",") if text.strip())
    if given:
        return CallbackKeys.of(given)
    if place is None:
        raise SetupError(
            "somebody listens there already. If it is `reelbatch callbacks`, name its --ledger, so that it can be told from "
            "others; else choose another port with --callback-listen"
        )
    return CallbackKeys.of(stored_keys(place))


def check_public_url(url: str, *, insecure: bool = False) -> str:
    """Look whether an address can be called from outside without giving the tokens in it away; without its last slash.

    Args:
        url: as the operator gives it.
        insecure: plain http is all right anywhere.

    Raises:
        SetupError: it is no address of a receiver; the message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        bare = not (parts.query or parts.fragment or parts.username or parts.password or parts.port == 0)
    except ValueError:
        raise SetupError("--callback-url is no address. Write https://host/ or https://host/prefix.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SetupError("--callback-url is no address. Write https://host/ or https://host/prefix.")
    if not bare:
        raise SetupError(
            "--callback-url takes origin and path only: each order gets a token of its own behind it. Leave out user, "
            "query and fragment."
        )
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise SetupError(
            "--callback-url is plain http, and its tokens could be read on their way. Give the https address of the proxy "
            "or tunnel before the receiver; --insecure-callbacks takes it as it is."
        )
    return url.rstrip("/")


def _token(key: bytes, ledger: str, subject: str) -> str:
    digest = hmac.digest(key, f"cb.v1|{ledger}|{subject}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
