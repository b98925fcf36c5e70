"""The last stretch over a real provider: what a refused link means for a clip that is paid for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from pipelines.actions.collect import collect_folder
from pipelines.core.outcome import Parked
from pipelines.core.status import Billed, JobStatus
from pipelines.ledger.storage.place import LEDGER_NAME
from pipelines.providers.profile.load import profile_named
from pipelines.providers.protocol import Link, Phase, Progress
from pipelines.run.exit_code import SOME_FAILED, UNFINISHED
from pipelines.run.job.collect import first_expiry, has_ended, is_over
from pipelines.run.run import Run

REFUSED = {"match": {"route": "download"}, "do": {"file": "expired"}}


@pytest.fixture
def brief(studio, monkeypatch):
    """A provider whose documents say that links end before they are given, and whose answers say nothing of it; one try each."""
    monkeypatch.setattr("pipelines.run.job.collect._TRIES", 1)
    monkeypatch.setenv("VLLM_OMNI_BASE_URL", f"{studio.sandbox.url}/vllm-omni/v1")
    profile = studio.profiles["vllm-omni"]
    studio.profiles["vllm-omni"] = profile.model_copy(
        update={"timing": profile.timing.model_copy(update={"link_lifetime_hours": -1.0})}
    )
    studio.sandbox.faults(REFUSED)
    made = studio.choice("openai", "a")
    mode = {"provider": "vllm-omni", "model": profile.default_model, "mode": profile.modes[0].name}
    order = made.order.model_copy(update=mode)
    return studio.job("a", provider="openai").model_copy(update={"order": order})


async def test_at_another_address_the_vendors_documents_end_no_link(studio, brief):
    """What the operator's own server refuses now is asked for again by the next run: nobody said that it is gone."""
    ended = await studio.make(brief)
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.PARKED})
    studio.sandbox.faults()
    assert (await studio.make(brief)).statuses == {"a": JobStatus.DONE}
    assert len(studio.attempts()) == 1


async def test_a_clip_whose_link_has_ended_is_said_to_be_lost(studio, brief):
    """At the vendor's own address its documents count: paid, gone, and said aloud."""
    async with studio.opened(brief) as run:
        run.sessions["vllm-omni"].vendor_links = True
        await studio.work(run)
    ended = studio.ending(run)
    assert (ended.code, ended.statuses) == (SOME_FAILED, {"a": JobStatus.EXPIRED})
    assert ended.heard("PAID AND EXPIRED at vllm-omni")
    assert studio.records()["a"].billed is Billed.YES


async def test_a_link_that_has_not_ended_by_its_own_word_is_only_parked(studio, monkeypatch):
    """A refusal before the hour that the link itself names is somebody's mistake, and no end."""
    monkeypatch.setattr("pipelines.run.job.collect._TRIES", 1)
    studio.sandbox.faults(REFUSED)
    ended = await studio.make(studio.job("a"))
    assert (ended.code, ended.statuses) == (UNFINISHED, {"a": JobStatus.PARKED})
    studio.sandbox.faults()
    assert (await studio.make(studio.job("a"))).statuses == {"a": JobStatus.DONE}


async def test_what_a_slow_download_comes_to_is_the_last_word(studio, monkeypatch):
    """That it is ready is noted while it is fetched, never after what became of it."""
    monkeypatch.setattr("pipelines.run.job.collect._TRIES", 1)
    monkeypatch.setattr("pipelines.run.job.collect._NOTE_AFTER_S", 0.3)
    monkeypatch.setattr("pipelines.run.job.collect.delay", lambda *_, **__: 0.0)
    studio.sandbox.faults(REFUSED)
    async with studio.opened(studio.job("a")) as run:
        record = run.record

        async def record_slowly(job, outcome, *more, **about):
            change = await record(job, outcome, *more, **about)
            if isinstance(outcome, Parked):
                await asyncio.sleep(0.5)
            return change

        monkeypatch.setattr(Run, "record", lambda _, *given, **about: record_slowly(*given, **about))
        await studio.work(run)
    assert studio.ending(run).statuses == {"a": JobStatus.PARKED}


