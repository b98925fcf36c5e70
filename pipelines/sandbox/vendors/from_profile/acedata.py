"""An Ace service that only its operator knows, played as a profile describes it: orders, task queries, results.

As in server.py, this follows the client's own data: it catches no mistake in a profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipelines.providers.profile.field_path import flattened
from pipelines.providers.profile.model import Mode, Profile
from pipelines.sandbox.faults.scripts import Effect
from pipelines.sandbox.http.wire import ApiRoute, VendorAnswer, Visit
from pipelines.sandbox.orders.bill import ParsedOrder, Purchase
from pipelines.sandbox.orders.life import Stage, stage_of
from pipelines.sandbox.orders.state import SandboxState
from pipelines.sandbox.requests.forms import json_fields
from pipelines.sandbox.vendors.acedata.orders import Service
from pipelines.sandbox.vendors.acedata.services import SERVICES
from pipelines.sandbox.vendors.acedata.shapes import AceShape, Shown
from pipelines.sandbox.vendors.acedata.videos import AceEndpoints
from pipelines.sandbox.vendors.from_profile.answers import Words, put, words_of
from pipelines.sandbox.vendors.from_profile.fields import body_paths, plain_profile
from pipelines.sandbox.vendors.from_profile.orders import parse_profile_order, parse_profile_remix
from pipelines.sandbox.vendors.refusals import wrong_field

PATHS = {"submit": "/{service}/videos", "status": "/{service}/tasks"}
RESULT = "data[].video_url"
WORDS: Words = {"running": ["pending", "running"], "succeeded": ["succeeded"], "failed": ["failed"]}


@dataclass(frozen=True)
class CustomAce(AceEndpoints):
    """The handlers of one profile."""

    profile: Profile
    modes: tuple[Mode, ...]  # those that speak this contract; a profile may have others

    def rows(self) -> list[ApiRoute]:
        """What the service serves, at its own paths if it has any; a path is served once."""
        paths = PATHS | {str(name): path for name, path in self.profile.paths.items()}
        submit, status = (paths[what].replace("{service}", self.profile.service) for what in ("submit", "status"))
        again = {mode.remix.path for mode in self.modes if mode.remix is not None and mode.remix.path is not None}
        orders: list[ApiRoute] = [("POST", path, "submit", self.videos) for path in sorted({submit, *again})]
        return [("POST", status, "status", self.tasks), *orders]

    async def tasks(self, visit: Visit) -> VendorAnswer:
        """One task, or at most as many as the profile asks about at once."""
        ids, most = json_fields(visit).get("ids"), self.profile.limits.batch_query
        if isinstance(ids, list) and len(ids) > most:
            raise wrong_field("ids", f"at most {most} at once")
        return await super().tasks(visit)

    def _parsed(self, visit: Visit, fields: dict[str, Any]) -> ParsedOrder:
        fields = flattened(fields, body_paths(self.profile, self.modes))
        parsed = None
        for mode in (mode for mode in self.modes if mode.remix is not None and parsed is None):
            name = (mode.remix and mode.remix.field) or "id"
            identifier = visit.named.get("id", fields.get(name) if name != "id" else None)
            if identifier is not None:
                source = self._earlier_clip(visit, name, str(identifier))
                parsed = parse_profile_remix(self.profile, mode, source, fields, form=False)
        parsed = parsed or parse_profile_order(self.profile, self.modes, fields, form=False)
        return replace(parsed, contract="acedata", service=self.service.name, echoed=True)

    def _accepted(self, purchase: Purchase) -> dict[str, Any]:
        if self.profile.id_path is None:
            return super()._accepted(purchase)
        accepted: dict[str, Any] = {"success": True}
        put(accepted, self.profile.id_path, [purchase.id])
        return accepted

    def _shape(self, purchase: Purchase) -> AceShape:
        """Where a mode names its files in a place of its own, the order tells which mode it was."""
        own = [mode for mode in self.modes if mode.results and purchase.model in mode.models]
        return profile_shape(self.profile, own[0].results[0] if own else next(iter(self.profile.results), RESULT))

    def _unfinished(self, shown: Shown, effect: Effect, now: float) -> dict[str, Any] | None:
        """A profile with words for it has a service that says them; otherwise it is silent, as Ace is."""
        stage = stage_of(shown.purchase, now)
        says_more = "running" in self.profile.words.values() and stage is not Stage.INITIALIZING
        if not says_more or effect.hiccup is not None or effect.word is not None:
            return super()._unfinished(shown, effect, now)
        word = words_of(self.profile, WORDS)[stage]
        return {"success": True, "task_id": shown.purchase.id} | self._shape(shown.purchase).document(shown, word)


def served_services(state: SandboxState) -> Iterator[tuple[str, str, bool, ApiRoute]]:
    """What the operator's own services serve: prefix, contract, whether a key is needed, and the row."""
    for profile in map(plain_profile, state.profiles):
        modes = tuple(mode for mode in profile.modes if profile.contract_of(mode.name) == "acedata")
        if not modes:
            continue
        is_ace = profile.name.startswith("acedata")  # whose base URL is shared: there it takes a known service's place
        places = [f"/{profile.name}/v1", *(["/acedata"] if is_ace or profile.service not in SERVICES else [])]
        for row in CustomAce(state, service_of(profile, modes), profile, modes).rows():
            yield from ((place, "acedata", profile.needs_key, row) for place in places)


def service_of(profile: Profile, modes: tuple[Mode, ...]) -> Service:
    """What the profile says of a service as a whole. One that is never told to answer at once does so anyway."""
    fixed = {name for fields in (profile.fixed, *(mode.fixed for mode in modes)) for name in fields}
    shape = profile_shape(profile, RESULT)
    return Service(name=profile.service, fields={}, spec=shape, source_by="either", at_once="async" not in fixed)


def profile_shape(profile: Profile, place: str) -> AceShape:
    """A result whose files stand in a place, in the words of the profile."""
    words = words_of(profile, WORDS)
    head, mark, _ = place.rpartition("[].")
    word_place = profile.status_path or f"{head}{mark}state"  # otherwise in the item that names the clip

    def links(shown: Shown) -> dict[str, Any]:
        endings = [".mp4", *(f"/{number}.mp4" for number in range(2, shown.purchase.clips + 1))]
        return {"links": [link for ending in endings for link in shown.link("link", ending).values()]}

    def laid_out(item: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        put(document, place, item["links"])
        put(document, word_place, [item["word"]] * max(1, len(item["links"])))
        return document

    done, failed = words[Stage.COMPLETED], words[Stage.FAILED]
    return AceShape(laid_out, links, key="word", done=done, failed=failed, fails_in_words=True)
