"""The same batch again comes from its ledger; whatever may decide a job otherwise is found, and all is planned anew."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from pipelines.actions.prospect import prospect
from pipelines.batch import Batch, read_batch
from pipelines.batch.planning import inputs
from pipelines.core.errors import BatchError
from pipelines.core.job import Job
from pipelines.core.outcome import Skipped
from pipelines.core.reading import Reading
from pipelines.core.status import JobStatus
from pipelines.ledger import registration, views
from pipelines.ledger.bought import bought, restore
from pipelines.ledger.known_plan import known_plan
from pipelines.ledger.ledger import Ledger
from pipelines.ledger.outcomes import record
from pipelines.ledger.storage.place import LEDGER_NAME
from pipelines.providers.profile.load import find_profiles
from pipelines.run.batch_file import read_for_run
from pipelines.run.opening import open_ledger
from pipelines.run.options import RunOptions
from tests.pipelines.ledger.conftest import EVERYWHERE

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
MARK = "as the ledger has it"
ROWS = "id,prompt,image_url,name\na,a {{ name }},,boat\nb,a harbour,dawn.png,ship\n"


class Campaign:
    """A batch file with a picture and a provider of its own, in a folder, and its ledger."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.path, self.monkeypatch = folder, folder / "spring.csv", monkeypatch
        self.path.write_text(ROWS, "utf-8")
        self.picture("white")
        self.profile().parent.mkdir()
        self.profile().write_text("extends: openai\nname: gateway\nbase_url: https://gateway.example/v1\n")
        self.options = RunOptions(provider="openai", out=folder / "out")

    def profile(self) -> Path:
        """The profile beside the batch file."""
        return self.folder / "reelbatch.providers" / "gateway.yaml"

    def picture(self, colour: str) -> None:
        """Draw the picture that a row shows."""
        Image.new("RGB", (720, 1280), colour).save(self.folder / "dawn.png")

    def edit(self, old: str, new: str) -> None:
        """Edit the batch file."""
        text = self.path.read_text("utf-8")
        assert old in text
        self.path.write_text(text.replace(old, new), "utf-8")

    def read(self) -> Batch:
        """The batch, as a run reads it."""
        return read_for_run(self.path, self.options)[1]

    def planned(self) -> tuple[Job, ...]:
        """The jobs of the batch, with nothing known of it."""
        options, profiles = self.options, find_profiles((), beside=self.path).profiles
        chosen = {"provider": options.provider, "fallback": options.fallback, "occurrence": options.tick}
        return read_batch(self.path, profiles=profiles, **chosen).jobs

    async def register(self, *work: Callable[..., Any]) -> None:
        """Open its ledger as a run does, do some work there, and mark each plan in it."""
        async with open_ledger(self.read(), self.options) as ledger:
            for each in work:
                await ledger.write(each)
        self.say(f"""UPDATE job SET plan = replace(plan, '"tags":[]', '"tags":["{MARK}"]')""")

    def say(self, statement: str) -> list[Any]:
        """Tell the ledger behind the back of everybody."""
        with closing(sqlite3.connect(self.folder / "out" / LEDGER_NAME)) as ledger, ledger:
            return ledger.execute(statement).fetchall()

    def recalls(self) -> bool:
        """Whether the jobs come from the ledger; they must be the same either way."""
        jobs = self.read().jobs
        marked = {MARK in job.tags for job in jobs}
        assert len(marked) == 1
        assert tuple(job.model_copy(update={"tags": ()}) for job in jobs) == self.planned()
        return marked.pop()


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return Campaign(tmp_path, monkeypatch)


async def test_a_batch_that_is_as_it_was_comes_from_its_ledger(campaign):
    """Nothing is planned again, and what reading it has said is said again."""
    before = campaign.read()
    await campaign.register()
    assert campaign.recalls()
    now = campaign.read()
    assert replace(now, jobs=()) == replace(before, jobs=())


def _edited(campaign):
    campaign.edit("boat", "ferry")


def _moved(campaign):
    campaign.path = campaign.path.rename(campaign.folder / "summer.csv")


