"""What a profile makes of answers that somebody pasted, at each stage of a job, and why it reads nothing in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.core.errors import KeyRefused, ReelbatchError, SetupError, SlowDown, UnknownJob
from pipelines.core.job import RemoteJob
from pipelines.core.outcome import Accepted, Rejected
from pipelines.core.text.printable import printable
from pipelines.net.http import Answer
from pipelines.providers.client import CONTRACTS
from pipelines.providers.contracts.described import template_of
from pipelines.providers.profile.model import Mode, Profile
from pipelines.providers.protocol import Contract, Link, Phase, Progress, Verdict
from pipelines.providers.responses import json_values
from pipelines.providers.responses.status import readable
from pipelines.providers.responses.submission import classify
from pipelines.providers.responses.told import error_told
from pipelines.providers.responses.unread import names_in, unread_at

#: The requests of a job, in their order: that which buys it, those that ask about it, and that for its result.
Stage = Literal["order", "query", "result"]
STAGES: tuple[Stage, ...] = ("order", "query", "result")
JOB = "JOB-ID"  #: what stands for the id of a job of which none is known
_OK, _CLIENT, _SERVER = 200, 400, 500
_STATUS_DIGITS = 3
_STATUSES = (100, 600)
_CUT = ("...", "…")  # so pages end a text that is too long for them
_PATIENCE = "the run asks again for some minutes, then"


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer as it was pasted."""

    body: bytes
    status: int = _OK
    stage: Stage | None = None  # what it answers, where that was said


@dataclass(frozen=True, slots=True)
class StageReading:
    """What was understood of an answer at one stage."""

    says: str
    why: tuple[str, ...] = ()  # what the profile should read there, and does not
    notes: tuple[str, ...] = ()  # what is worth knowing, and no mistake

    @property
    def fits(self) -> bool:
        """Whether the profile reads at this stage all that it has to."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood of a sample answer."""

    as_order: StageReading
    as_query: StageReading
    as_result: StageReading
    stage: Stage | None = None  # what it answers, where that was said
    progress: Progress | None = None  # as the answer to a query
    error: str | None = None  # the code of the error that it tells, or its words

    def at(self, stage: Stage) -> StageReading:
        """What it says at a stage."""
        return {"order": self.as_order, "query": self.as_query, "result": self.as_result}[stage]

    @property
    def fits(self) -> tuple[Stage, ...]:
        """The stages at which the profile reads it."""
        return tuple(stage for stage in STAGES if self.at(stage).fits)

    @property
    def contradicts(self) -> bool:
        """Whether the profile does not read it where it was said to be from, or nowhere."""
        return self.stage not in self.fits if self.stage else not self.fits


def sample_answer(text: str) -> Sample:
    """An answer in a file: `FILE`, `422:FILE` where its HTTP status is not 200, `query=FILE` where its stage is known.

    Raises:
        SetupError: there is no such file, or no JSON object in it; or there is no such stage or status.
    """
    stage = next((stage for stage in STAGES if text.startswith(f"{stage}=")), None)
    rest = text.removeprefix(f"{stage}=") if stage else text
    status, colon, name = rest.partition(":")
    is_status = bool(colon) and status.isdecimal() and len(status) == _STATUS_DIGITS
    path = Path(name if is_status else rest)
    if is_status and not _STATUSES[0] <= int(status) < _STATUSES[1]:
        raise SetupError(f"{status} is no HTTP status.")
    if path == Path() or (stage is None and "=" in rest and not path.exists()):
        raise SetupError(
            f'"{printable(text, 80)}" names no answer: write FILE, 422:FILE, order=FILE, query=FILE or result=FILE.'
        )
    try:
        body = path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror}.") from None
    if json_values.parse(body) is None:
        raise SetupError(f"{path} holds no JSON object. Paste the body of an answer into it.")
    return Sample(body, int(status) if is_status else _OK, stage)


