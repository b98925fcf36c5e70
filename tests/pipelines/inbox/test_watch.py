"""The watch over an inbox, with real runs over a real provider: what is ordered, and where each file ends."""

from __future__ import annotations

import shlex
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from pipelines.core.errors import LedgerOwned, SetupError
from pipelines.core.remote_folder import folder_named
from pipelines.inbox.memory import ContentStage, InboxMemory
from pipelines.inbox.place import FileLook, InboxPlace
from pipelines.inbox.watch import InboxWatch, check_cap, home_of, is_whole, root_of
from pipelines.ledger.balances import balances
from pipelines.run.batch_file import read_for_run
from pipelines.run.dispatch import dispatch
from pipelines.run.job.lifecycle import generate_job
from pipelines.run.opening import open_run
from pipelines.run.options import RunOptions
from pipelines.run.result import campaign_result

BOAT = "id,prompt\na,boat\n"


async def run_whole(batch, options):
    """A campaign without Prefect."""
    async with open_run(batch, options) as run:
        await dispatch(run, lambda job: generate_job(job.id, run))
        return campaign_result(run, run.progress.words(), await run.ledger.write(balances))


@pytest.fixture
def box(studio):
    """An inbox that lies beside nothing else."""
    folder = studio.folder / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def look(box, studio):
    """Look once, with a watch of its own; gives the trays."""

    async def once(make=run_whole, **options):
        place = InboxPlace(str(box))
        usual = {"provider": "qiniu", "budget": Decimal(5), "poll_every": 0.05}
        with InboxMemory(box) as memory:
            watch = InboxWatch(
                place, memory, studio.folder / "root", RunOptions(**usual | options), make, whole_after_s=0.02
            )
            return {filed.name: filed.tray for filed in await watch.once()}

    return once


@pytest.fixture
def drop(box):
    """Drop a file."""

    def write(name: str, text: str = BOAT) -> Path:
        (box / name).write_text(text, "utf-8")
        return box / name

    return write


def prompts(studio):
    return sorted(line["prompt"] for line in studio.bill())


async def test_each_content_is_made_once(studio, box, look, drop):
    """The same content under another name, or again, is set aside and said so; other contents are made."""
    drop("spring.csv")
    drop("copy.csv")
    drop("summer.yaml", "version: 1\njobs:\n- prompt: tram\n")
    assert await look() == {"copy.csv": "done", "spring.csv": "seen", "summer.yaml": "done"}
    drop("copy.csv")
    assert await look() == {"copy.csv": "seen"}
    assert prompts(studio) == ["boat", "tram"]
    assert "seen before, as copy.csv" in (box / "seen" / "copy.csv.report.txt").read_text("utf-8")
    assert (studio.folder / "root" / "copy" / "videos" / "a.mp4").is_file()
    assert (box / "done" / "copy.csv").read_text("utf-8") == BOAT


async def test_a_broken_file_is_refused_with_every_problem(studio, box, look, drop):
    """Nothing is sent, the report lies beside it, and the file that was mended under the same name is made."""
    drop("spring.csv", "id,prompt,seconds\na,,4\nb,boat,999\n")
    drop("old.ods", "of another program")
    assert await look() == {"old.ods": "refused", "spring.csv": "refused"}
    report = (box / "refused" / "spring.csv.report.txt").read_text("utf-8")
    assert "row 1" in report
    assert "row 2" in report
    assert "Save it as .xlsx" in (box / "refused" / "old.ods.report.txt").read_text("utf-8")
    assert prompts(studio) == []
    drop("spring.csv")
    assert await look() == {"spring.csv": "done"}


async def test_what_is_refused_is_looked_at_again(look, drop, box):
    """The picture that was missing is there now, so the same content is made; it is found beside the file."""
    text = "id,prompt,image_url,provider\na,boat,pictures/boat.png,openai\n"
    drop("spring.csv", text)
    assert await look() == {"spring.csv": "refused"}
    (box / "pictures").mkdir()
    Image.new("RGB", (720, 1280)).save(box / "pictures" / "boat.png")
    drop("spring.csv", text)
    assert await look() == {"spring.csv": "done"}


