"""The ways in which the same batch could be bought twice. The judge is the sandbox's bill."""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
from pathlib import Path

import pytest

from pipelines.actions.prospect import prospect
from pipelines.actions.redo import begin_redo, plan_redo
from pipelines.actions.resolve import settle_doubt
from pipelines.core.errors import BoughtBefore, ReelbatchError
from pipelines.core.outcome import NotCharged
from pipelines.ledger import views
from pipelines.ledger.ledger import LedgerReader
from pipelines.ledger.storage.place import LEDGER_NAME, PLACE_NOTE
from pipelines.net.listeners import listeners_at
from pipelines.purchases.index import PurchaseIndex, index_path
from pipelines.run.batch_file import read_for_run
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions

ROWS = [{"id": "001", "prompt": "a boat"}, {"id": "A-tram", "prompt": "a tram"}]
BARE = [{"prompt": row["prompt"]} for row in ROWS]
OWN = "name: {name}\nextends: qiniu\nbase_url_env: [QINIU_BASE_URL]\nkey_env: [QINIU_API_KEY]\n"


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


async def make(path, **options):
    """Run a batch to its end, without Prefect. Gives the exit code, and where its jobs stand."""
    chosen = RunOptions(**{"provider": "qiniu", "poll_every": 0.05} | options)
    try:
        _, batch = read_for_run(path, chosen)
        async with open_run(batch, chosen) as run:
            await dispatch(run, lambda job: generate_job(job.id, run))
    except ReelbatchError as error:
        return error.exit_code, str(error)
    return 0, " ".join(sorted(state.status for state in run.states.values()))


@pytest.fixture
def spring(studio, tmp_path):
    """A campaign of two rows at a provider that keeps a bill."""
    return write(tmp_path / "home" / "spring.csv", ROWS)


WAYS = []


def a_way(change):
    """Something that a person may do between two runs; gives the further runs, where they are not just the same again."""
    WAYS.append(change)
    return change


@a_way
def another_working_directory(spring, monkeypatch):
    monkeypatch.chdir(spring.parent)
    return [{"path": Path("spring.csv")}]


@a_way
def flow_from_two_directories(spring, monkeypatch):
    monkeypatch.chdir(spring.parents[1])
    return [{"path": Path("home/spring.csv")}]


@a_way
def file_renamed(spring, _):
    return [{"path": spring.rename(spring.with_name("summer.csv"))}]


@a_way
def file_copied_elsewhere(spring, _):
    return [{"path": write(spring.parents[1] / "other" / "spring.csv", ROWS)}]


@a_way
def renamed_into_the_same_folder(spring, _):
    return [{"path": spring.rename(spring.with_name("summer.csv")), "out": folder(spring)}]


@a_way
def done_copy(spring, _):
    rows = [{**row, "status": "done", "video_path": "videos/x.mp4", "cost": "0.40", "error": ""} for row in ROWS]
    return [{"path": write(folder(spring) / "spring.done.csv", rows)}]


@a_way
def failed_rows(spring, _):
    rows = [{**row, "error_code": "x", "error_message": "y"} for row in ROWS]
    return [{"path": write(folder(spring) / "failed.csv", rows)}]


@a_way
def other_out(spring, _):
    return [{"out": spring.parent / "elsewhere"}]


@a_way
def ledger_truncated(spring, _):
    (folder(spring) / LEDGER_NAME).write_bytes(b"")


@a_way
def ledger_deleted(spring, _):
    (folder(spring) / LEDGER_NAME).unlink()


@a_way
def ledger_deleted_manifest_too(spring, _):
    (folder(spring) / LEDGER_NAME).unlink()
    (folder(spring) / "manifest.jsonl").unlink(missing_ok=True)


@a_way
def folder_deleted(spring, _):
    shutil.rmtree(folder(spring))


@a_way
def ledger_forgotten(spring, _):
    there = spring.parent / "ledgers" / "spring.sqlite3"
    there.parent.mkdir()
    (folder(spring) / LEDGER_NAME).rename(there)


@a_way
def ledger_given_anew(spring, _):
    return [{"ledger": str(spring.parent / "ledgers" / "new.sqlite3")}]


@a_way
def folder_copied(spring, _):
    shutil.copytree(folder(spring), spring.parent / "copy")
    return [{"out": spring.parent / "copy"}]


@a_way
def folder_moved(spring, _):
    return [{"out": folder(spring).rename(spring.parent / "moved")}]


@a_way
def folder_symlinked(spring, _):
    (spring.parent / "link").symlink_to(folder(spring))
    return [{"out": spring.parent / "link"}]


@a_way
def ids_repadded(spring, _):
    write(spring, [{**row, "id": row["id"].lstrip("0")} for row in ROWS])