def _in_another_folder(campaign):
    shutil.copytree(campaign.folder, campaign.folder / "copy", ignore=shutil.ignore_patterns("copy", "out"))
    campaign.path = campaign.folder / "copy" / "spring.csv"


def _another_profile(campaign):
    known = yaml.safe_load(campaign.profile().read_text("utf-8"))
    campaign.profile().write_text(yaml.safe_dump(known | {"title": "another"}), "utf-8")


def _another_provider(campaign):
    campaign.options = campaign.options.model_copy(update={"provider": "gateway"})


def _a_fallback(campaign):
    campaign.options = campaign.options.model_copy(update={"fallback": ("gateway",)})


def _another_picture(campaign):
    campaign.picture("black")


def _registered_since(campaign):
    campaign.say(
        "UPDATE batch SET read_at = '2099-01-01T00:00:00.000Z'"
    )  # as an older version does, which keeps no reading


def _registered_since_by_a_clock_that_was_set_back(campaign):
    campaign.say("INSERT INTO batch SELECT 'another', path, campaign, '2001-01-01T00:00:00.000Z' FROM batch")


def _an_upgrade_under_a_server_that_goes_on(campaign):
    campaign.monkeypatch.setattr(inputs, "_programme", lambda: "")


def _a_new_version(campaign):
    campaign.monkeypatch.setattr(inputs, "_programme", lambda: "another")


def _a_job_that_is_gone(campaign):
    campaign.say("DELETE FROM job WHERE id = 'a'")


