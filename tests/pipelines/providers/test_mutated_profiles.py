"""No field does nothing: whoever changes one key of a profile gets an error, another request, or another reading."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.actions.check_profile import requests_of, sample_order, sample_value
from pipelines.actions.sample_answers import STAGES, Sample, read_sample
from pipelines.core.image import LocalImage
from pipelines.core.job import RemoteJob
from pipelines.core.text.strict_yaml import parse_yaml
from pipelines.providers.client import CONTRACTS, encoded
from pipelines.providers.contracts.described import cancellation
from pipelines.providers.contracts.openai_videos import path_of
from pipelines.providers.profile.checks.agreement import checked_profile
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.path_template import PathRefused
from pipelines.providers.protocol import Supplies
from pipelines.sandbox.vendors.from_profile.answers import put
from tests.pipelines.sandbox.vendors.from_profile.test_described import FORMED, ODD, ODDER

EXAMPLES = max(70, int(os.environ.get("REELBATCH_FUZZ", "0")) // 10)
SHIPPED = Path(__file__).parents[3] / "pipelines" / "providers" / "profiles"
SHOWN = [SHIPPED / f"{name}.yaml" for name, each in shipped_profiles().items() if each.contract == "described"]
DOCUMENTS = [ODD, ODDER, FORMED, *(parse_yaml(path.read_text("utf-8")).value for path in SHOWN)]
#: What is read before an order is made, or beside it: by the planner, the pace, the price, the card, and who looks for a key.
ELSEWHERE = {
    "assumed", "bills_failures", "currency", "default_model", "doubtful", "failure_bills", "from_documents", "ignored_beyond", "key_env", "least",
    "limits", "link_lifetime_hours", "most", "must_match_size", "name", "needs", "notes", "only", "prices", "prompt_most",
    "not_offered", "prompt_counted_in", "prompt_optional", "required", "sound", "timing", "title", "wants_https",
}  # fmt: skip
PICTURE = LocalImage("fox.png", "image/png", b"\x89PNG", 640, 360)
LINK = "https://files.example/clip.mp4"


def leaves(value, way=()):
    """Every place in a document that holds no further places, but for what is read elsewhere."""
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in ELSEWHERE:
                yield from leaves(inner, (*way, key))
    else:
        yield way


def spoilt(document, chance):
    """The document with one key changed, gone, or new; and which."""
    changed = copy.deepcopy(document)
    way = chance.choice(list(leaves(document)))
    place = changed
    for step in way[:-1]:
        place = place[step]
    key, old = way[-1], place[way[-1]]
    kind = chance.choice(["changed", "gone", "renamed", "new"])
    if kind == "gone":
        del place[key]
    elif kind == "new" and isinstance(place, dict):
        place[chance.choice(["feild", "path", "retries", "x"])] = "y"
    elif kind == "renamed" and isinstance(place, dict):
        place[f"{key}_x"] = place.pop(key)
    else:
        place[key] = {str: f"{old}x", int: 7, float: 0.7, bool: not old}.get(type(old), "x")
    return changed, (kind, way)


def answers_of(profile):
    """Answers in which each place that a profile names says something, one kind of answer after the other."""
    told = profile.answers

    def answer(*said):
        document = {}
        for path, value in ((profile.id_path, "job-1"), *said):
            if path is not None:
                put(document, path, [value])
        return document

    places = (*profile.results, *(place for mode in profile.modes for place in mode.results))
    good = next((word for word, phase in profile.words.items() if phase == "succeeded"), None)
    bad = next((word for word, phase in profile.words.items() if phase == "failed"), good)
    ended = ((profile.status_path, good), (told.done, True))
    facts = ((told.trace, "t-1"), (told.seconds, 3), (told.size, "2x2"), (told.completed_at, 1_700_000_000))
    failure = ((profile.status_path, bad), (told.done, True))
    yield answer((told.status_url, f"{profile.base_url}/s"), (told.result_url, f"{profile.base_url}/r"))
    for word in profile.words:
        yield answer((profile.status_path, word))
    for place in places:
        yield answer(*ended, *facts, (place, LINK))
        yield answer((place, LINK))
    yield answer(*ended, (told.result_url, f"{profile.base_url}/r"))
    yield answer(*ended, (told.moderated, 1))
    for path in told.failed:
        yield answer(*ended, (path, {"code": "c"}))
        yield answer((path, {"code": "c"}))
    for code in told.error_code:
        yield answer(*failure, (code, "broken"))
    for message in told.error_message:
        yield answer(*failure, (message, "It broke."))
    yield answer(*ended, (told.result_id, "file-1"))
    yield answer(*ended, (told.clip_base64, "AAAA"))
    for word in told.moderation_words:
        said = next(iter(told.error_message), "error")
        yield answer(*failure, *((path, {"code": word}) for path in told.failed), (said, word))
    for words in profile.refusals:
        yield {"error": {"message": words}}
    for code in profile.errors:
        yield {"error": {"code": code, "message": "no"}}
        yield {"code": code, "message": "no"}
        for place in told.error_code:
            refused = {}
            put(refused, place, [code])
            yield refused


@cache
def the_answers(index):
    """Those of the profile as it was before anything was spoilt, so that a place that has moved is missed."""
    return [json.dumps(each).encode() for each in answers_of(checked_profile(DOCUMENTS[index]))]


@cache
def the_list(index):
    """A list with one job in it, as the profile had it before anything was spoilt."""
    profile = checked_profile(DOCUMENTS[index])
    told, row, document = profile.answers, {}, {}
    said = {told.list_id or profile.id_path: "j", told.list_status or profile.status_path: "w"}
    said |= {told.list_created: 1_700_000_000, told.list_prompt: "p", told.list_model: "m"}
    if told.list_next is not None:
        put(document, told.list_next, [LINK])
    for path, value in said.items():
        if path is not None:
            put(row, path, [value])
    put(document, told.list_items or "data[]", [row])
    return document


def orders(profile, mode):
    """An order of each thing that a mode offers, beside the usual ones."""
    usual, full = sample_order(profile, mode), sample_order(profile, mode, full=True)
    yield from (usual, full)
    changes = [{"model": model} for model in mode.models]
    changes += [{"seconds": length} for length in mode.seconds.allowed] if mode.seconds else []
    changes += [{"size": size} for size in mode.size.allowed] if mode.size else []
    changes += [{"orientation": shape} for shape in mode.orientation.values] if mode.orientation else []
    for name, rule in mode.parameters.items():
        changes += [{"extra": {rule.field or name: value}} for value in rule.allowed]
        changes += [{"extra": {(rule.field or name, name, *rule.models): 1}}] if rule.models else []
    for change in changes:
        yield full.model_copy(update=change) if "extra" not in change else change


def usual_order(profile, mode):
    """The plainest order of a mode, without the models that cannot stand in a path."""
    return next(iter(orders(profile, mode)))


def effect(profile, index):
    """All that is sent and all that is read."""
    sent = []
    for mode in profile.modes:
        for order in orders(profile, mode):
            if isinstance(order, dict):
                sent.append(order)
                continue
            for images in (order.image_urls, (PICTURE,) * len(order.image_urls)):
                try:
                    request = CONTRACTS["described"].submission(order, profile, Supplies(images, "parent", LINK))
                    sent.append((request.path, encoded(replace(request, encoding="json"))))
                except (PathRefused, TypeError, IndexError) as error:
                    sent.append(repr(error))
        sent += asyncio.run(requests_of(profile, sample_order(profile, mode)))
        sent += [mode.images.forms, *map(sample_value, mode.parameters.values())]
        sent.append(CONTRACTS["described"].job_named("job-1", usual_order(profile, mode), profile))
        sent.append(cancellation(RemoteJob("job-1", mode.name), usual_order(profile, mode), profile))
        sent.append(profile.billed_for(None, is_cancelled=True))
    read = [
        (found.progress, *((found.at(stage).says, found.at(stage).why) for stage in STAGES))
        for mode in profile.modes
        for body in the_answers(index)
        for status in (200, 400)
        for found in [read_sample(profile, mode, Sample(body, status))]
    ]
    listed = []
    if "list" in profile.supports:
        described = CONTRACTS["described"]
        listed = [described.read_listing(the_list(index), profile)]
        listed += [described.listing(profile, mode.name, 20, "cursor-1") for mode in profile.modes]
    deleted = path_of("delete", profile, "job-1") if "delete" in profile.supports else ""
    return repr((sent, read, listed, deleted))


@pytest.mark.long
def test_no_field_does_nothing():
    """Of so many single changes, none is without an effect."""
    chance = random.Random(11)
    before = [effect(checked_profile(document), index) for index, document in enumerate(DOCUMENTS)]
    without = []
    for _ in range(EXAMPLES):
        index = chance.randrange(len(DOCUMENTS))
        changed, what = spoilt(DOCUMENTS[index], chance)
        try:
            profile = checked_profile(changed)
        except ValidationError:
            continue
        if effect(profile, index) == before[index]:
            without.append((DOCUMENTS[index]["name"], what))
    assert sorted(set(map(str, without))) == []
