"""A server that only its operator knows, played exactly as a profile describes it: for rehearsals against it.

This is the one part that follows the client's own data. It catches no mistake in a profile, but every mistake in what is
made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.providers.profile.field_path import flattened
from pipelines.providers.profile.model import Mode, Profile
from pipelines.sandbox.callbacks.delivery import QUEUE_LADDER
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import custom_link, link_expiry
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.requests.forms import any_fields, is_multipart, urlencoded_fields
from pipelines.sandbox.vendors.from_profile.answers import Words, put, words_of
from pipelines.sandbox.vendors.from_profile.fields import body_paths, form_fields, plain_profile
from pipelines.sandbox.vendors.from_profile.orders import parse_profile_order, parse_profile_remix
from pipelines.sandbox.vendors.openai.dialects import ContentRules, Encoding
from pipelines.sandbox.vendors.openai.orders import check_encoding
from pipelines.sandbox.vendors.openai.pages import full_page
from pipelines.sandbox.vendors.openai.shapes import Sight, openai_video
from pipelines.sandbox.vendors.openai.videos import content_of, misreported
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

PATHS = {"submit": "/videos", "status": "/videos/{id}", "content": "/videos/{id}/content"}
PATHS |= {"list": "/videos", "delete": "/videos/{id}"}
REMIX = "/videos/{id}/remix"
ENCODINGS: dict[str, Encoding] = {"json": "json", "multipart": "multipart", "auto": "upload"}
WORDS: Words = {"running": ["queued", "in_progress"], "succeeded": ["completed"], "failed": ["failed"]}


@dataclass(frozen=True, slots=True)
class CustomVideos:
    """The handlers of one profile."""

    state: SandboxState
    profile: Profile

    @property
    def modes(self) -> list[Mode]:
        """The modes that speak this contract; a profile may have others."""
        return [mode for mode in self.profile.modes if self.profile.contract_of(mode.name) == "openai"]

    @property
    def prefixes(self) -> list[str]:
        """Where its base URL leads; some modes go without the end of it."""
        base = f"/{self.profile.name}/v1"
        speakers = self.modes or self.profile.modes
        return list(dict.fromkeys(base.removesuffix(mode.base_url_drops) for mode in speakers))

    def rows(self) -> list[ApiRoute]:
        """What the server serves."""
        supports, usual = self.profile.supports, self.profile.results or ("content",)
        has_files = any("content" in (mode.results or usual) for mode in self.modes)
        remixes = [mode.remix for mode in self.modes if mode.remix is not None]
        again = {remix.path or REMIX for remix in remixes if remix.path or not remix.field}
        rows: list[tuple[bool, ApiRoute]] = [
            (True, ("GET", self._path("status"), "status", self.retrieve)),
            (True, ("POST", self._path("submit"), "submit", self.create)),
            (has_files, ("GET", self._path("content"), "download", self.content)),
            ("list" in supports, ("GET", self._path("list"), "list", self.page)),
            ("delete" in supports, ("DELETE", self._path("delete"), "delete", self.delete)),
            *((True, ("POST", path, "submit", self.remix)) for path in again - {self._path("submit")}),
        ]
        served = [row for is_served, row in rows if is_served]
        return sorted(served, key=lambda row: row[1].count("{"))  # `/videos/all` is no id

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order, or a remix whose source stands in a field."""
        fields, form = await self._fields(visit)
        for mode in self.modes:
            if mode.remix is not None and mode.remix.path is None and (mode.remix.field or "") in fields:
                return await self.remix(visit)
        return await self._sold(visit, parse_profile_order(self.profile, self.modes, fields, form=form))

    async def remix(self, visit: Visit) -> VendorAnswer:
        """A clip after another one."""
        fields, form = await self._fields(visit)
        modes = [mode for mode in self.modes if mode.remix is not None]
        names = [mode.remix.field for mode in modes if mode.remix is not None and mode.remix.field is not None]
        identifier = visit.named.get("id") or next((fields[name] for name in names if name in fields), None)
        source = self._own(visit, identifier)
        if stage_of(source, visit.now) is not Stage.COMPLETED:
            raise RefusalError(400, f"Video {source.id} is not completed.", field="video_id")
        mode = next((mode for mode in modes if mode.name == source.service), modes[0])
        return await self._sold(visit, parse_profile_remix(self.profile, mode, source, fields, form=form))

    async def retrieve(self, visit: Visit) -> VendorAnswer:
        """One job."""
        return VendorAnswer.of(self._document(visit, self._own(visit, visit.named["id"])))

    async def content(self, visit: Visit) -> VendorAnswer:
        """The file of a job."""
        purchase = self._own(visit, visit.named["id"])
        rules = ContentRules((404, "Video {id} has no content."), variants="variants" in self.profile.supports)
        return await content_of(self.state, visit, purchase, rules, self._word(purchase, visit.now))

    async def page(self, visit: Visit) -> VendorAnswer:
        """What the account bought, newest first, to those who say what the profile says must be said."""
        for name, value in self.profile.list_parameters.items():
            if visit.query.get(name) != value:
                raise wrong_field(name, f"expected {value!r}")
        bought = self.state.bill.bought(visit.account, self.profile.name)
        return VendorAnswer.of(full_page(bought, visit.query, partial(self._document, visit)))

    async def delete(self, visit: Visit) -> VendorAnswer:
        """Take a finished job away; the bill keeps its line."""
        purchase = self._own(visit, visit.named["id"])
        if visit.now < purchase.finished:
            raise RefusalError(400, f"Video {purchase.id} is still being generated.")
        self.state.bill.delete(purchase.id, visit.now)
        return VendorAnswer.of({"id": purchase.id, "object": "video.deleted", "deleted": True})

    def _path(self, what: str) -> str:
        paths = PATHS | {str(name): path for name, path in self.profile.paths.items()}
        return paths[what].replace("{service}", self.profile.service)

    async def _fields(self, visit: Visit) -> tuple[dict[str, Any], bool]:
        """The fields of a body by their paths, and whether they came as a form."""
        paths = body_paths(self.profile, self.profile.modes)
        if self.profile.encoding == "urlencoded":
            return form_fields(urlencoded_fields(visit), paths), True
        fields, form = await any_fields(visit), is_multipart(visit)
        check_encoding(ENCODINGS[self.profile.encoding], fields, form=form)
        return form_fields(fields, paths) if form else flattened(fields, paths), form

    def _own(self, visit: Visit, identifier: Any) -> Purchase:
        purchase = self.state.bill.find(str(identifier), self.profile.name, visit.account, None)
        if purchase is None:
            raise RefusalError(404, f"Video with id '{identifier}' not found.", field="video_id")
        return purchase

    async def _sold(self, visit: Visit, parsed: ParsedOrder) -> VendorAnswer:
        purchase = self.state.sell(visit, parsed)
        document = partial(self._document, visit, purchase, purchase.finished)
        await self.state.call_back(visit, purchase, QUEUE_LADDER, document)
        return VendorAnswer.of(self._document(visit, purchase))

    def _word(self, purchase: Purchase, now: float) -> str:
        return words_of(self.profile, WORDS)[stage_of(purchase, now)]

    def _document(self, visit: Visit, purchase: Purchase, now: float | None = None) -> dict[str, Any]:
        now = visit.now if now is None else now
        sight = Sight(purchase, now, self._word(purchase, now))
        names = ("object", "model", "created_at", "seconds", "progress", "status")
        document = {name: value for name, value in openai_video(sight).items() if name in names}
        document["size"] = purchase.size or None
        if not sight.is_finished:
            document = misreported(document, visit.effect)
        word = document.pop("status")
        put(document, self.profile.id_path or "id", [purchase.id])
        put(document, self.profile.status_path or "status", [word])
        if sight.error is not None:
            document["error"] = sight.error
        own = next((mode.results for mode in self.modes if mode.name == purchase.service), ())
        place = (own or self.profile.results or ("content",))[0]
        if sight.is_done and place != "content":
            expires = link_expiry(purchase, max(now, visit.now), self.state.lifetime(purchase.contract))
            numbers = range(1, purchase.clips + 1) if purchase.has_file else ()
            put(document, place, [custom_link(visit.base, purchase, expires, number) for number in numbers])
        return document


def served_profiles(state: SandboxState) -> Iterator[tuple[str, str, bool, ApiRoute]]:
    """What the operator's own profiles serve: prefix, contract, whether a key is needed, and the row."""
    for profile in (
        each for each in state.profiles if each.contract != "described"
    ):  # those are played in described.py
        videos = CustomVideos(state, plain_profile(profile))
        for prefix in videos.prefixes:
            for row in videos.rows():
                yield prefix, profile.name, profile.needs_key, row