@a_way
def ids_in_another_case(spring, _):
    write(spring, [{**row, "id": row["id"].swapcase()} for row in ROWS])


@a_way
def ids_repadded_and_ledger_lost(spring, monkeypatch):
    ids_repadded(spring, monkeypatch)
    ledger_deleted_manifest_too(spring, monkeypatch)


@a_way
def id_column_removed(spring, _):
    write(spring, BARE)


@a_way
def another_name_for_the_provider(spring, _):
    write_profile(spring, "fox", "")
    return [{"provider": "fox", "out": spring.parent / "fox"}]


@a_way
def another_name_in_the_same_folder(spring, monkeypatch):
    id_column_removed(spring, monkeypatch)
    write_profile(spring, "fox", "")
    return [{"provider": "fox"}]


@a_way
def fixed_field_edited(spring, monkeypatch):
    id_column_removed(spring, monkeypatch)
    fixed = "modes:\n  - {name: video, extends: video, fixed: {seed_note: x}}\n"
    write_profile(spring, "qiniu", fixed)


@a_way
def other_provider_without_ids(spring, monkeypatch):
    id_column_removed(spring, monkeypatch)
    return [{"provider": "acedata"}]


@a_way
def yaml_of_the_same_rows(spring, _):
    path = spring.with_name("rows.yaml")
    path.write_text(json.dumps({"version": 1, "jobs": ROWS}), "utf-8")
    return [{"path": path}]


@a_way
def rows_shuffled(spring, _):
    return [{"path": write(spring.with_name("shuffled.csv"), ROWS[::-1])}]


@a_way
def split_in_two_files(spring, _):
    return [{"path": write(spring.with_name(f"part-{n}.csv"), [row])} for n, row in enumerate(ROWS)]


@a_way
def in_another_folder_under_another_id(spring, _):
    rows = [{**row, "id": f"x{row['id']}"} for row in ROWS]
    return [{"path": write(spring.with_name("again.csv"), rows)}]


@a_way
def with_another_key(spring, monkeypatch):
    monkeypatch.setenv("QINIU_API_KEY", "the-second-key")
    return [{"out": spring.parent / "second"}]


def folder(spring):
    return spring.parent / "outputs" / "spring"


def write_profile(spring, name, more):
    path = spring.parent / "reelbatch.providers" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(OWN.format(name=name) + more, "utf-8")


async def written_back(spring, name):
    """A campaign of which one row is bought, a file in its folder as its catalogue writes it, and no index of purchases."""
    assert (await make(spring, only=("001",)))[0] == 0
    index_path().unlink()
    columns = ("status", "video_path") if "done" in name else ("error_code", "error_message")
    return write(folder(spring) / name, [row | dict.fromkeys(columns, "") for row in ROWS])


def prospect_of(path, **options):
    chosen = RunOptions(provider="qiniu", **options)
    return prospect(read_for_run(Path(path), chosen)[1], chosen)


def everything(provider):
    return [line["prompt"] for line in provider.bill()]


#: Every fourth is for `make test`, the others are for `make test-long`.
EACH = [pytest.param(way, id=way.__name__, marks=[pytest.mark.long] if n % 4 else []) for n, way in enumerate(WAYS)]


@pytest.mark.parametrize("way", EACH)
async def test_i12_the_same_is_bought_once(spring, provider, monkeypatch, way):
    """However the same rows come again, they are bought once: the run goes on with them, or it is refused with exit 2."""
    assert (await make(spring))[0] == 0
    assert sorted(everything(provider)) == ["a boat", "a tram"]
    for again in way(spring, monkeypatch) or [{}]:
        path = again.pop("path", spring)
        code, words = await make(path, **again)
        assert code == 2 or set(words.split()) == {"done"}, words
    assert sorted(everything(provider)) == ["a boat", "a tram"]


@pytest.mark.parametrize("name", ["spring.done.csv", "failed.csv"])
async def test_a_file_that_a_campaign_has_written_knows_whose_it_is(spring, provider, name):
    """Nobody's index knows the purchase: the folder that it lies in does. Nothing is made, and what to run instead is said."""
    path = await written_back(spring, name)
    code, words = await make(path)
    assert code == 2
    assert (f"Run {spring} to go on" if "done" in name else f"`reelbatch retry {folder(spring)}`") in words
    assert not (folder(spring) / "outputs").exists()
    assert prospect_of(path).refusal is not None
    assert sorted(everything(provider)) == ["a boat"]


