"""One account at one provider: the thin shell that sends what a contract says and translates what fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pipelines.addresses import Origin, without_query
from pipelines.errors import KeyRefused, NoAnswer, ProviderUnavailable, SlowDown, UnknownJob, UnusableAnswer
from pipelines.http import SUBMIT_DEADLINE_S, Answer, Http, form_of
from pipelines.job import Order, RemoteJob
from pipelines.pacing.backoff import poll_hint, retry_after
from pipelines.providers import answers
from pipelines.providers.acedata import AceData
from pipelines.providers.classify import classify
from pipelines.providers.fal_queue import FalQueue
from pipelines.providers.openai_videos import OpenAIVideos, path_of
from pipelines.providers.profile import ContractName, Profile
from pipelines.providers.protocol import (
    Accepted,
    BeforeFirstByte,
    Contract,
    InDoubt,
    Link,
    Phase,
    Progress,
    Request,
    Supplies,
    Upload,
    Verdict,
)
from pipelines.providers.veo_generations import VeoGenerations

CONTRACTS: Mapping[ContractName, Contract] = {
    "openai": OpenAIVideos(),
    "acedata": AceData(),
    "veo": VeoGenerations(),
    "fal": FalQueue(),
}
_JSON = "application/json"
_KEY_SHOWN, _CALLBACK_SHOWN = "(the key)", "(the callback address)"
_LEAST_SECRET = 8  # a shorter key, as for a sandbox, is no secret, and would be found in the middle of a job's id
_UNAUTHORIZED, _NOT_FOUND, _GONE, _TOO_MANY = 401, 404, 410, 429


class Client:
    """Speaks a contract over HTTP. Implements `pipelines.providers.protocol.Provider`.

    Args:
        http: the run's connections.
        profile: who is spoken to.
        base_url: without a trailing slash.
        key: the API key; it appears in no message, `repr` or record.
        account: a fixed name for the account, where address and key say nothing (a rehearsal).
    """

    def __init__(self, http: Http, profile: Profile, base_url: str, key: str, *, account: str | None = None) -> None:
        self.profile = profile
        self._http = http
        self._base_url = base_url
        self._key = key
        self._secret = key if len(key) >= _LEAST_SECRET else ""
        self.account = account or account_of(base_url, key)

    def key_header(self) -> Mapping[str, str]:
        """`Authorization: Bearer`, as every API of these families wants it; nothing for a server that needs no key."""
        return {"authorization": f"Bearer {self._key}"} if self._key else {}

    async def submit(self, order: Order, supplies: Supplies, before_first_byte: BeforeFirstByte) -> Verdict:
        """Send one paid submission, once; `before_first_byte` runs at the last instant at which nothing is sent.

        Raises:
            NotSent: surely nothing reached the provider.
        """
        contract = CONTRACTS[self.profile.contract_of(order.mode)]
        request = contract.submission(order, self.profile, supplies)
        content_type, content = encoded(request)
        try:
            answer = await self._http.submit(
                self._url_of(request.path, order.mode),
                headers=self._headers(content_type),
                content=content,
                before_first_byte=before_first_byte,
                deadline_s=max(SUBMIT_DEADLINE_S, self.profile.answer_within_s),
            )
        except NoAnswer as error:
            return InDoubt(f"no answer came back: {error}")
        verdict = classify(self._without_secrets(answer, supplies.callback_url), self.profile, contract)
        if isinstance(verdict, Accepted):
            return replace(verdict, job=replace(verdict.job, mode=order.mode))
        return verdict

    async def check(self, job: RemoteJob) -> Progress:
        """Ask about one job.

        Raises:
            KeyRefused: HTTP 401.
            UnknownJob: HTTP 404 or 410.
            SlowDown: HTTP 429.
            ProviderUnavailable: any other refusal, server errors first of all; it passes, or the deadline ends it.
            NoAnswer: the network failed.
            UnusableAnswer: no JSON object came back, or one about another job.
        """
        contract = CONTRACTS[self.profile.contract_of(job.mode)]
        progress = await self._progress(contract, contract.status(job, self.profile), job)
        if progress.result_url is None:
            return progress
        ended = await self._progress(contract, Request("GET", progress.result_url), job)  # it says elsewhere with what
        return progress if ended.phase is Phase.RUNNING else ended

    async def check_many(self, jobs: Sequence[RemoteJob]) -> dict[str, Progress]:
        """Ask about many jobs of one protocol in one request; raises as `check` does."""
        contract = CONTRACTS[self.profile.contract_of(jobs[0].mode)]
        request = contract.batch_status([job.id for job in jobs], self.profile)
        body, _ = await self._ask(request, jobs[0].mode)
        found = contract.read_batch(body, jobs, self.profile, self._base_url)
        return {name: self._clean(progress) for name, progress in found.items()}

    async def list_recent(self, most: int = 20) -> list[RemoteJob]:
        """The newest jobs of this account, newest first, where the provider has a list; raises as `check` does."""
        query = {"limit": str(most), "order": "desc"} | self.profile.list_parameters
        body, _ = await self._ask(Request("GET", f"{path_of('list', self.profile)}?{urlencode(query)}"))
        rows = [answers.mapping(row) for row in answers.at_path(body, "data[]")]
        found = (CONTRACTS[self.profile.contract].read_job(row, self.profile) for row in rows)
        return [job for job in found if job is not None]

    async def delete(self, job: RemoteJob) -> None:
        """Remove a finished video from the provider's store, where it has such a request; raises as `check` does."""
        await self._ask(Request("DELETE", path_of("delete", self.profile, job.id)), job.mode)

    def content_link(self, job: RemoteJob, variant: str = "video") -> Link:
        """Where the provider itself serves the file of a finished job: `video`, `thumbnail` or `spritesheet`."""
        query = "" if variant == "video" else f"?{urlencode({'variant': variant})}"
        return Link(self._base_of(job.mode) + path_of("content", self.profile, job.id) + query, needs_key=True)

    async def _progress(self, contract: Contract, request: Request, job: RemoteJob) -> Progress:
        body, headers = await self._ask(request, job.mode)
        named = {answers.identifier(body.get(name)) for name in ("id", "task_id", "request_id")} - {None}
        if self.profile.repeats_id and named and job.id not in named:
            raise UnusableAnswer(f"{self.profile.name} answers a query about {job.id} with another job's id.")
        progress = self._clean(contract.read_progress(body, job, self.profile, self._base_of(job.mode)))
        return replace(progress, poll_after_s=poll_hint(headers))

    async def _ask(self, request: Request, mode: str = "") -> tuple[Mapping[str, Any], Mapping[str, str]]:
        content = None if request.body is None else json.dumps(request.body).encode()
        headers = self._headers(None if content is None else _JSON)
        url = self._url_of(request.path, mode)
        answer = await self._http.ask(request.method, url, headers=headers, content=content)
        return _readable(answer if _is_fine(answer) else self._without_secrets(answer), self.profile), answer.headers

    def _base_of(self, mode: str) -> str:
        """The base URL as the protocol of a mode counts it."""
        drops = next((each.base_url_drops for each in self.profile.modes if each.name == mode), "")
        return self._base_url.removesuffix(drops)

    def _url_of(self, path: str, mode: str) -> str:
        """The address of a request. One that the provider gave is used as it is, but gets our key on its host only.

        Raises:
            UnknownJob: it leads to another host, so nobody can be asked about this job.
        """
        if path.startswith("/"):
            return self._base_of(mode) + path
        try:
            is_ours = Origin.of(path) in {Origin.of(self._base_url), Origin.of(self.profile.base_url)}
        except ValueError:
            is_ours = False
        if not is_ours:
            raise UnknownJob(f"{self.profile.name} names an address on another host to ask: {without_query(path)}.")
        return path

    def _without_secrets(self, answer: Answer, callback_url: str | None = None) -> Answer:
        """The same answer, should it echo the key or the address to call: what is said about it is shown and stored."""
        body = answer.body
        for secret, shown in ((self._secret, _KEY_SHOWN), (callback_url, _CALLBACK_SHOWN)):
            for spelling in {secret or "", (secret or "").replace("/", "\\/")} - {""}:
                body = body.replace(spelling.encode(), shown.encode())
        return replace(answer, body=body)

    def _clean(self, progress: Progress) -> Progress:
        """The same for a progress, whose links stay as they are."""
        if not self._secret or self._secret not in f"{progress.code} {progress.message}":
            return progress
        code, message = (
            words and words.replace(self._secret, _KEY_SHOWN) for words in (progress.code, progress.message)
        )
        return replace(progress, code=code, message=message)

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {"accept": "application/json", **self.key_header()}
        return headers if content_type is None else headers | {"content-type": content_type}