async def test_what_needs_a_person_is_filed_as_failed(studio, box, look, drop):
    """With the words, where everything is, and how to go on; the budget is for each file, and the file's own counts too."""
    drop("two.csv", "id,prompt\na,boat\nb,tram\n")
    drop("own.yaml", "version: 1\nbudget: {max: 0.5}\njobs:\n- {id: a, prompt: own 1}\n- {id: b, prompt: own 2}\n")
    assert await look(budget=Decimal(1)) == {"own.yaml": "failed", "two.csv": "done"}
    report = (box / "failed" / "own.yaml.report.txt").read_text("utf-8")
    assert "1 of 2 done" in report
    assert f"reelbatch run {box / 'failed' / 'own.yaml'} --out {studio.folder / 'root' / 'own'}" in report


async def test_the_report_of_a_spent_budget_says_what_works_here(studio, box, look, drop):
    """The command of the report buys the rest and nothing twice, also where the name was taken; the same again is not advised."""
    two = "id,prompt\na,{0} boat\nb,{0} tram\n"
    (box / "failed").mkdir()
    (box / "failed" / "short.csv").write_text("of another day", "utf-8")
    drop("short.csv", two.format("a red"))
    assert await look(budget=Decimal("0.5"), in_flight=1) == {"short.csv": "failed"}
    [report] = [path.read_text("utf-8") for path in (box / "failed").glob("*.report.txt")]
    assert "Raise --budget and go on as its report says" in report
    assert "the same command again" not in report
    [words] = [shlex.split(line.partition(": ")[2]) for line in report.splitlines() if line.startswith("To go on")]
    assert words[:2] + words[-2:] == ["reelbatch", "run", "--budget", "N"]
    chosen = dict(zip(words[3:-2:2], words[4:-2:2], strict=True))
    options = RunOptions(out=Path(chosen["--out"]), provider=chosen["--provider"], budget=Decimal(5), poll_every=0.05)
    _, batch = read_for_run(Path(words[2]), options)
    assert (await run_whole(batch, options)).exit_code == 0
    assert prompts(studio) == ["a red boat", "a red tram"]


async def test_a_kill_at_any_step_buys_nothing_twice(studio, box, look, drop):
    """In hand before the run, in hand after it, ended and not moved, moved and not noted: each is made up for."""

    async def dies_before(batch, options):
        raise KeyboardInterrupt

    async def dies_after(batch, options):
        await run_whole(batch, options)
        raise KeyboardInterrupt

    drop("spring.csv")
    for dying in (dies_before, dies_after):
        with pytest.raises(KeyboardInterrupt):
            await look(dying)
        assert (box / "spring.csv").is_file()
    assert await look() == {"spring.csv": "done"}
    with InboxMemory(box) as memory:  # as if it had been killed before it was noted, then before it was moved
        memory._rows.execute("UPDATE content SET filed = 0")
    assert await look() == {}
    with InboxMemory(box) as memory:
        assert memory.not_filed() == []
        memory._rows.execute("UPDATE content SET filed = 0")
    shutil.move(box / "done" / "spring.csv", box / "spring.csv")
    assert await look() == {"spring.csv": "done"}
    assert prompts(studio) == ["boat"]


async def test_what_was_in_hand_comes_first_and_goes_on_in_its_folder(studio, look, drop, box, caplog):
    """Also when somebody has taken the file away and dropped it again under another name."""

    async def dies(batch, options):
        raise KeyboardInterrupt

    drop("zebra.csv")
    with pytest.raises(KeyboardInterrupt):
        await look(dies)
    (box / "zebra.csv").rename(box / "kept.txt")
    assert await look() == {}
    assert any("zebra.csv was begun and is gone" in line for line in caplog.messages)
    (box / "kept.txt").rename(box / "other.csv")
    assert await look() == {"other.csv": "done"}
    assert (studio.folder / "root" / "zebra" / "videos" / "a.mp4").is_file()
    assert prompts(studio) == ["boat"]


async def test_a_corrected_file_of_the_same_name_buys_only_what_is_new(studio, look, drop):
    """It goes on in the same folder; a row that was bought and asks for something else now stays as it was, and says so."""
    drop("spring.csv")
    assert await look() == {"spring.csv": "done"}
    drop("spring.csv", BOAT + "b,tram\n")
    assert await look() == {"spring.csv": "done"}
    drop("spring.csv", BOAT.replace("boat", "ship"))
    assert await look() == {"spring.csv": "done"}
    assert prompts(studio) == ["boat", "tram"]