def read_sample(profile: Profile, mode: Mode, sample: Sample) -> Reading:
    """Read an answer with the functions of the client, as that to an order, to a query, and for a result."""
    contract = CONTRACTS[profile.contract_of(mode.name)]
    answer = Answer(sample.status, {}, sample.body)
    verdict = classify(answer, profile, contract)
    job = verdict.job if isinstance(verdict, Accepted) else RemoteJob(JOB)
    job = replace(job, mode=mode.name, contract=profile.contract_of(mode.name))
    as_order = _order_reading(verdict, answer, profile, contract)
    as_query, progress = _query_reading(answer, job, profile, contract)
    code, message = error_told(json_values.mapping(json_values.parse(sample.body)), profile)
    as_result = _result_reading(answer, job, profile)
    return Reading(as_order, as_query, as_result, sample.stage, progress, code or message)


def _order_reading(verdict: Verdict, answer: Answer, profile: Profile, contract: Contract) -> StageReading:
    """What the client says of the answer to a submission."""
    body = json_values.mapping(json_values.parse(answer.body))
    told = profile.answers
    if isinstance(verdict, Accepted):
        job = verdict.job
        says = f"accepted, as job {job.id}"
        says += f"; ask at {job.status_url}" if job.status_url else ""
        says += f"; result at {job.result_url}" if job.result_url else ""
        place = told.status_url if told is not None and not job.status_url else None
        nowhere = place is not None and not template_of("status", profile, "")
        return StageReading(says, (_why(body, place or "", "link"),) if nowhere else ())
    if isinstance(verdict, Rejected):
        says = f"refused ({verdict.kind}): {verdict.message} ({verdict.code}); nothing was bought"
        return StageReading(says, *_error_places(body, profile))
    says = f"in doubt: {verdict.reason}; it would not be sent again by itself"
    if answer.status >= _CLIENT:
        return StageReading(says, *_error_places(body, profile))
    places = (profile.id_path,) if profile.id_path else contract.id_places(profile)
    return StageReading(says, tuple(_why(body, place, "id") for place in places) or ("no job is named",))


def _query_reading(
    answer: Answer, job: RemoteJob, profile: Profile, contract: Contract
) -> tuple[StageReading, Progress | None]:
    """What the client says of the answer to a status query, and the run does then."""
    try:
        read = readable(answer, profile)
        progress = contract.read_progress(read, job, profile, profile.base_url)
    except ReelbatchError as error:
        return _error_reading(error, answer, profile), None
    why = list[str]()
    if progress.phase is Phase.RUNNING and not progress.word:
        places = _state_places(profile, contract)
        if profile.status_path or not any(json_values.at_path(read, place) for place in places):
            why += [_why(read, place, "word") for place in places[:1]]
    elif progress.word and progress.phase is Phase.RUNNING and profile.status_path:
        if progress.word not in profile.words:
            why.append(f"the word {progress.word!r} is not in `words`: it is taken for running")
    elif progress.phase is Phase.SUCCEEDED and not progress.links and progress.result_url is None:
        return _without_file(progress, read, profile), progress
    elif progress.phase is Phase.FAILED:
        return StageReading(told_of(progress, profile), *_error_places(read, profile)), progress
    return StageReading(told_of(progress, profile), tuple(why)), progress


def _state_places(profile: Profile, contract: Contract) -> tuple[str, ...]:
    """Where the answer to a query says anything of its job; the first is the surest."""
    told = profile.answers
    named = (profile.status_path, told and told.done, *(told.failed if told else ()), profile.id_path)
    found = tuple(place for place in named if place)
    return found if told is not None else (*found, "status", *contract.id_places(profile))


def _result_reading(answer: Answer, job: RemoteJob, profile: Profile) -> StageReading:
    """What the client says of an answer at the address of a result, which has no word of its own."""
    if not has_own_result(profile, job.mode):
        return StageReading("never asked for: a query says where the files are", ("there is no `paths.result`",))
    word = next((word for word, phase in profile.words.items() if phase == "succeeded"), "done")
    described = CONTRACTS["described"]
    try:
        read = readable(answer, profile, result=True)
        progress = described.read_progress(described.with_word(read, word, profile), job, profile, profile.base_url)
    except ReelbatchError as error:
        return _error_reading(error, answer, profile)
    progress = replace(progress, result_url=None)
    if progress.phase is Phase.FAILED:
        return StageReading(told_of(progress, profile), *_error_places(read, profile))
    return StageReading(told_of(progress, profile)) if progress.links else _without_file(progress, read, profile)


