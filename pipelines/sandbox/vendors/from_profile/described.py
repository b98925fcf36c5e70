"""An API that its profile describes whole, played as strictly as the profile says: paths, key, headers, body, answers.

As in server.py, this follows the client's own data: it catches no mistake in a profile.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from pipelines.providers.profile.exchange import Answers
from pipelines.providers.profile.model import Mode
from pipelines.providers.profile.order_parts import Parameter
from pipelines.providers.profile.path_template import filled, gaps
from pipelines.sandbox.callbacks.delivery import QUEUE_LADDER
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.media.links import custom_link, link_expiry
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.vendors.from_profile.answers import put, words_of
from pipelines.sandbox.vendors.from_profile.fields import plain_profile
from pipelines.sandbox.vendors.from_profile.orders import parse_profile_order, parse_profile_remix
from pipelines.sandbox.vendors.from_profile.server import CustomVideos
from pipelines.sandbox.vendors.openai.shapes import Sight
from pipelines.sandbox.vendors.refusals import RefusalError, wrong_field

#: Where a job is asked about, if answers say it and no path does.
SAID = {"status": "/requests/{+id}/status", "result": "/requests/{+id}/result"}
FILE = "file-"  # what the id of a result begins with, where a result has one of its own
MODERATED = "moderation_blocked"
PAGE = 20  # jobs of a list, where it has pages
CURSOR = "cursor"  # how one begins, and the name of the query that takes it, where addresses lead on


@dataclass(frozen=True, slots=True)
class DescribedVideos(CustomVideos):
    """The handlers of one mode; a mode may have paths of its own."""

    mode: Mode

    @property
    def told(self) -> Answers:
        """Where its answers say what."""
        return self.profile.answers or Answers()

    def rows(self) -> list[ApiRoute]:
        """What the server serves."""
        places = (*self.mode.results, *self.profile.results)
        remix = self.mode.remix.path if self.mode.remix is not None else None
        rows: list[tuple[bool, ApiRoute]] = [
            (True, ("POST", self._route("submit"), "submit", self.create)),
            (remix is not None, ("POST", route_of(remix or ""), "submit", self.create)),
            (True, ("GET", self._route("status"), "status", self.retrieve)),
            (bool(self._route("result")), ("GET", self._route("result"), "status", self.result)),
            ("content" in places, ("GET", self._route("content"), "download", self.content)),
            ("list" in self.profile.supports, ("GET", self._route("list"), "list", self.page)),
            ("delete" in self.profile.supports, ("DELETE", self._route("delete"), "delete", self.delete)),
            (
                bool(self._route("cancel")),
                (self.profile.cancel_method or "POST", self._route("cancel"), "cancel", self.cancel),
            ),
        ]
        return [row for is_served, row in rows if is_served]

    async def create(self, visit: Visit) -> VendorAnswer:
        """An order in this mode, or in another that has the same path."""
        self._check_headers(visit)
        given, form = await self._fields(visit)
        alike = [mode for mode in self.profile.modes if self._template("submit", mode) == self._template("submit")]
        source = self._source(visit, given)
        if source is not None:
            return await self._bought(visit, parse_profile_remix(self.profile, self.mode, source, given, form=form))
        modes = [read for mode in alike if (read := self._as_ordered(mode, visit)) is not None]
        if not modes:
            raise RefusalError(404, f"There is no model {visit.named.get('model')!r} here.", code="model_not_found")
        given |= self._from_path(modes[0], visit, given)
        return await self._bought(visit, parse_profile_order(self.profile, modes, given, form=form))

    async def retrieve(self, visit: Visit) -> VendorAnswer:
        """How one job stands."""
        self._check_headers(visit)
        purchase = self._own(visit, self._asked_about(visit, "status"))
        document = self._document(visit, purchase)
        if not self._route("result"):
            await self._lay_clip(document, visit, purchase)
        return VendorAnswer.of(document)

    async def result(self, visit: Visit) -> VendorAnswer:
        """What one job has come to, where that is a request of its own."""
        self._check_headers(visit)
        purchase = self._own(visit, self._asked_about(visit, "result").removeprefix(FILE))
        sight = Sight(purchase, visit.now, self._word(purchase, visit.now))
        document: dict[str, Any] = {}
        if not sight.is_finished:
            raise RefusalError(400, "It is still in progress.")
        self._lay_files(document, visit, purchase, visit.now) if sight.is_done else self._lay_error(document, sight)
        await self._lay_clip(document, visit, purchase)
        return VendorAnswer.of(document)

    async def page(self, visit: Visit) -> VendorAnswer:
        """What the account bought, newest first; page by page where the profile says how to turn one."""
        self._check_headers(visit, self.profile.headers)
        self._asked_about(visit, "list")
        for name, value in self.profile.list_parameters.items():
            if visit.query.get(name) != value:
                raise wrong_field(name, f"expected {value!r}")
        bought = self.state.bill.bought(visit.account, self.profile.name)[::-1]
        document: dict[str, Any] = {}
        if self.told.list_next is not None:
            bought, more = self._page_of(visit, bought)
            put(document, self.told.list_next, more)
        elif (turn := self.told.list_page or self.told.list_offset) is not None:
            first, said = int(self.told.first_page or 0), visit.query.get(turn, "")
            if not (said.isascii() and said.isdecimal() and int(said[:9]) >= first):
                raise wrong_field(turn, f"expected a whole number from {first} on")
            start = (int(said[:9]) - first) * (PAGE if self.told.list_page is not None else 1)
            bought = bought[start : start + PAGE]
        rows = [self._row(visit, purchase) for purchase in bought]
        put(document, (self.told.list_items or "data[]").removesuffix("[]"), [rows])
        return VendorAnswer.of(document)

    async def cancel(self, visit: Visit) -> VendorAnswer:
        """Make a job no more that is not over."""
        self._check_headers(visit)
        purchase = self._own(visit, self._asked_about(visit, "cancel"))
        if visit.now >= purchase.finished:
            raise RefusalError(409, f"{purchase.id} can no longer be cancelled.")
        return VendorAnswer.of(self._document(visit, self.state.bill.cancel(purchase.id, visit.now)))

    def _page_of(self, visit: Visit, bought: list[Purchase]) -> tuple[list[Purchase], list[str]]:
        """A page of these, from the cursor in the query on, and what leads to the next one, where there is more."""
        name = self.told.list_cursor or CURSOR
        if name in visit.query:
            places = [place for place, each in enumerate(bought) if visit.query[name] == f"{CURSOR}-{each.id}"]
            if not places:
                raise wrong_field(name, "no page has such a cursor")
            bought = bought[places[0] + 1 :]
        page = bought[:PAGE]
        if len(page) == len(bought):
            return page, []
        cursor = f"{CURSOR}-{page[-1].id}"
        if self.told.list_cursor is not None:
            return page, [cursor]
        kept = {each: said for each, said in visit.query.items() if each not in (CURSOR, self.profile.auth.query)}
        return page, [f"{visit.base}{visit.path}?{urlencode({**kept, CURSOR: cursor})}"]

    def _row(self, visit: Visit, purchase: Purchase) -> dict[str, Any]:
        row = self._document(visit, purchase)
        if self.told.list_id is not None:
            row = {}
            put(row, self.told.list_id, [purchase.id])
        if self.told.list_status is not None:
            put(row, self.told.list_status, [self._word(purchase, visit.now)])
        said = {self.told.list_created: purchase.created, self.told.list_model: purchase.model}
        said[self.told.list_prompt] = purchase.prompt
        for path, value in said.items():
            if path is not None:
                put(row, path, [value])
        return row

    async def _bought(self, visit: Visit, parsed: ParsedOrder) -> VendorAnswer:
        if self.profile.callback_query is not None:
            parsed = replace(parsed, callback_url=visit.query.get(self.profile.callback_query))
        purchase = self.state.sell(visit, parsed)
        await self.state.call_back(
            visit, purchase, QUEUE_LADDER, partial(self._document, visit, purchase, purchase.finished)
        )
        document = self._document(visit, purchase)
        for name, path in (("status", self.told.status_url), ("result", self.told.result_url)):
            if path is not None:
                prefix, model = self.prefixes[0], purchase.model
                words = {"id": purchase.id, "model": model, "app": "/".join(model.split("/")[:2])}
                put(document, path, [visit.base + prefix + filled(self._template(name), words)])
        return VendorAnswer.of(document)

    def _document(self, visit: Visit, purchase: Purchase, now: float | None = None) -> dict[str, Any]:
        now = visit.now if now is None else now
        sight = Sight(purchase, now, self._word(purchase, now))
        document: dict[str, Any] = {}
        put(document, self.profile.id_path or "id", [purchase.id])
        if self.profile.status_path is not None:
            put(document, self.profile.status_path, [sight.word])
        elif self.told.done is not None and sight.is_finished:
            put(document, self.told.done, [True])
        if sight.is_done and self.told.result_id is not None:
            put(document, self.told.result_id, [f"{FILE}{purchase.id}"])
        if sight.is_done and not self._route("result"):
            self._lay_files(document, visit, purchase, now)
        elif sight.is_finished and not sight.is_done and (not self._route("result") or self.told.result_id):
            self._lay_error(document, sight)
        if sight.is_finished:
            ended = {"completed_at": purchase.finished, "seconds": purchase.seconds, "size": purchase.size or None}
            for name, value in ended.items():
                if (path := getattr(self.told, name)) is not None and value is not None:
                    put(document, path, [value])
        if self.told.trace is not None:
            put(document, self.told.trace, [f"trace-{purchase.id}"])
        return document

    def _lay_files(self, document: dict[str, Any], visit: Visit, purchase: Purchase, now: float) -> None:
        place = (self.mode.results or self.profile.results or ("content",))[0]
        if place == "content" or self.told.clip_base64 is not None:
            return
        expires = link_expiry(purchase, max(now, visit.now), self.state.lifetime(purchase.contract))
        numbers = range(1, purchase.clips + 1) if purchase.has_file else ()
        put(document, place, [custom_link(visit.base, purchase, expires, number) for number in numbers])

    async def _lay_clip(self, document: dict[str, Any], visit: Visit, purchase: Purchase) -> None:
        """The clip itself, for those who put it into the answer."""
        is_done = Sight(purchase, visit.now, self._word(purchase, visit.now)).is_done
        if self.told.clip_base64 is not None and is_done and purchase.has_file:
            data = await self.state.render_cache.file(purchase)
            put(document, self.told.clip_base64, [base64.b64encode(data).decode()])

    def _asked_about(self, visit: Visit, what: str) -> str:
        """The id in a request about a job: in its path, or in its query, which must be as the profile has it."""
        found = dict(visit.named)
        for pair in filter(None, self._template(what).partition("?")[2].split("&")):
            name, _, value = pair.partition("=")
            if gap := re.fullmatch(r"\{\+?(\w+)\}", value):
                found[gap[1]] = visit.query.get(name, "")
            elif visit.query.get(name) != value:
                raise wrong_field(name, f"expected {value!r}")
        return found.get("result_id") or found.get("id", "")

    def _lay_error(self, document: dict[str, Any], sight: Sight) -> None:
        error = sight.error or {}
        message, told = error.get("message", ""), self.told
        if error.get("code") == MODERATED:
            message = f"{message} {' '.join(told.moderation_words)}".strip()
            if told.moderated is not None:
                put(document, told.moderated, [1])
        for places, value in ((told.error_code, error.get("code")), (told.error_message, message)):
            if places:
                put(document, places[0], [value])
        for path in told.failed or ("error",):
            if not told.error_message:
                put(document, f"{path}.message", [message])
                put(document, f"{path}.code", [error.get("code")])
            elif path.split(".")[0] not in document:
                put(document, path, [{"code": error.get("code"), "message": message}])

    def _word(self, purchase: Purchase, now: float) -> str:
        """Where the profile has no word for a failure, it is called a success too, and only its result says otherwise."""
        own = {phase: word for word, phase in reversed(self.profile.words.items())}
        good = own.get("succeeded", "done")
        usual = {"running": ["running"], "succeeded": [good], "failed": [good]}
        return words_of(self.profile, usual)[stage_of(purchase, now)]

    def _check_headers(self, visit: Visit, wanted: Mapping[str, str] | None = None) -> None:
        """The headers that the profile says must be there."""
        for name, value in (self.profile.headers | self.mode.headers if wanted is None else wanted).items():
            if visit.header(name.lower().encode()) != value:
                raise RefusalError(400, f"The header {name} must be {value!r}.", field=name)

    def _source(self, visit: Visit, given: dict[str, Any]) -> Purchase | None:
        rule = self.mode.remix
        if rule is None:
            return None
        identifier = given.get(rule.field) if rule.field is not None else visit.named.get("id")
        return None if identifier is None else self._own(visit, identifier)

    def _as_ordered(self, mode: Mode, visit: Visit) -> Mode | None:
        """The mode as far as it has the model in the path; None where it has not."""
        model = visit.named.get("model")
        if model is None:
            return mode
        known = model in mode.models or self.profile.open_models
        return mode.model_copy(update={"models": (model,), "default_model": model}) if known else None

    def _from_path(self, mode: Mode, visit: Visit, given: dict[str, Any]) -> dict[str, Any]:
        """The parameters that stand in the path, under the names that they have in a body; there they have no place."""
        found: dict[str, Any] = {}
        for name in set(gaps(self._template("submit"))) & set(mode.parameters):
            rule = mode.parameters[name]
            field = rule.field or name
            if field in given:
                raise wrong_field(field, "it stands in the path")
            found[field] = _typed(rule, visit.named[name])
        return found

    def _template(self, what: str, mode: Mode | None = None) -> str:
        own = (mode or self.mode).paths
        paths = {str(name): path for name, path in (self.profile.paths | own).items()}
        if what == "result" and self.told.result_url is None:
            return paths.get(what, "")
        return paths.get(what) or SAID.get(what, "")

    def _route(self, what: str) -> str:
        return route_of(self._template(what).partition("?")[0])


def route_of(template: str) -> str:
    """A path with gaps as the server's routes have it: what keeps its slashes takes them too."""
    for name in gaps(template):
        template = template.replace(f"{{+{name}}}", f"{{{name}:path}}")
    return template.replace("{model}", "{model:path}").replace("{app}", "{app:path}")


def _typed(rule: Parameter, text: str) -> Any:
    try:
        return {"integer": int, "number": float}.get(rule.type, str)(text)
    except ValueError:
        raise wrong_field(rule.field or "", f"expected {rule.type}") from None


def served_descriptions(state: SandboxState) -> Iterator[tuple[str, str, bool, ApiRoute]]:
    """What profiles that describe their own contract serve: each route once, the plainest paths first."""
    for profile in (plain_profile(each) for each in state.profiles if each.contract == "described"):
        rows: dict[tuple[str, str], ApiRoute] = {}
        for mode in profile.modes:
            rows |= {row[:2]: row for row in DescribedVideos(state, profile, mode).rows() if row[:2] not in rows}
        for row in sorted(rows.values(), key=lambda row: (":path" in row[1], row[1].count("{"))):
            yield CustomVideos(state, profile).prefixes[0], profile.name, profile.needs_key, row
