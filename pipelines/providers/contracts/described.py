"""The contract that a profile describes itself: where each part of an order goes, and where answers say what.

No API is meant here. What stands in `paths`, `answers`, `id_path`, `status_path`, `words` and `results` is all there is;
a profile that leaves out what is needed is refused when it is read.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pipelines.core.errors import UnknownJob
from pipelines.core.job import Order, RemoteJob
from pipelines.net.addresses import same_origin
from pipelines.providers.contracts.answer_parts import links_at, named_job, result_places
from pipelines.providers.contracts.request_body import encoding_of, order_body
from pipelines.providers.profile.exchange import Answers
from pipelines.providers.profile.field_path import nested
from pipelines.providers.profile.model import MODERATED, Mode, PathName, Profile
from pipelines.providers.profile.path_template import OF_ORDER, PathRefused, filled, gaps, with_query
from pipelines.providers.protocol import (
    Link,
    ListedJob,
    ListPage,
    MissingClip,
    Phase,
    Progress,
    Request,
    Supplies,
    UsualWays,
)
from pipelines.providers.responses import json_values
from pipelines.providers.responses.missing_clip import missing_clip
from pipelines.providers.responses.told import error_told

_ELSEWHERE = "if another address shows the clip, `paths.result` has to name it"
_OF_AN_APP = 2  # parts of a model's name that name its app, as fal has it: an owner and a name


class Described(UsualWays):
    """The contract as pure functions."""

    def submission(self, order: Order, profile: Profile, supplies: Supplies) -> Request:
        """POST to `paths.submit`; a parameter that stands in the path is not sent again.

        Raises:
            PathRefused: a word of the order cannot stand in the path.
        """
        mode = profile.mode(order.mode)
        template = template_of("submit", profile, order.mode)
        words = {"model": order.model}
        taken = dict[str, Any]()
        for name in set(gaps(template)) & set(mode.parameters):
            rule = mode.parameters[name]
            field = rule.field or name
            taken[field] = order.extra.get(field, rule.default_for(order.model))
            words[name] = "" if taken[field] is None else str(taken[field])
        left = {name: value for name, value in order.extra.items() if name not in taken}
        body = order_body(order.model_copy(update={"extra": left}), _without_defaults(profile, mode, taken), supplies)
        if order.remix_of is not None and mode.remix is not None and mode.remix.path is not None:
            template, words = mode.remix.path, words | {"id": supplies.parent_id or ""}
        path = filled(template, words)
        if profile.callback_query is not None and supplies.callback_url is not None:
            path = with_query(path, urlencode({profile.callback_query: supplies.callback_url}))
        return Request("POST", path, body, encoding_of(body, profile))

    def status(self, job: RemoteJob, profile: Profile) -> Request:
        """GET the address that the answer to the order gave, or `paths.status`.

        Raises:
            UnknownJob: there is neither, or the id cannot stand in a path.
        """
        if job.status_url is not None:
            return Request("GET", job.status_url)
        template = template_of("status", profile, job.mode)
        if not template or OF_ORDER.intersection(gaps(template)):
            raise UnknownJob(f"{profile.name} gave no address to ask about {job.id}.")
        return Request("GET", path_about({"id": job.id}, template, profile))

    def listing(self, profile: Profile, mode: str, most: int, after: str | None) -> Request:
        """GET `paths.list`: one page, as long as the API makes it, from a cursor, a number or an offset on."""
        del most
        told = _answers(profile)
        page = after or told.first_page
        turned = {told.turns_pages: page} if told.turns_pages is not None and page is not None else {}
        words = urlencode({**profile.list_parameters, **turned})
        return Request("GET", with_query(template_of("list", profile, mode), words))

    def read_listing(self, answer: Mapping[str, Any], profile: Profile, after: str | None = None) -> ListPage:
        """What stands at `answers.list_items`, and what leads to the next page."""
        told, found = _answers(profile), list[ListedJob]()
        rows = list(map(json_values.mapping, json_values.at_path(answer, told.list_items or "data[]")))
        for row in rows:
            job = named_job(row, (told.list_id or profile.id_path or "id",))
            if job is not None:
                created = json_values.moment(_first(row, told.list_created))
                model = json_values.text(_first(row, told.list_model))
                prompt = json_values.text(_first(row, told.list_prompt))
                word = (
                    json_values.word(_first(row, told.list_status)) if told.list_status else phase_of(row, profile)[1]
                )
                found.append(ListedJob(job, created, word, model, prompt))
        leads = json_values.text(_first(answer, told.list_next))
        by_cursor = told.list_cursor is not None
        behind = leads if by_cursor else told.page_behind(after, len(rows))
        return ListPage(tuple(found), behind, None if by_cursor else leads)

    def job_named(self, name: str, order: Order, profile: Profile) -> RemoteJob:
        """Asked about at `paths.status`; where its addresses stand in an answer, these paths are what is usual."""
        words = _words_of(name, order)
        job = super().job_named(name, order, profile)
        usual = (template_of("status", profile, order.mode), template_of("result", profile, order.mode))
        try:
            status, result = (filled(each, words) if OF_ORDER.intersection(gaps(each)) else None for each in usual)
        except PathRefused:
            return job  # nobody can be asked about it, and whoever tries is told
        return replace(job, status_url=status, result_url=result)

    def id_places(self, profile: Profile) -> tuple[str, ...]:
        """`id_path` is all there is."""
        return (profile.id_path or "id",)

    def with_word(self, result: Mapping[str, Any], word: str, profile: Profile) -> Mapping[str, Any]:
        """At `status_path`, whatever stands there: it has no word of its own, or means another."""
        told = _answers(profile)
        place, value = (profile.status_path, word) if profile.status_path else (told.done, True)
        return nested({**result, (place or "status").replace("[]", "[0]"): value})

    def read_job(self, answer: Mapping[str, Any], profile: Profile) -> RemoteJob | None:
        """What stands at `id_path`, with the addresses to ask."""
        job = named_job(answer, (profile.id_path or "id",))
        told = _answers(profile)
        if job is None:
            return None
        return replace(job, status_url=_link(answer, told.status_url), result_url=_link(answer, told.result_url))

    def read_progress(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> Progress:
        """The word at `status_path`, or what is there, decides; then what is wrong with a job that has ended."""
        told = _answers(profile)
        phase, word = phase_of(answer, profile)
        code, message = error_told(answer, profile)
        links = self._links(answer, job, profile, base_url) if phase is Phase.SUCCEEDED else ()
        # An error in the place of the file: so says the address of a result. Where there are links, it may be a paid clip
        # that the profile looks for in the wrong place, and some say "OK" where others have an error.
        said_where = told.error_code or told.error_message  # words without a code beside them may say that all is well
        own = () if json_values.has_file(answer) else (told.moderated, *said_where)
        if (
            phase is Phase.SUCCEEDED
            and not links
            and any(_stands(answer, place) for place in (*own, "error", "detail"))
        ):
            phase = Phase.FAILED
        said = f"{code or ''} {message or ''}".lower()
        if phase is Phase.FAILED and (
            _stands(answer, told.moderated) or any(words in said for words in told.moderation_words)
        ):
            code, message = MODERATED, message or "moderation has taken its clips away"
        is_bare = profile.status_path is not None and not json_values.word(_first(answer, profile.status_path))
        asks = phase is Phase.SUCCEEDED and not links and not is_bare
        elsewhere = self._elsewhere(answer, job, profile, base_url) if asks else None
        is_over = phase in (Phase.FAILED, Phase.CANCELLED)
        return Progress(
            phase,
            word,
            links,
            code if is_over else None,
            message if is_over else None,
            completed_at=json_values.moment(_first(answer, told.completed_at)),
            result_url=elsewhere,
            unread=phase is Phase.SUCCEEDED and not links and _may_hold_files(answer, told),
            missing=self._missing(answer, job, profile) if phase is Phase.SUCCEEDED and not links else None,
            seconds=json_values.number(_first(answer, told.seconds)),
            size=json_values.text(_first(answer, told.size)),
            trace_id=json_values.identifier(_first(answer, told.trace)),
        )

    def _links(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> tuple[Link, ...]:
        """The clip in an answer, or the links to it, or else the address from which the API itself serves the file."""
        if (clip := clip_in(answer, _answers(profile).clip_base64)) is not None:
            return (Link(base_url, data=clip),)
        places = result_places(job, profile)
        found = links_at(answer, [place for place in places if place != "content"], base_url, profile.auth.file_hosts)
        if found or "content" not in places:
            return found
        path = path_about({"id": job.id}, template_of("content", profile, job.mode), profile)
        return (Link(base_url + path, needs_key=True),)

    def _missing(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile) -> MissingClip:
        """Say why there is no clip, and which key may be left out where only one address was asked."""
        said = missing_clip(answer, result_places(job, profile), _answers(profile).clip_base64)
        is_one = _answers(profile).result_url is None and not template_of("result", profile, job.mode)
        return replace(said, words=f"{said.words}; {_ELSEWHERE}") if is_one else said

    def _elsewhere(self, answer: Mapping[str, Any], job: RemoteJob, profile: Profile, base_url: str) -> str | None:
        """Where the result of a job that has ended stands, if it is another address than that of its status."""
        told, template = _answers(profile), template_of("result", profile, job.mode)
        said = _link(answer, told.result_url)
        if said is not None and same_origin(said, base_url):
            return said
        if job.result_url is not None or not template or OF_ORDER.intersection(gaps(template)):
            return job.result_url
        words = {"id": job.id, "result_id": json_values.identifier(_first(answer, told.result_id)) or ""}
        return path_about(words, template, profile) if all(words[name] for name in gaps(template)) else None


def template_of(what: PathName, profile: Profile, mode_name: str) -> str:
    """The path of one kind of request, with gaps; empty: there is none."""
    own = next((mode.paths for mode in profile.modes if mode.name == mode_name), {})
    return own.get(what) or profile.paths.get(what, "")


def cancellation(job: RemoteJob, order: Order, profile: Profile) -> Request | None:
    """The request that asks to make a job no more; None: its API takes none.

    Raises:
        UnknownJob: its id cannot stand in the path.
    """
    template = template_of("cancel", profile, job.mode)
    if not template:
        return None
    return Request(profile.cancel_method or "POST", path_about(_words_of(job.id, order), template, profile))


def _words_of(name: str, order: Order) -> dict[str, str]:
    """What stands in the path of a request about a job whose order is known."""
    return {"id": name, "model": order.model, "app": "/".join(order.model.split("/")[:_OF_AN_APP])}


def path_about(words: Mapping[str, str], template: str, profile: Profile) -> str:
    """The path of a request about a job.

    Args:
        words: its id, and what else stands in the path.
        template: the path with gaps.
        profile: of who is asked.

    Raises:
        UnknownJob: one of them cannot stand there.
    """
    try:
        return filled(template, words)
    except PathRefused as refused:
        raise UnknownJob(f"{profile.name} cannot be asked: {refused}") from None


def phase_of(answer: Mapping[str, Any], profile: Profile) -> tuple[Phase, str]:
    """How a job stands, and the word for it; a word that the profile does not know means running."""
    told = _answers(profile)
    word = json_values.word(_first(answer, profile.status_path))
    if not word and any(name in answer for name in told.bare_result):  # if only to say that there is no file
        word = next((known for known, phase in profile.words.items() if phase == "succeeded"), "")
    phase = Phase(profile.words.get(word, "running"))
    if _stands(answer, told.done):
        phase, word = Phase.SUCCEEDED, word or "done"
    if any(_stands(answer, path) for path in told.failed) and (phase is Phase.SUCCEEDED or not word):
        phase = Phase.FAILED
    return phase, word


def clip_in(answer: Mapping[str, Any], place: str | None) -> bytes | None:
    """The clip that an answer holds as base64, bare or behind `data:video/mp4;base64,`; None where it holds none."""
    said = _first(answer, place)
    if not isinstance(said, str) or not said:
        return None
    try:
        return base64.b64decode(said.partition(",")[2] if said.startswith("data:") else said, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _may_hold_files(answer: Mapping[str, Any], told: Answers) -> bool:
    """Tell whether an answer without files has links, or a clip in base64 elsewhere or broken: it may well be paid for."""
    place = told.clip_base64
    return json_values.has_file(answer) or bool(
        place and (_stands(answer, place) or json_values.is_elsewhere(answer, (place,)))
    )


def _answers(profile: Profile) -> Answers:
    return profile.answers or Answers()


def _first(answer: Mapping[str, Any], path: str | None) -> Any:
    return next(iter(json_values.at_path(answer, path)), None) if path else None


def _stands(answer: Mapping[str, Any], path: str | None) -> bool:
    """Tell whether anything stands at a place, and is not false, nothing or empty."""
    return path is not None and any(json_values.at_path(answer, path))


def _link(answer: Mapping[str, Any], path: str | None) -> str | None:
    found = _first(answer, path)
    return found if json_values.is_link(found) else None


def _without_defaults(profile: Profile, mode: Mode, taken: Mapping[str, Any]) -> Profile:
    """The same profile without the parameters that stand in the path, so that their defaults are not sent."""
    if not taken:
        return profile
    kept = {name: rule for name, rule in mode.parameters.items() if (rule.field or name) not in taken}
    modes = [each.model_copy(update={"parameters": kept}) if each is mode else each for each in profile.modes]
    return profile.model_copy(update={"modes": tuple(modes)})
