"""One account at one provider: the thin shell that sends what a contract says and translates what fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.addresses import Origin
from pipelines.errors import KeyRefused, NoAnswer, ProviderUnavailable, SlowDown, UnknownJob, UnusableAnswer
from pipelines.http import Answer, Http
from pipelines.job import Order
from pipelines.pacing.backoff import retry_after
from pipelines.providers import answers
from pipelines.providers.acedata import AceData
from pipelines.providers.classify import classify
from pipelines.providers.openai_videos import OpenAIVideos
from pipelines.providers.profile import Profile
from pipelines.providers.protocol import BeforeFirstByte, Contract, InDoubt, Progress, Request, Verdict

CONTRACTS: Mapping[str, Contract] = {"openai": OpenAIVideos(), "acedata": AceData()}
_HIDDEN = "(the key)"
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
        self._contract = CONTRACTS[profile.contract]
        self.account = account or account_of(base_url, key)

    def key_header(self) -> Mapping[str, str]:
        """`Authorization: Bearer`, as every API of both families wants it."""
        return {"authorization": f"Bearer {self._key}"}

    async def submit(self, order: Order, before_first_byte: BeforeFirstByte) -> Verdict:
        """Send one paid submission, once; `before_first_byte` runs at the last instant at which nothing is sent.

        Raises:
            NotSent: surely nothing reached the provider.
        """
        request = self._contract.submission(order, self.profile)
        content = json.dumps(request.body, ensure_ascii=False).encode()
        try:
            answer = await self._http.submit(
                self._base_url + request.path,
                headers=self._headers(),
                content=content,
                before_first_byte=before_first_byte,
            )
        except NoAnswer as error:
            return InDoubt(f"no answer came back: {error}")
        return classify(self._without_key(answer), self.profile, self._contract)

    async def check(self, provider_job_id: str) -> Progress:
        """Ask about one job.

        Raises:
            KeyRefused: HTTP 401.
            UnknownJob: HTTP 404 or 410.
            SlowDown: HTTP 429.
            ProviderUnavailable: any other refusal, server errors first of all; it passes, or the deadline ends it.
            NoAnswer: the network failed.
            UnusableAnswer: no JSON object came back, or one about another job.
        """
        answer = await self._ask(self._contract.status(provider_job_id, self.profile))
        named = {answers.identifier(answer.get(name)) for name in ("id", "task_id")} - {None}
        if named and provider_job_id not in named:
            raise UnusableAnswer(f"{self.profile.name} answers a query about {provider_job_id} with another job's id.")
        return self._clean(self._contract.read_progress(answer, self.profile, self._base_url))

    async def check_many(self, provider_job_ids: Sequence[str]) -> dict[str, Progress]:
        """Ask about many jobs in one request; raises as `check` does."""
        answer = await self._ask(self._contract.batch_status(provider_job_ids, self.profile))
        found = self._contract.read_batch(answer, self.profile, self._base_url)
        return {name: self._clean(progress) for name, progress in found.items()}

    async def _ask(self, request: Request) -> Mapping[str, Any]:
        content = None if request.body is None else json.dumps(request.body).encode()
        url = self._base_url + request.path
        answer = await self._http.ask(request.method, url, headers=self._headers(content), content=content)
        return _readable(answer if _is_fine(answer) else self._without_key(answer), self.profile)

    def _without_key(self, answer: Answer) -> Answer:
        """The same answer, should it echo the key: what is said about it is shown and stored."""
        return (
            replace(answer, body=answer.body.replace(self._secret.encode(), _HIDDEN.encode()))
            if self._secret
            else answer
        )

    def _clean(self, progress: Progress) -> Progress:
        """The same for a progress, whose links stay as they are."""
        if not self._secret or self._secret not in f"{progress.code} {progress.message}":
            return progress
        code, message = (words and words.replace(self._secret, _HIDDEN) for words in (progress.code, progress.message))
        return replace(progress, code=code, message=message)

    def _headers(self, content: bytes | None = b"") -> dict[str, str]:
        headers = {"accept": "application/json", **self.key_header()}
        return headers if content is None else headers | {"content-type": "application/json"}


def account_of(base_url: str, key: str) -> str:
    """A short fingerprint of who pays: the address and the key."""
    origin = Origin.of(base_url)
    return hashlib.sha256(f"{origin.host}:{origin.port}\0{key}".encode()).hexdigest()[:16]


def _is_fine(answer: Answer) -> bool:
    return 200 <= answer.status < 300  # noqa: PLR2004


def _readable(answer: Answer, profile: Profile) -> Mapping[str, Any]:
    """The JSON object of a status answer, or the error that it stands for."""
    body = answers.parse(answer.body) if answer.complete else None
    code, message = answers.error_of(body or {})
    said = answers.printable(f"{code or ''} {message or ''}".strip() or "no reason given", 300)
    if answer.status == _UNAUTHORIZED:
        raise KeyRefused(
            f"{profile.name} refuses the API key on a status query ({said}). Set a valid {profile.key_env[0]} and run "
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