def has_own_result(profile: Profile, mode_name: str = "") -> bool:
    """Tell whether the result of a job is a request of its own."""
    told = profile.answers
    return told is not None and bool(told.result_url or template_of("result", profile, mode_name))


def _error_reading(error: ReelbatchError, answer: Answer, profile: Profile) -> StageReading:
    """What a run does that hears of an error in place of news."""
    if isinstance(error, KeyRefused):
        then = "The run asks no more there, and keeps the job for the next one."
    elif isinstance(error, UnknownJob):
        then = f"{_PATIENCE.capitalize()} parks the job as lost."
    elif isinstance(error, SlowDown):
        then = "The run asks again, more slowly."
    else:
        then = f"The run asks again, for up to {profile.timing.deadline_hours:g} h, then parks the job."
    body = json_values.mapping(json_values.parse(answer.body))
    return StageReading(f"no news of a job: {error} {then}", *_error_places(body, profile))


def _error_places(body: Mapping[str, Any], profile: Profile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What cannot be read of an error, and what is worth knowing of its code."""
    told, (code, message) = profile.answers, error_told(body, profile)
    why = list[str]()
    if code is None and message is None:
        why.append(f"no error is read; there is: {names_in(body) or 'nothing'}")
    if told is not None:
        found = ((code, told.error_code), (message, told.error_message))
        why = [_why(body, places[0], "text") for text, places in found if text is None and places] or why
    known = code is None or code in profile.errors or not profile.errors
    return tuple(why), () if known else (f"the code {code!r} is not in `errors`: its HTTP status and words decide",)


def _without_file(progress: Progress, body: Mapping[str, Any], profile: Profile) -> StageReading:
    """A job that has ended, and shows no file. A clip that a page has cut short is no mistake of the profile."""
    says = told_of(progress, profile)
    place = profile.answers.clip_base64 if profile.answers is not None else None
    found = next(iter(json_values.at_path(body, place)), None) if place else None
    if place and isinstance(found, str) and found.rstrip().endswith(_CUT):
        word = says.partition(";")[0]
        return StageReading(f"{word}; a clip whose base64 the page has cut short: {_why(body, place, 'base64')}")
    return StageReading(says, (progress.missing.words if progress.missing else "no file is found",))


def _why(body: Mapping[str, Any], place: str, wanted: str) -> str:
    """Why nothing is read at a place of an answer that somebody pasted, who may see what stands there."""
    return unread_at(body, place, wanted, shows_values=True).words


def told_of(progress: Progress, profile: Profile) -> str:
    """A progress in words: how the job stands, with its files or its error, and what the run does then."""
    said = [f"{progress.phase.value}{f' ({progress.word!r})' if progress.word else ''}"]
    if progress.phase in (Phase.FAILED, Phase.CANCELLED):
        said.append(f"{progress.message or 'no reason given'} ({progress.code or 'no code'})")
        is_cancelled = progress.phase is Phase.CANCELLED
        said.append(f"charged: {profile.billed_for(progress.code, is_cancelled=is_cancelled)}")
    said += [_where(link) for link in progress.links]
    if progress.result_url is not None:
        said.append(f"its result is asked for at {progress.result_url}")
    elif progress.phase is Phase.SUCCEEDED and not progress.links:
        more = ", though it may have one" if progress.unread else ""
        said.append(f"and no file where the profile looks{more}; {_PATIENCE} parks the job")
    for name in ("seconds", "size", "completed_at", "trace_id"):
        if (value := getattr(progress, name)) is not None:
            said.append(f"{name} {value}")
    return "; ".join(said)


def _where(link: Link) -> str:
    if link.data is not None:
        return f"the file itself, {len(link.data):,} bytes"
    return f"file at {link.url}{' (with the key)' if link.needs_key else ''}"
