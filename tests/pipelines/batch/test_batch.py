from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines.batch
from pipelines.batch import Batch, read_batch, sample_text
from pipelines.core.errors import BatchError, SetupError
from pipelines.providers.profile.load import known_profiles

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
SAMPLES = Path(pipelines.batch.__file__).parent / "files" / "samples"


@pytest.mark.parametrize("path", [*SAMPLES.iterdir(), *EXAMPLES.glob("*.[cyj]*")], ids=lambda path: path.name)
def test_every_batch_that_we_ship_plans_without_problems(path):
    """Examples and samples work as they are."""
    batch = read_batch(path, profiles=known_profiles(beside=path))

    assert batch.jobs
    assert batch.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(job.cost_estimated is not None for job in batch.jobs)


def test_the_demo_shows_every_kind_of_job():
    """Both providers, with and without pictures, both orientations, both versions, several lengths."""
    orders = [job.order for job in read_batch(SAMPLES / "demo.csv").jobs]

    assert {(o.provider, bool(o.image_urls)) for o in orders} == {
        (p, i) for p in ("qiniu", "acedata") for i in (True, False)
    }
    assert {o.mode for o in orders} == {"video", "v1", "v2"}
    assert {o.seconds for o in orders} == {4, 8, 10, 12, 15}
    assert 12 <= len(orders) <= 14


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".csv"])
def test_samples_for_init_parse_and_plan_cleanly(read, suffix):
    """What `init` writes can be run at once, and warns of nothing."""
    assert read(sample_text(suffix), suffix[1:], provider=None).warnings == ()


def test_other_samples_do_not_exist():
    """The message names those that do."""
    with pytest.raises(SetupError, match=r"\.yaml or \.csv"):
        sample_text(".xlsx")


def test_the_room_is_light():
    """Neither pandas nor jinja2 nor Prefect nor HTTP is imported to learn what a batch is."""
    heavy = "{'pandas', 'jinja2', 'prefect', 'httpx', 'sqlalchemy', 'asyncio'}"
    code = f"import sys, pipelines.batch; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=EXAMPLES.parents[1]
    )

    assert done.stdout.strip() == "[]"


_WORDS = st.sampled_from(
    [
        *("prompt", "id", "seconds", "jobs", "version: 1", "matrix", "defaults", "takes", "8", "🐈", "\ud7ff", "\0"),
        *("{{ id }}", "{{", "{% if %}", "\n", "\n  - ", "\r", ": ", ",", ";", "\t", "|", '"', "'", "#"),
        *("{", "}", "[", "]", "&a", "*a", "!!x", "<<"),
        *(
            "remix_of",
            "fallback",
            "image_url",
            "openai",
            "qiniu:sora-2",
            "data:image/png;base64,",
            "../",
            "~x/",
            "1.png",
        ),
    ]
)
_TEXTS = st.lists(_WORDS, max_size=30).map(lambda words: "".join(words).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("kind", ["csv", "yaml", "jsonl"])
def test_any_bytes_give_a_batch_or_a_batch_error(tmp_path, kind):
    """Nothing else ever comes out, whatever goes in."""
    path = tmp_path / f"fuzz.{kind}"
    head = {
        "csv": b"prompt,id,remix_of,image_url,fallback\n",
        "yaml": b"version: 1\njobs:\n  - prompt: ",
        "jsonl": b'{"prompt": "',
    }[kind]

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(raw=st.one_of(st.binary(max_size=200), _TEXTS, _TEXTS.map(lambda text: head + text)))
    def law(raw):
        path.write_bytes(raw)
        try:
            assert isinstance(read_batch(path, provider="acedata"), Batch)
            problems = None
        except BatchError as error:
            problems = error.problems
        assert problems is None or problems

    law()


@pytest.mark.parametrize("separator", [",", ";"])
def test_pictures_alone_need_no_prompt_column(tmp_path, separator):
    """Where a provider makes a clip of a picture without words, the file needs no column for them; elsewhere it does."""
    path = tmp_path / "pictures.csv"
    path.write_text(
        separator.join(["image_url", "provider"]) + "\n" + separator.join(["https://a.example/b.png", "acedata-luma"])
    )
    (job,) = read_batch(path).jobs
    assert (job.order.prompt, job.order.mode) == ("", "image")
    path.write_text(path.read_text().replace("acedata-luma", "openai"))
    with pytest.raises(BatchError, match="there is no prompt"):
        read_batch(path)