CHANGES = [
    _edited,
    _moved,
    _in_another_folder,
    _another_profile,
    _another_provider,
    _a_fallback,
    _another_picture,
    _registered_since,
    _registered_since_by_a_clock_that_was_set_back,
    _an_upgrade_under_a_server_that_goes_on,
    _a_new_version,
    _a_job_that_is_gone,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
async def test_whatever_decides_a_job_is_found_to_have_changed(campaign, change):
    """Rows, the file's name and place, a profile, a choice, a picture, the programme, another registration: all is planned anew."""
    await campaign.register()
    change(campaign)
    assert not campaign.recalls()


async def test_what_was_planned_anew_is_registered_anew(campaign):
    """A picture that has changed is ordered as it is now, though the batch file is the same; and then that is known."""
    await campaign.register()
    campaign.picture("black")
    await campaign.register()
    known = dict(campaign.say("SELECT id, fingerprint FROM job"))
    assert known == {job.id: job.order.fingerprint() for job in campaign.planned()}
    assert campaign.recalls()


async def test_a_picture_that_is_gone_is_a_problem_as_at_the_first_time(campaign):
    """What the ledger knows does not hide it."""
    await campaign.register()
    (campaign.folder / "dawn.png").unlink()
    with pytest.raises(BatchError, match=r"dawn\.png"):
        campaign.read()


async def test_an_address_that_the_operator_sets_is_another_reading(campaign, monkeypatch):
    """What is said of closed providers depends on it."""
    await campaign.register()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert not campaign.recalls()


async def test_each_day_is_another_reading(campaign):
    """A template that names the date is filled in anew, also where somebody has put the ledger of another day in its place."""
    campaign.edit("a harbour", "a harbour on {{ date }}")
    campaign.options = campaign.options.model_copy(update={"occurrence": "2026-11-21"})
    async with open_ledger(campaign.read(), campaign.options):
        pass
    assert campaign.read().jobs[1].order.prompt == "a harbour on 2026-11-21"
    (campaign.folder / "out" / "2026-11-21").rename(campaign.folder / "out" / "2026-11-22")
    campaign.options = campaign.options.model_copy(update={"occurrence": "2026-11-22"})
    assert campaign.read().jobs[1].order.prompt == "a harbour on 2026-11-22"


async def test_traces_of_an_earlier_run_are_wiped_off_as_ever(campaign):
    """What was skipped or fell back begins again with what the file asks for first, and the question before a run knows."""
    await campaign.register(lambda connection: record(connection, "a", Skipped("parent_failed", "its parent failed")))
    assert prospect(campaign.read(), campaign.options).counts == {JobStatus.PLANNED: 2}
    async with open_ledger(campaign.read(), campaign.options) as ledger:
        assert {state.status for state in (await ledger.write(views.states)).values()} == {JobStatus.PLANNED}
    assert campaign.say("SELECT error_code FROM job WHERE id = 'a'") == [(None,)]


async def test_what_a_changed_row_asks_for_is_kept_beside_what_was_bought(campaign):
    """The row stays changed in every later run, though none plans it again; and is as it was once it is edited back."""
    await campaign.register()
    campaign.say("UPDATE job SET status = 'done', billed = 'yes' WHERE id = 'a'")
    campaign.edit("boat", "ferry")
    await campaign.register()
    for _ in range(2):
        batch = campaign.read()
        assert batch.jobs[0].order.prompt == "a ferry"
        async with open_ledger(batch, campaign.options) as ledger:
            changed = await ledger.write(views.changed_rows)
            assert [(each.bought.order.prompt, each.asked_for.order.prompt) for each in changed] == [
                ("a boat", "a ferry")
            ]
    campaign.edit("ferry", "boat")
    async with open_ledger(campaign.read(), campaign.options) as ledger:
        assert await ledger.write(views.changed_rows) == []


@pytest.mark.parametrize("file", ["every-mode.yaml", "daily-shorts.yaml", "product-campaign.csv"])
def test_a_job_is_the_same_after_it_was_written_down(file):
    """Prices, pictures, parameters, fallbacks and remixes come back as they were planned."""
    for job in read_batch(EXAMPLES / file).jobs:
        known = Job.kept(job.model_dump_json())
        assert known == job == Job.model_validate_json(job.model_dump_json())
        assert known.order.fingerprint() == job.order.fingerprint()


@pytest.mark.parametrize("plan", ["{}", "nothing", '{"id": "a", "order": {}, "tags": [], "fallbacks": []}'])
async def test_a_plan_that_nobody_of_ours_has_written_is_made_anew(campaign, plan):
    """Whatever stands in the ledger, the jobs are those of the file."""
    await campaign.register()
    campaign.say(f"UPDATE job SET plan = '{plan}' WHERE id = 'b'")
    assert campaign.read().jobs == campaign.planned()


@EVERYWHERE
async def test_only_the_last_registration_counts(ledger, make_job):
    """What was registered with a reading is known by it, until anything is registered without one, or with another."""

    async def register(*jobs, **given):
        usual = {"campaign": "x", "path": Path("x.csv"), "source_sha256": "s"}
        await ledger.write(registration.register, jobs, **usual | given)
        return [await ledger.write(known_plan, inputs) for inputs in ("one", "two")]

    jobs = (make_job("b"), make_job("a"))
    assert await register(*jobs, reading=Reading("one")) == [(Reading("one"), jobs), None]
    assert await register(*jobs, reading=Reading("two")) == [None, (Reading("two"), jobs)]
    assert await register(*jobs, reading=Reading("one"), source_sha256="another") == [(Reading("one"), jobs), None]
    assert await register(*jobs) == [None, None]


@EVERYWHERE
async def test_what_the_index_of_purchases_gives_back_is_looked_at(ledger, make_job, accept, tmp_path):
    """A ledger that has lost a purchase gets it as it was bought; that its row asks for something else now is said as ever."""

    async def register(to, job):
        arguments = {"campaign": "x", "path": Path("x.csv"), "source_sha256": "s", "reading": Reading("one")}
        await to.write(registration.register, (job,), **arguments)

    old, now = make_job("a", prompt="a cat"), make_job("a", prompt="a dog")
    (tmp_path / "other").mkdir()
    async with Ledger(tmp_path / "other" / LEDGER_NAME) as other:
        await register(other, old)
        await accept(other, old)
        (purchase,) = await other.write(bought)
    await register(ledger, now)
    assert await ledger.write(restore, purchase)
    assert await ledger.write(known_plan, "one") is None
    await register(ledger, now)
    (changed,) = await ledger.write(views.changed_rows)
    assert (changed.bought, changed.asked_for) == (old, now)
    assert await ledger.write(known_plan, "one") == (Reading("one"), (now,))