@pytest.mark.parametrize("note", [LEDGER_NAME, PLACE_NOTE, "manifest.jsonl"])
async def test_a_ledger_that_cannot_say_whose_a_file_is_lets_nothing_be_bought(spring, provider, note):
    """Lost, or out of reach: what it would say is not taken for granted."""
    path = await written_back(spring, "spring.done.csv")
    for each in (LEDGER_NAME, PLACE_NOTE, "manifest.jsonl"):
        (folder(spring) / each).unlink(missing_ok=True)
    (folder(spring) / note).write_text("neither a ledger nor a note")
    assert (await make(path))[0] == 2
    assert sorted(everything(provider)) == ["a boat"]


async def test_what_a_campaign_has_written_is_bought_by_consent(spring, provider):
    """By `--again`; in its own folder it goes on with what is there; and elsewhere it is a file like any other."""
    path = await written_back(spring, "spring.done.csv")
    assert prospect_of(path, again=True).refusal is None
    assert prospect_of(shutil.copy(path, spring.parent / "mine.done.csv")).refusal is None
    (folder(spring) / "x.done.csv").write_bytes(path.read_bytes())  # no batch of that name was ever run here
    assert prospect_of(folder(spring) / "x.done.csv").refusal is None
    assert await make(path, out=folder(spring)) == (0, "done done")
    assert sorted(everything(provider)) == ["a boat", "a tram"]
    assert (await make(path))[0] == 2


async def test_i09_a_ledger_from_a_backup_learns_what_was_bought_since(spring, provider):
    """A ledger that was restored has the provider's ids again, and its clips come home."""
    assert (await make(spring, only=("001",)))[0] == 0
    kept = (folder(spring) / LEDGER_NAME).read_bytes()
    assert (await make(spring))[0] == 0
    (folder(spring) / LEDGER_NAME).write_bytes(kept)
    assert await make(spring) == (0, "done done")
    assert sorted(everything(provider)) == ["a boat", "a tram"]


async def test_it_is_named_and_again_buys_it(spring, provider):
    """What was bought is named with its day, folder and price; `--again` is the consent to buy it once more."""
    await make(spring)
    code, words = await make(spring, out=spring.parent / "elsewhere")
    assert code == BoughtBefore.exit_code == 2
    assert f"in {folder(spring)}, 0.40 USD" in words
    assert "--again" in words
    assert (await make(spring, out=spring.parent / "elsewhere", again=True))[0] == 0
    assert sorted(everything(provider)) == ["a boat", "a boat", "a tram", "a tram"]


async def test_takes_and_rows_alike_in_one_batch_are_consent(studio, provider, tmp_path):
    """The same order twice in one batch is asked for on purpose, also in two portions."""
    path = write(tmp_path / "b.csv", [{"id": n, "prompt": "a boat", "takes": 2} for n in "ab"])
    assert (await make(path, limit=1))[0] == 0
    assert (await make(path))[0] == 0
    assert everything(provider) == ["a boat"] * 4


async def test_each_occurrence_is_asked_for_by_itself(spring, provider):
    """What one tick of a schedule has bought says nothing of the next; a tick that comes again goes on."""
    for day in ("2026-11-21", "2026-11-22", "2026-11-22"):
        assert (await make(spring, occurrence=day))[0] == 0
    assert len(everything(provider)) == 4


async def test_what_was_not_charged_is_no_purchase(studio, provider, tmp_path):
    """A row that failed without a charge may be ordered anywhere."""
    provider.faults({"match": {"route": "submit"}, "do": {"outcome": "moderation_blocked"}})
    path = write(tmp_path / "b.csv", ROWS[:1])
    await make(path, provider="acedata")
    provider.faults()
    assert await make(path, provider="acedata", out=tmp_path / "other") == (0, "done")


async def test_a_rehearsal_is_never_in_the_index(spring):
    """Nothing is paid there, so nothing is remembered."""
    assert (await make(spring, rehearse=True, speed=1000))[0] == 0
    assert not index_path().exists()


async def test_another_simulator_at_the_port_of_an_earlier_one_has_sold_nothing(spring, provider, monkeypatch):
    """A port that the system gives out goes from one server to the next: what was bought there is not bought here."""
    assert (await make(spring))[0] == 0
    assert (await make(spring, out=spring.parent / "elsewhere"))[0] == 2
    monkeypatch.setattr(
        "pipelines.run.buying.listeners_at",
        lambda urls: {url: f"the one after {known}" for url, known in listeners_at(urls).items()},
    )
    assert (await make(spring, out=spring.parent / "elsewhere"))[0] == 0
    assert len(provider.bill()) == 4


async def test_two_that_begin_at_once_find_each_other(spring, provider):
    """Neither finds anything bought yet, into whatever folders they go: one of them buys."""
    ended = await asyncio.gather(*(make(spring, out=spring.parent / name) for name in ("one", "two")))
    assert sorted(code for code, _ in ended) == [0, 2], ended
    [words] = [words for code, words in ended if code]
    assert "may be bought now by the run into" in words or "bought before" in words
    assert sorted(everything(provider)) == ["a boat", "a tram"]
    assert (await make(spring, out=spring.parent / "three"))[0] == 2