async def test_an_error_that_nobody_has_foreseen_ends_the_watch_once(look, drop, box):
    """The next watch tries again; then the file is filed as failed, so that it cannot stop the others for ever."""

    async def stumbles(batch, options):
        raise ValueError("odd")

    drop("spring.csv")
    with pytest.raises(ValueError, match="odd"):
        await look(stumbles)
    assert await look(stumbles) == {"spring.csv": "failed"}
    assert "bug in reelbatch (ValueError: odd)" in (box / "failed" / "spring.csv.report.txt").read_text("utf-8")


async def test_a_folder_that_another_run_owns_is_waited_for(look, drop, box):
    """The file stays where it is, in hand."""

    async def owned(batch, options):
        raise LedgerOwned

    drop("spring.csv")
    assert await look(owned) == {}
    assert (box / "spring.csv").is_file()
    assert await look() == {"spring.csv": "done"}


async def test_a_key_that_is_missing_is_no_fault_of_the_content(look, drop, studio, monkeypatch):
    """It is refused with what to set, and the same file is made once the key is there."""
    drop("spring.csv")
    with monkeypatch.context() as without:
        without.delenv("QINIU_API_KEY")
        assert await look() == {"spring.csv": "refused"}
    drop("spring.csv")
    assert await look() == {"spring.csv": "done"}


@pytest.mark.parametrize(
    ("size", "unchanged_s", "whole"), [(1, 4.9, False), (1, 5.0, True), (0, 30.0, False), (0, 60.0, True)]
)
def test_a_file_is_whole_when_it_has_not_changed_for_a_while(size, unchanged_s, whole):
    """One that is still empty may be filled yet."""
    assert is_whole(FileLook(size, ("1",)), unchanged_s, 5.0) is whole


async def test_a_file_that_is_growing_is_left_alone(look, drop, box):
    """Between two looks it has changed."""
    growing = drop("spring.csv")
    place, looks = InboxPlace(str(box)), []

    class Growing(InboxPlace):
        def look(self):
            looks.append(1)
            growing.write_text(BOAT + f"b,{'x' * len(looks)}\n", "utf-8")
            return super().look()

    with InboxMemory(box) as memory:
        options = RunOptions(provider="qiniu")
        watch = InboxWatch(Growing(place.address), memory, box / "outputs", options, run_whole, whole_after_s=0.02)
        assert await watch.once() == []
    assert growing.is_file()


def test_money_needs_a_cap_or_a_word(tmp_path):
    """A budget, a yes, or a rehearsal."""
    with pytest.raises(SetupError, match="--budget 25"):
        check_cap(RunOptions(), yes=False)
    check_cap(RunOptions(budget=1), yes=False)
    check_cap(RunOptions(), yes=True)
    check_cap(RunOptions(rehearse=True), yes=False)


def test_outputs_and_memory_lie_in_the_inbox_or_below_the_root(tmp_path):
    """A bucket has room for neither, so a root must be named."""
    here, bucket = InboxPlace(str(tmp_path)), InboxPlace("memory://studio/inbox")
    assert (root_of(here, None), home_of(here, tmp_path / "root")) == (tmp_path / "outputs", tmp_path)
    assert root_of(bucket, tmp_path) == tmp_path
    assert home_of(bucket, tmp_path).parent == tmp_path
    with pytest.raises(SetupError, match="--out"):
        root_of(bucket, None)
    with pytest.raises(SetupError, match="remembered in a folder that stays"):
        root_of(bucket, folder_named("s3://studio/clips"))
    assert root_of(here, folder_named("s3://studio/clips")) == folder_named("s3://studio/clips")


async def test_a_bucket_is_an_inbox_too(studio, tmp_path):
    """Files of a prefix are made below the root, and filed in the bucket."""
    import fsspec  # noqa: PLC0415 - of this one

    address = f"memory://{studio.key}/inbox"
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/{studio.key}/inbox/spring.csv", BOAT.encode())
    place = InboxPlace(address)
    with InboxMemory(home_of(place, tmp_path)) as memory:
        watch = InboxWatch(
            place, memory, tmp_path, RunOptions(provider="qiniu", poll_every=0.05), run_whole, whole_after_s=0.02
        )
        assert [filed.tray for filed in await watch.once()] == [ContentStage.DONE]
    assert files.exists(f"/{studio.key}/inbox/done/spring.csv")
    assert prompts(studio) == ["boat"]
