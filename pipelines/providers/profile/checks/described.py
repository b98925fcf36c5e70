"""Check that a profile of the contract `described` says what is needed, and nothing that nobody reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipelines.core.text.strict_yaml import Place
from pipelines.core.text.suggestion import did_you_mean
from pipelines.providers.profile.checks.answer_paths import unreadable
from pipelines.providers.profile.checks.findings import Disagreement, at
from pipelines.providers.profile.exchange import Answers
from pipelines.providers.profile.model import Mode, PathName, Profile
from pipelines.providers.profile.path_template import OF_ORDER, bare, gaps, refused_part

_WITH_ID = ("status", "result", "content", "delete", "cancel")
_IDS = frozenset({"id", "result_id"})
_REFUSED = re.compile(r"[\s?#{}\\]|[^\x21-\x7e]")
_PAIR = r"[\w.~-]+=[\w.~%:,/-]*"
_QUERY = re.compile(f"{_PAIR}(&{_PAIR})*", re.ASCII)
_LISTED = (
    "list_items",
    "list_id",
    "list_status",
    "list_created",
    "list_prompt",
    "list_model",
    "list_next",
    "list_cursor",
    "list_page",
    "list_first",
    "list_offset",
)
#: What leads to the next page: of these a list has one. A cursor needs to be told where it stands.
_TURNS = ("list_cursor", "list_page", "list_offset")


def described_findings(profile: Profile) -> Iterator[Disagreement]:
    """Find what is missing from a profile that describes its own contract, and what has no effect in it."""
    speakers = [mode for mode in profile.modes if profile.contract_of(mode.name) == "described"]
    if not speakers and profile.contract != "described":
        return
    if len(speakers) < len(profile.modes) or profile.contract != "described":
        yield ("contract",), "described is not mixed with others: make two profiles of it."
        return
    told = profile.answers or Answers()
    yield from state_findings(profile, told)
    if profile.id_path is None:
        yield ("id_path",), "is missing: with the contract described it says where the answer to an order has the id."
    if not profile.results and told.clip_base64 is None and not all(mode.results for mode in speakers):
        yield ("results",), "is missing: say where a finished answer names its files."
    yield from place_findings(told)
    yield from address_findings(profile, speakers, told)
    for what in profile.paths:
        if all(what in mode.paths for mode in speakers):
            yield ("paths", what), "has no effect: every mode has its own."
    if profile.results and all(mode.results for mode in speakers):
        yield ("results",), "has no effect: every mode has its own."
    if profile.callback_query is not None and any(profile.callback_field_of(mode.name) for mode in speakers):
        yield ("callback_query",), "goes with no `callback_field`: the address would be sent twice."
    yield from list_findings(profile, speakers, told)


def list_findings(profile: Profile, speakers: list[Mode], told: Answers) -> Iterator[Disagreement]:
    """Find what is missing of a list, and what is said of one that nobody asks for."""
    if "list" not in profile.supports:
        for name in _LISTED:
            if getattr(told, name) is not None:
                yield ("answers", name), "has no effect without `supports: [list]`."
    elif not all("list" in profile.paths | mode.paths for mode in speakers):
        yield ("paths", "list"), "is missing: `supports` names it."
    if told.list_cursor is not None and told.list_next is None:
        yield ("answers", "list_cursor"), "has no effect without `list_next`, which says where the cursor stands."
    if told.list_first is not None and told.list_page is None:
        yield ("answers", "list_first"), "has no effect without `list_page`."
    counted = [name for name in ("list_next", *_TURNS[1:]) if getattr(told, name) is not None]
    for name in counted[1:]:
        yield ("answers", name), f"goes with no `{counted[0]}`: pages are turned in one way."
    for name in _TURNS:
        if (turn := getattr(told, name)) is None:
            continue
        if turn in profile.list_parameters:
            yield ("list_parameters", turn), f"is the parameter of `answers.{name}`: it would be sent twice."
        for mode in speakers:
            words = {
                pair.partition("=")[0]
                for pair in (profile.paths | mode.paths).get("list", "").partition("?")[2].split("&")
            }
            if turn in words:
                yield ("answers", name), f"names {turn}, which stands in `paths.list` as well: it would be sent twice."


def state_findings(profile: Profile, told: Answers) -> Iterator[Disagreement]:
    """A word says how a job stands, or what is there does."""
    if profile.status_path is None and told.done is None:
        what = "is missing: say where an answer has the word for how a job stands, or give `answers.done`."
        yield ("status_path",), what
    if profile.status_path is not None and told.done is not None:
        yield ("answers", "done"), "is for an API without words: remove it, or `status_path`."
    if profile.status_path is None and profile.words:
        yield ("words",), "has no effect without `status_path`."
    if profile.status_path is not None and "succeeded" not in profile.words.values():
        yield ("words",), "has no word for `succeeded`, so that no job would ever end."
    if told.bare_result and profile.status_path is None:
        yield ("answers", "bare_result"), "has no effect without `status_path`."
    if told.done is not None and not told.failed:
        yield ("answers", "failed"), "is missing: with `done` alone a failure would look like a clip."


def place_findings(told: Answers) -> Iterator[Disagreement]:
    """Find places of an answer that are none, and words that would never be found."""
    for name, value in told:
        if name in _TURNS or name == "list_first":
            continue  # a name of the query, or a number, and no place
        if name == "moderation_words":
            for index, word in enumerate(value):
                if not word.strip() or word != word.strip().lower():
                    yield ("answers", name, index), "would never be found: words are compared in small letters."
        elif isinstance(value, tuple):
            for index, path in enumerate(value):
                yield from unreadable(("answers", name, index), path)
        else:
            yield from unreadable(("answers", name), value)


def address_findings(profile: Profile, speakers: list[Mode], told: Answers) -> Iterator[Disagreement]:
    """What is wrong with where requests go, by mode where a mode has paths of its own."""
    for mode in speakers:
        index = profile.modes.index(mode)
        known = profile.paths | mode.paths
        for what, path in known.items():
            place: Place = ("modes", index, "paths", what) if what in mode.paths else ("paths", what)
            yield from at(place, path_findings(path, _words(what, mode, told)))
            if what in _WITH_ID and not _IDS.intersection(gaps(path)):
                yield place, f'"{path}" does not say where the id goes. Put {{id}} into it.'
        yield from route_findings(profile, mode, known, told)


def route_findings(
    profile: Profile, mode: Mode, known: Mapping[PathName, str], told: Answers
) -> Iterator[Disagreement]:
    """Paths that a mode cannot go without, and those that nobody would ask."""
    if "submit" not in known:
        yield ("paths", "submit"), f"is missing: it says where an order of the mode {mode.name} goes."
    if "status" not in known and told.status_url is None:
        yield ("paths", "status"), "is missing: give it, or `answers.status_url`."
    if told.result_id is not None and "result_id" not in gaps(known.get("result", "")):
        yield ("answers", "result_id"), "has no effect: no gap {result_id} is in `paths.result`."
    if "content" in (mode.results or profile.results) and "content" not in known:
        yield ("paths", "content"), "is missing: `results` names it."
    elif "content" in known and "content" not in (mode.results or profile.results):
        yield ("paths", "content"), "has no effect: `results` does not name `content`."


def _words(what: str, mode: Mode, told: Answers) -> list[str]:
    """What is filled into a path; of what an order has, only where an answer usually gives the address."""
    if what == "status":
        return ["id", *(sorted(OF_ORDER) if told.status_url is not None else ())]
    if what == "result":
        usual = sorted(OF_ORDER) if told.result_url is not None else ()
        return ["id", *usual, *(("result_id",) if told.result_id is not None else ())]
    if what == "cancel":
        return ["id", *sorted(OF_ORDER)]
    if what != "submit":
        return ["id"] if what in _WITH_ID else []
    # a value that a row may go without would leave a gap in the path
    surely = [name for name, rule in mode.parameters.items() if rule.required or rule.default is not None]
    return ["model", *surely]


def path_findings(path: str, words: list[str]) -> Iterator[str]:
    """Find what is wrong with a path and the gaps in it."""
    for name in gaps(path):
        if name not in words:
            known = (
                f"Here goes: {', '.join(f'{{{word}}}' for word in words)}." if words else "Nothing is filled in here."
            )
            yield f'"{{{name}}}" is filled with nothing. {did_you_mean(name, words) if words else known}'
    plain, mark, query = bare(path).partition("?")
    if mark and not _QUERY.fullmatch(query):
        yield f'"{path}" has no query that could be sent. Write for example /files?file_id={{id}}.'
    if not path.startswith("/"):
        yield f'"{path}" does not begin with a slash.'
    elif _REFUSED.search(plain):
        yield f'"{path}" has a space, #, a lone brace, or a character in it that has to be percent-encoded.'
    elif plain != "/" and (reason := refused_part(plain[1:].split("/"))):
        yield f'"{path}" is no path: {reason}.'
