"""Check the headers that a profile adds, and how it shows its key. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipelines.core.text.strict_yaml import Place
from pipelines.providers.profile.checks.findings import Disagreement, within
from pipelines.providers.profile.exchange import Auth
from pipelines.providers.profile.model import Profile

_NAME = re.compile(r"[A-Za-z0-9-]+")
#: Set by whoever sends the request, or about the connection itself.
_NOT_OURS = frozenset({"accept", "accept-encoding", "connection", "content-length", "content-type", "expect"})
_NOT_OURS |= {"cookie", "host", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
#: What a way to show the key does not use.
_UNUSED: Mapping[str, tuple[str, ...]] = {
    "header": ("query", "lasts_s"),
    "query": ("header", "scheme", "lasts_s"),
    "basic": ("query", "scheme", "lasts_s"),
    "jwt": ("query",),
}


def header_findings(profile: Profile) -> Iterator[Disagreement]:
    """Find headers that cannot be sent, or that would be lost to another."""
    taken = _NOT_OURS | ({profile.auth.header.lower()} if profile.auth.by != "query" else set())
    every: list[tuple[Place, Mapping[str, str]]] = [(("headers",), profile.headers)]
    every += [(("modes", index, "headers"), mode.headers) for index, mode in enumerate(profile.modes)]
    for place, headers in every:
        seen: set[str] = set()
        for name, value in headers.items():
            if not _NAME.fullmatch(name):
                yield (*place, name), "is no name of a header."
            elif name.lower() in taken or name.lower() in seen:
                yield (*place, name), "is set already: by reelbatch, by `auth`, or in another spelling."
            elif not (value and value.isascii() and value.isprintable() and value == value.strip()):
                yield (*place, name), "has a value that no header can carry."
            seen.add(name.lower())
    own = profile.idempotency_header
    if own is not None and own.lower() in taken.union(*({name.lower() for name in headers} for _, headers in every)):
        yield ("idempotency_header",), "is the name of another header too."
    yield from within(("auth",), auth_findings(profile.auth))
    if profile.auth != Auth() and not profile.needs_key and profile.auth.wants_pair:
        yield ("needs_key",), f"cannot be false with `auth: {{by: {profile.auth.by}}}`."


def auth_findings(rule: Auth) -> Iterator[Disagreement]:
    """Find what has no effect on how the key is shown."""
    for name in _UNUSED[rule.by]:
        if getattr(rule, name) != type(rule).model_fields[name].default:
            yield (name,), f"has no effect with `by: {rule.by}`."
    if rule.header.lower() in _NOT_OURS:
        yield ("header",), f"{rule.header} is set by reelbatch itself."