def encoded(request: Request) -> tuple[str, bytes]:
    """The body of a submission and its content type. In a form everything is text, and what is nested is JSON text."""
    body = request.body or {}
    if not request.form:
        return _JSON, json.dumps(body, ensure_ascii=False).encode()
    uploads = {name: value for name, value in body.items() if isinstance(value, Upload)}
    texts = {name: _form_text(value) for name, value in body.items() if name not in uploads}
    return form_of(texts, {name: (file.name, file.data, file.type) for name, file in uploads.items()})


def _form_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def account_of(base_url: str, key: str) -> str:
    """A short fingerprint of who pays: the address and the key."""
    origin = Origin.of(base_url)
    return hashlib.sha256(f"{origin.host}:{origin.port}\0{key}".encode()).hexdigest()[:16]


def _is_fine(answer: Answer) -> bool:
    return 200 <= answer.status < 300  # noqa: PLR2004 - HTTP


def _readable(answer: Answer, profile: Profile) -> Mapping[str, Any]:
    """The JSON object of a status answer, or the error that it stands for."""
    body = answers.parse(answer.body) if answer.complete else None
    code, message = answers.error_of(body or {})
    said = answers.printable(f"{code or ''} {message or ''}".strip() or "no reason given", 300)
    if answer.status == _UNAUTHORIZED:
        raise KeyRefused(
            f"{profile.name} refuses the API key on a status query ({said}). Set a valid {profile.key_names[0]} and run "
            "the same command again: jobs that were accepted are kept."
        )
    if answer.status in (_NOT_FOUND, _GONE):
        raise UnknownJob(f"{profile.name} does not know this job ({said}).")
    if answer.status == _TOO_MANY:
        raise SlowDown(f"{profile.name} asks for fewer status queries.", retry_after(answer.headers))
    if not _is_fine(answer):
        raise ProviderUnavailable(f"{profile.name} answers a status query with HTTP {answer.status} ({said}).")
    if body is None:
        raise UnusableAnswer(f"{profile.name} answers a status query with something that is no JSON object.")
    return body
