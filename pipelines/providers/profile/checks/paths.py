"""Check where the requests of a profile go: its base URL, and the paths behind it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from pipelines.net.addresses import base_refusal
from pipelines.providers.profile.checks.findings import Disagreement, at
from pipelines.providers.profile.model import Profile
from pipelines.providers.profile.order_parts import Remix

_GAP = re.compile(r"\{[^{}]*\}")
_ID, _SERVICE = "{id}", "{service}"
_WITH_ID = ("status", "content", "delete")
_WITH_QUERY = ("list", "content")  # reelbatch asks these with a query of its own


def addressing(profile: Profile) -> Iterator[Disagreement]:
    """Find what is wrong with the base URL, and with each path."""
    if reason := base_refusal(profile.base_url):
        yield ("base_url",), f"is no address: {reason}. Write for example https://api.example.com/v1."
    described = all(profile.contract_of(mode.name) == "described" for mode in profile.modes)  # checked by themselves
    for name, path in () if described else profile.paths.items():
        gaps = (_ID,) if name in _WITH_ID else ()
        if profile.contract == "acedata" and name in ("submit", "status"):
            gaps = (_SERVICE,)
        yield from at(("paths", name), _path(path, gaps))
        if _ID in gaps and _ID not in path:
            yield ("paths", name), f'"{path}" does not say where the id goes. Put {_ID} into it.'
        if "?" in path and name in _WITH_QUERY:
            yield ("paths", name), f'"{path}" has a query, and gets one of its own when it is asked.'


def remix_addressing(rule: Remix, contract: str) -> Iterator[Disagreement]:
    """Find what is wrong with how a remix names the other clip: in its path, or in a field."""
    if contract == "veo":
        yield (), "is not made by the contract veo: it would order another clip."
    elif rule.path is None and contract == "described" and rule.field is not None:
        return
    elif rule.path is None:
        if rule.field is None and contract != "openai":
            yield ("field",), f"is missing: the contract {contract} names the other clip in a field."
    elif contract == "fal":
        yield ("path",), "is not for the contract fal, whose paths are its models. Give a `field`."
    else:
        yield from at(("path",), _path(rule.path, (_ID,)))
        if _ID not in rule.path and rule.field is None:
            yield ("path",), f'"{rule.path}" does not name the other clip. Put {_ID} into it, or give a `field`.'


def _path(path: str, gaps: Collection[str]) -> Iterator[str]:
    if not path.startswith("/"):
        yield f'"{path}" does not begin with a slash.'
    if any(character.isspace() for character in path) or "#" in path:
        yield f'"{path}" has a space or a # in it. Write %20 or %23.'
    if any(brace in _GAP.sub(lambda gap: "" if gap[0] in gaps else gap[0], path) for brace in "{}"):
        known = f"but {' and '.join(gaps)}" if gaps else "here"
        yield f'"{path}" has braces in it, and nothing is filled in {known}.'