async def test_a_paid_clip_lost_by_a_clock_that_is_ahead(studio, brief, monkeypatch):
    """Our clock eight days ahead, and one passing 403: the server's clock does not agree, so nothing is given up."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=8)

    hours = 24.0
    profile = studio.profiles["vllm-omni"]
    timing = profile.timing.model_copy(update={"link_lifetime_hours": hours})
    studio.profiles["vllm-omni"] = profile.model_copy(update={"timing": timing})
    monkeypatch.setattr("pipelines.run.job.collect.datetime", Ahead)
    async with studio.opened(brief) as run:
        run.sessions["vllm-omni"].vendor_links = True
        await studio.work(run)
    assert studio.ending(run).statuses == {"a": JobStatus.PARKED}
    studio.sandbox.faults()
    assert (await studio.make(brief)).statuses == {"a": JobStatus.DONE}
    assert len(studio.attempts()) == 1


async def test_a_paid_clip_lost_is_asked_about_again(studio, brief):
    """What an older version gave up by our clock alone the next run asks about; what is sure, `collect`."""
    async with studio.opened(brief) as run:
        run.sessions["vllm-omni"].vendor_links = True
        await studio.work(run)
    assert studio.ending(run).statuses == {"a": JobStatus.EXPIRED}
    studio.sandbox.faults()
    assert (await studio.make(brief)).statuses == {"a": JobStatus.EXPIRED}  # by two clocks
    with closing(sqlite3.connect(studio.folder / "out" / LEDGER_NAME)) as ledger, ledger:
        ledger.execute("UPDATE job SET error_code = 'expired'")
    assert (await studio.make(brief)).statuses == {"a": JobStatus.DONE}
    assert (studio.attempts(), studio.overview().money[0].spent) == (["accepted"], Decimal("0.50"))


async def test_a_paid_clip_lost_for_good_is_asked_about_by_collect(studio, brief):
    """Whoever asks for what is paid for hears what the provider says today, also of what had ended by two clocks."""
    async with studio.opened(brief) as run:
        run.sessions["vllm-omni"].vendor_links = True
        await studio.work(run)
    assert studio.ending(run).statuses == {"a": JobStatus.EXPIRED}
    studio.sandbox.faults()
    assert (await collect_folder(studio.folder / "out")).recovered == ("a",)
    assert studio.attempts() == ["accepted"]


async def test_a_paid_clip_lost_to_an_announcement_ends_no_run(studio, monkeypatch):
    """A clip that is too large for the disk is parked with its reason; the others come home, and so does it, later."""
    with monkeypatch.context() as patch:
        real, asked = os.fstatvfs, []

        def small_once(handle):
            asked.append(handle)
            full = [*real(handle)[:3], 0, 0, *real(handle)[5:]]
            return os.statvfs_result(full) if len(asked) == 1 else real(handle)

        patch.setattr(os, "fstatvfs", small_once)
        patch.setattr("pipelines.outputs.download.part._USUAL_BYTES", 100)
        ended = await studio.make(studio.job("a"), studio.job("b"), in_flight=1)
    assert (ended.code, sorted(ended.statuses.values())) == (UNFINISHED, [JobStatus.DONE, JobStatus.PARKED])
    assert {record.error_code for record in studio.records().values()} == {None, "no_room"}
    assert set((await studio.make(studio.job("a"), studio.job("b"))).statuses.values()) == {JobStatus.DONE}


NOW = datetime.now(UTC)
PAST, SOON, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1), NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("fresh", "over"),
    [
        (None, False),
        (Link("https://cdn/a", expires_at=PAST), True),
        (Link("https://cdn/a", expires_at=SOON), False),
        (Link("https://cdn/a"), False),
        (Link("https://cdn/b", expires_at=PAST), False),
    ],
    ids=["no answer", "the same, ended", "the same, not ended", "the same, no word", "another"],
)
def test_a_link_is_over_only_when_the_provider_says_so_again(fresh, over):
    """The same link, asked for anew, whose own hour has passed; everything else is tried again."""
    assert is_over(fresh, Link("https://cdn/a", expires_at=PAST), NOW) is over


@pytest.mark.parametrize(
    ("expires_at", "said_at", "ended"),
    [
        (PAST, NOW, True),
        (PAST, None, False),
        (PAST, PAST - timedelta(days=8), False),
        (None, NOW, False),
        (LATER, LATER, False),
    ],
)
def test_a_paid_clip_lost_only_by_two_clocks(expires_at, said_at, ended):
    """Ours and the server's; one that does not say what time it is leaves ours alone."""
    assert has_ended(expires_at, said_at) is ended


@pytest.mark.parametrize(
    ("ends", "vendor_links", "expected"),
    [
        ((SOON, LATER), True, SOON),
        ((LATER, None), True, LATER),
        ((None,), True, NOW + timedelta(hours=144)),
        ((None,), False, None),
        ((SOON,), False, SOON),
    ],
)
def test_a_job_is_as_urgent_as_its_first_link(studio, ends, vendor_links, expected):
    """The earliest end counts; without any, what the vendor says of its own service."""
    session = SimpleNamespace(provider=SimpleNamespace(profile=profile_named("acedata")), vendor_links=vendor_links)
    links = tuple(Link(f"https://cdn/{n}", expires_at=end) for n, end in enumerate(ends))
    progress = Progress(Phase.SUCCEEDED, "succeeded", links, completed_at=NOW)
    assert first_expiry(progress, studio.job("a", provider="acedata"), session) == expected


async def test_what_a_kill_left_beside_a_recorded_clip_is_taken_away(studio):
    """A run that dies between the record and its tidying leaves a receipt; the next one, whatever it does, removes it."""
    await studio.make(studio.job("a"))
    videos = studio.folder / "out" / "videos"
    part = f".a.mp4.{hashlib.sha256(studio.records()['a'].provider_job_id.encode()).hexdigest()[:12]}.part"
    for name in (part, f"{part}.json", ".b.mp4.0123456789ab.part", ".hidden"):
        (videos / name).write_bytes(b"x")
    await studio.make(studio.job("a"))
    assert sorted(path.name for path in videos.iterdir()) == [".b.mp4.0123456789ab.part", ".hidden", "a.mp4"]