async def test_what_a_killed_run_could_not_say_is_read_in_its_ledger(spring, provider, monkeypatch):
    """Killed between the ledger and the index, and followed by a run into another folder: that looks there first."""
    with monkeypatch.context() as killed:
        killed.setattr(PurchaseIndex, "put", lambda *_: None)
        killed.setattr(PurchaseIndex, "withdraw", lambda *_: None)
        assert (await make(spring))[0] == 0
    code, words = await make(spring, out=spring.parent / "elsewhere")
    assert code == 2
    assert f"in {folder(spring)}, 0.40 USD" in words
    assert sorted(everything(provider)) == ["a boat", "a tram"]


async def test_a_tick_buys_what_was_bought_by_hand(spring, provider):
    """Who deploys a batch asks for each occurrence of it; a run by hand of what a tick has made is asked about."""
    assert (await make(spring))[0] == 0
    assert (await make(spring, occurrence="2026-11-21"))[0] == 0
    assert len(everything(provider)) == 4
    assert (await make(spring, out=spring.parent / "elsewhere"))[0] == 2


async def test_what_was_settled_as_not_charged_is_bought_anywhere(studio, provider, tmp_path):
    """The index learns what a person says, at once."""
    provider.faults({"match": {"route": "submit", "nth": [1]}, "do": {"cut": "after"}})
    path = write(tmp_path / "b.csv", ROWS[:1])
    assert (await make(path))[1] == "in_doubt"
    await settle_doubt(tmp_path / "outputs" / "b", "001", NotCharged)
    assert await make(path, out=tmp_path / "other") == (0, "done")


@pytest.mark.long
async def test_a_new_take_is_a_consent(spring, provider):
    """`redo` buys the same again, and the index has it: neither is found as lost, nor bought by another run."""
    await make(spring)
    for name in ("001", "001-r2"):
        plan = plan_redo(folder(spring), name)
        batch, options = await begin_redo(plan)
        async with open_run(batch, options.model_copy(update={"poll_every": 0.05})) as run:
            await dispatch(run, lambda job, run=run: generate_job(job.id, run))
    assert sorted(everything(provider)) == ["a boat"] * 3 + ["a tram"]
    assert (await make(spring))[0] == 0
    assert (await make(spring, out=spring.parent / "elsewhere"))[0] == 2
    (folder(spring) / LEDGER_NAME).unlink()
    assert (await make(spring))[0] == 0
    assert len(everything(provider)) == 4


async def test_two_campaigns_do_not_share_a_folder(spring, provider):
    """The second is refused by the name of the first."""
    await make(spring)
    other = write(spring.with_name("autumn.csv"), [{"id": "x", "prompt": "a kite"}])
    code, words = await make(other, out=folder(spring))
    assert code == 2
    assert "the folder of the campaign spring" in words
    assert len(everything(provider)) == 2


async def test_a_crash_before_the_index_is_healed(spring, provider):
    """What the ledger has and the index lacks is appended when the ledger is opened next."""
    await make(spring)
    index_path().unlink()
    await make(spring)
    assert (await make(spring, out=spring.parent / "elsewhere"))[0] == 2
    assert len(everything(provider)) == 2


async def test_a_broken_index_stops_nothing(spring, provider):
    """It is the second net; the ledger is the first."""
    index_path().parent.mkdir(parents=True)
    index_path().write_text("this is no database, and long enough to be taken for a bad one" * 20)
    assert await make(spring) == (0, "done done")
    assert await make(spring) == (0, "done done")
    assert len(everything(provider)) == 2


async def test_an_order_in_doubt_is_found_as_well(studio, provider, tmp_path):
    """It may have been paid: nobody buys it elsewhere without being asked."""
    provider.faults({"match": {"route": "submit", "nth": [1]}, "do": {"cut": "after"}})
    path = write(tmp_path / "b.csv", ROWS[:1])
    assert (await make(path))[1] == "in_doubt"
    code, words = await make(path, out=tmp_path / "other")
    assert code == 2
    assert "perhaps bought (in doubt)" in words
    (tmp_path / "outputs" / "b" / LEDGER_NAME).unlink()
    (tmp_path / "outputs" / "b" / "manifest.jsonl").unlink(missing_ok=True)
    assert (await make(path))[1] == "in_doubt"
    found = LedgerReader(tmp_path / "outputs" / "b" / LEDGER_NAME).read(views.overview)
    assert str(found.money[0].uncertain) == "0.4"
    assert len(everything(provider)) == 1
