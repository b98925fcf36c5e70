"""The length of a prompt, as its provider counts it."""

from __future__ import annotations

from pipelines.batch.findings import RowFinding
from pipelines.core.text.excerpt import quoted
from pipelines.providers.profile.model import Profile

_UNITS = {"characters": "characters", "bytes": "bytes of UTF-8", "utf16": "UTF-16 code units"}
_MOST_BYTES_OF_A_CHARACTER = 4


def too_long(prompt: str, profile: Profile, mode: str) -> RowFinding | None:
    """A finding about a prompt that is too long, or None."""
    most = profile.prompt_most_of(mode)
    if len(prompt) * _MOST_BYTES_OF_A_CHARACTER <= most:
        return None
    length = len(prompt)
    if profile.prompt_counted_in == "bytes":
        length = len(prompt.encode("utf-8", "surrogatepass"))
    elif profile.prompt_counted_in == "utf16":
        length = len(prompt.encode("utf-16-le", "surrogatepass")) // 2
    if length <= most:
        return None
    unit = _UNITS[profile.prompt_counted_in]
    what = f"has {length:,} {unit}: {quoted(prompt)}."
    return RowFinding("prompt", what, f"{profile.name} takes at most {most:,}.")
