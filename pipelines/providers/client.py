"""One account at one provider: the thin shell that sends what a contract says and translates what fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urljoin

from pipelines.core.errors import NoAnswer, UnknownJob, UnusableAnswer
from pipelines.core.job import Order, RemoteJob
from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.addresses import Origin, same_origin, without_query
from pipelines.net.headers import poll_hint
from pipelines.net.http import ANSWER_CAP_BYTES, CLIP_CAP_BYTES, SUBMIT_DEADLINE_S, Answer, Http, form_of
from pipelines.providers.contracts.acedata import AceData
from pipelines.providers.contracts.described import Described, cancellation
from pipelines.providers.contracts.fal_queue import FalQueue
from pipelines.providers.contracts.openai_videos import OpenAIVideos, path_of
from pipelines.providers.contracts.veo_generations import VeoGenerations
from pipelines.providers.key_proof import KeyProof
from pipelines.providers.profile.model import ContractName, Profile
from pipelines.providers.profile.path_template import PathRefused
from pipelines.providers.protocol import (
    BeforeFirstByte,
    Contract,
    Link,
    ListedJob,
    MissingClip,
    Phase,
    Progress,
    Request,
    Supplies,
    Upload,
    Verdict,
)
from pipelines.providers.responses import json_values
from pipelines.providers.responses.status import readable
from pipelines.providers.responses.submission import classify

CONTRACTS: Mapping[ContractName, Contract] = {
    "openai": OpenAIVideos(),
    "acedata": AceData(),
    "veo": VeoGenerations(),
    "fal": FalQueue(),
    "described": Described(),
}
_JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"  #: the content type of a form without files
_NO_CONTENT = 204
_MOST_PAGES = 100  # of a list: whoever shows one job a page is not asked two thousand times
_KEY_SHOWN, _CALLBACK_SHOWN = "(the key)", "(the callback address)"
_NOT_FOUND = 404
_PATH_UNUSABLE = "path_unusable"  # the code of an order that cannot be sent, as a word of it would lead elsewhere


class Client:
    """Speaks a contract over HTTP. Implements `pipelines.providers.protocol.Provider`.

    Args:
        http: the run's connections.
        profile: who is spoken to.
        base_url: without a trailing slash.
        key: the API key; it appears in no message, `repr` or record.
        account: a fixed name for the account, where address and key say nothing (a rehearsal).
        trusted: the operator set the address, so that files may come from it though it is private.
        trust_hosts: further hosts that files may come from, as the operator names them: HOST or HOST:PORT.
    """

    def __init__(
        self,
        http: Http,
        profile: Profile,
        base_url: str,
        key: str,
        *,
        account: str | None = None,
        trusted: bool = False,
        trust_hosts: Sequence[str] = (),
    ) -> None:
        self.profile = profile
        self._http = http
        self._base_url = base_url
        self._proof = KeyProof(profile.auth, key)
        self.account = account or account_of(base_url, key)
        own = {Origin.of(base_url)} if trusted else set()
        self.trusted = frozenset(own | set(map(Origin.trusted, (*profile.trust_hosts, *trust_hosts))))

    def key_header(self) -> Mapping[str, str]:
        """`Authorization: Bearer`, or as the profile has it; nothing for a server that needs no key."""
        return self._proof.headers()

    def keyed(self, url: str) -> str:
        """The address with the key in its query, where the profile wants it there."""
        return self._proof.on(url)

    async def submit(self, order: Order, supplies: Supplies, before_first_byte: BeforeFirstByte) -> Verdict:
        """Send one paid submission, once; `before_first_byte` runs at the last instant at which nothing is sent.

        Raises:
            NotSent: surely nothing reached the provider.
            Unsendable: nor will it, with this key or address.
        """
        ordered = RemoteJob("", order.mode, contract=self.profile.contract_of(order.mode))
        contract = CONTRACTS[self._contract_of(ordered)]
        try:
            request = contract.submission(order, self.profile, supplies)
        except PathRefused as refused:
            return Rejected("row", _PATH_UNUSABLE, str(refused))
        content_type, content = encoded(request)
        url = self._url_of(request.path, ordered)
        headers = self._headers(content_type, order.mode)
        if self.profile.idempotency_header is not None and supplies.attempt:
            headers[self.profile.idempotency_header.lower()] = supplies.attempt
        try:
            answer = await self._http.submit(
                self._proof.on(url),
                headers=headers,
                content=content,
                before_first_byte=before_first_byte,
                deadline_s=max(SUBMIT_DEADLINE_S, self.profile.answer_within_s),
            )
        except NoAnswer as error:
            return InDoubt(f"no answer came back: {error}")
        verdict = classify(self._without_secrets(answer, supplies.callback_url), self.profile, contract, url)
        if isinstance(verdict, Accepted):
            return replace(verdict, job=replace(verdict.job, mode=ordered.mode, contract=ordered.contract))
        remix = self.profile.mode(order.mode).remix if order.remix_of is not None else None
        in_the_path = remix is not None and remix.field is None  # the other clip is named there
        if isinstance(verdict, Rejected) and verdict.http_status == _NOT_FOUND and in_the_path:
            return replace(verdict, kind="row")  # it is the clip that is not there, and not the API
        return verdict

    async def check(self, job: RemoteJob) -> Progress:
        """Ask about one job.

        Raises:
            KeyRefused: the key is not, or no longer, taken.
            UnknownJob: nobody there knows the job.
            SlowDown: too many queries.
            ProviderUnavailable: any other refusal, server errors first of all; it passes, or the deadline ends it.
            NoAnswer: the network failed.
            UnusableAnswer: no JSON object came back, or one about another job.
        """
        contract = CONTRACTS[self._contract_of(job)]
        progress = await self._progress(contract, contract.status(job, self.profile), job)
        if progress.result_url is None:
            return progress
        there = Request("GET", progress.result_url)
        self._url_of(there.path, job)  # an address at another host says nothing of this one's answers
        try:
            ended = await self._progress(contract, there, job, progress.word)  # it says elsewhere with what
        except (UnknownJob, UnusableAnswer) as error:  # the job is known, and has ended well
            return replace(progress, missing=MissingClip(f"its result cannot be had: {str(error).rstrip('.')}"))
        return progress if ended.phase is Phase.RUNNING else ended

    async def check_many(self, jobs: Sequence[RemoteJob]) -> dict[str, Progress]:
        """Ask about many jobs of one protocol in one request; raises as `check` does."""
        contract = CONTRACTS[self._contract_of(jobs[0])]
        request = contract.batch_status([job.id for job in jobs], self.profile)
        body, _ = await self._ask(request, jobs[0])
        found = contract.read_batch(body, jobs, self.profile, self._base_url)
        return {name: self._clean(progress) for name, progress in found.items()}

    def remote_named(self, name: str, order: Order) -> RemoteJob:
        """The job that an order became, of which only the id is known."""
        return CONTRACTS[self.profile.contract_of(order.mode)].job_named(name, order, self.profile)

    async def list_recent(self, most: int = 20, *, since: datetime | None = None, mode: str = "") -> list[ListedJob]:
        """The newest jobs of this account, newest first, where the provider has a list; raises as `check` does.

        Args:
            most: so many at most; they are asked for page by page, where the provider says that there are more. A
                list of which so many pages are read has an end as well.
            since: no further page is asked for behind a job that is older.
            mode: of the profile, the first unless given; some providers have a list for each kind of job.
        """
        contract, about = CONTRACTS[self.profile.contract], RemoteJob("", mode or self.profile.modes[0].name)
        found: dict[str, ListedJob] = {}
        request, after = contract.listing(self.profile, about.mode, most, None), None
        for _ in range(_MOST_PAGES):
            try:
                body, _ = await self._ask(request, about)
            except UnknownJob:
                if found and self.profile.answers is not None and self.profile.answers.first_page is not None:
                    break  # pages are counted, and some answer 404 behind the last one
                raise
            page = contract.read_listing(body, self.profile, after)
            new = {listed.job.id: listed for listed in page.jobs if listed.job.id not in found}
            found |= new
            if not new or len(found) >= most:
                break
            oldest = page.jobs[-1].created_at
            if since is not None and oldest is not None and oldest < since:
                break
            if (after := page.next_after) is not None:
                request = contract.listing(self.profile, about.mode, most, after)
            elif page.next_url is not None:
                request = Request("GET", urljoin(self._url_of(request.path, about), page.next_url))
            else:
                break
        return list(found.values())[:most]

    async def delete(self, job: RemoteJob) -> None:
        """Remove a finished video from the provider's store, where it has such a request; raises as `check` does."""
        await self._ask(Request("DELETE", path_of("delete", self.profile, job.id)), job)

    async def cancel(self, job: RemoteJob, order: Order) -> bool:
        """Ask to make a job no more. What becomes of it is said by the next query; raises as `check` does.

        Returns:
            Whether there is such a request.
        """
        request = cancellation(job, order, self.profile)
        if request is not None:
            await self._ask(request, job)
        return request is not None

    def content_link(self, job: RemoteJob, variant: str = "video") -> Link:
        """Link to the file of a finished job that the provider itself serves: `video`, `thumbnail` or `spritesheet`."""
        query = "" if variant == "video" else f"?{urlencode({'variant': variant})}"
        return Link(self._base_of(job) + path_of("content", self.profile, job.id) + query, needs_key=True)

    async def _progress(self, contract: Contract, request: Request, job: RemoteJob, word: str = "") -> Progress:
        """Ask, and read the answer. The result of a job that has ended has no status of its own: it goes by that `word`."""
        body, headers = await self._ask(request, job, result=bool(word))
        if word:
            body = contract.with_word(body, word, self.profile)
        own = self.profile.id_path if self._contract_of(job) == self.profile.contract else None
        places = (own,) if own else contract.id_places(self.profile)
        found = (json_values.identifier(value) for place in places for value in json_values.at_path(body, place))
        named = {name for name in found if name is not None}
        if self.profile.repeats_id and named and job.id not in named:
            raise UnusableAnswer(
                f"{self.profile.name} answers a query about {job.id} with another job's id. If it is the same job under "
                "a new name, its profile has to say `repeats_id: false`."
            )
        progress = self._clean(contract.read_progress(body, job, self.profile, self._base_of(job)))
        return replace(progress, poll_after_s=poll_hint(headers))

    async def _ask(
        self, request: Request, job: RemoteJob | None = None, *, result: bool = False
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        content = None if request.body is None else json.dumps(request.body).encode()
        about = job or RemoteJob("")
        headers = self._headers(None if content is None else _JSON, about.mode)
        url = self._proof.on(self._url_of(request.path, about))
        told = self.profile.answers
        holds_clip = told is not None and told.clip_base64 is not None
        most = CLIP_CAP_BYTES if holds_clip else ANSWER_CAP_BYTES
        answer = await self._http.ask(request.method, url, headers=headers, content=content, most_bytes=most)
        if answer.status == _NO_CONTENT and request.method != "GET":
            return {}, answer.headers
        shown = self._without_secrets(answer)
        body = readable(shown, self.profile, result=result)
        if shown.body != answer.body:  # links stay as they are
            body = json_values.mapping(json_values.parse(answer.body))
        return body, answer.headers

    def _contract_of(self, job: RemoteJob) -> ContractName:
        """The protocol that a job was ordered in, whatever its mode is called or speaks now."""
        ordered_in = next((name for name in CONTRACTS if name == job.contract), None)
        return ordered_in or self.profile.contract_of(job.mode)

    def _base_of(self, job: RemoteJob) -> str:
        """The base URL as the protocol of a job counts it."""
        return self._base_url.removesuffix(self.profile.dropped_by(job.mode, self._contract_of(job)))

    def _url_of(self, path: str, about: RemoteJob) -> str:
        """The address of a request. One that the provider gave is used as it is, and our key goes to no other host.

        A gateway that the operator has set may pass on an address of the vendor: then it is asked at the gateway, whose
        key the vendor has no business to see.

        Raises:
            UnknownJob: it leads to another host, so nobody can be asked about this job.
        """
        base = self._base_of(about)
        if path.startswith("/"):
            return base + path
        if same_origin(path, base):
            return path
        vendor = self.profile.base_url.removesuffix(self.profile.dropped_by(about.mode, self._contract_of(about)))
        if path.startswith(f"{vendor}/"):
            return base + path.removeprefix(vendor)
        raise UnknownJob(f"{self.profile.name} names an address on another host to ask: {without_query(path)}.")

    def _without_secrets(self, answer: Answer, callback_url: str | None = None) -> Answer:
        """The same answer, should it echo the key or the address to call: what is said about it is shown and stored."""
        body = answer.body
        for secret in self._proof.secrets():
            body = body.replace(secret.encode(), _KEY_SHOWN.encode())
        for spelling in {callback_url or "", (callback_url or "").replace("/", "\\/")} - {""}:
            body = body.replace(spelling.encode(), _CALLBACK_SHOWN.encode())
        return replace(answer, body=body)

    def _clean(self, progress: Progress) -> Progress:
        """The same for a progress, whose links stay as they are."""
        missing = progress.missing
        code, message, trace_id, said = (
            words and self._without_key(words)
            for words in (progress.code, progress.message, progress.trace_id, missing.words if missing else None)
        )
        told = missing and replace(missing, words=said or "")
        return replace(progress, code=code, message=message, trace_id=trace_id, missing=told)

    def _without_key(self, words: str) -> str:
        for secret in self._proof.secrets():
            words = words.replace(secret, _KEY_SHOWN)
        return words

    def _headers(self, content_type: str | None, mode_name: str = "") -> dict[str, str]:
        own = next((mode.headers for mode in self.profile.modes if mode.name == mode_name), {})
        extra = {name.lower(): value for name, value in (self.profile.headers | own).items()}
        headers = extra | {"accept": "application/json", **self.key_header()}
        return headers if content_type is None else headers | {"content-type": content_type}


def encoded(request: Request) -> tuple[str, bytes]:
    """The body of a submission and its content type. In a form everything is text, and what is nested is JSON text."""
    body = request.body or {}
    if request.encoding == "json":
        return _JSON, json.dumps(body, ensure_ascii=False).encode()
    uploads = {name: value for name, value in body.items() if isinstance(value, Upload)}
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in body.items()
        if name not in uploads
    }
    if request.encoding == "urlencoded":
        return URLENCODED, urlencode(texts).encode()
    return form_of(texts, {name: (file.name, file.data, file.type) for name, file in uploads.items()})


def account_of(base_url: str, key: str) -> str:
    """A short fingerprint of who pays: the first half is of the address alone, the second of address and key."""
    origin = Origin.of(base_url)
    address = f"{origin.host}:{origin.port}"
    halves = (hashlib.sha256(text.encode()).hexdigest()[:8] for text in (address, f"{address}\0{key}"))
    return "".join(halves)


def same_address(account: str, other: str) -> bool:
    """Tell whether two accounts are at one address; a key may have been changed."""
    return account[:8] == other[:8]
