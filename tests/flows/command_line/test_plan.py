from __future__ import annotations

import pytest


def test_a_plan_for_people_shows_rows_and_totals(cli, write_batch):
    """`plan` lists what would be made, what each costs, the whole, and the hash that binds a run to it."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"}, {"prompt": "a tram", "provider": "acedata"})
    ended = cli("plan", batch)
    assert ended.code == 0
    for word in ("job-1", "qiniu", "job-2", "acedata", "batch: 2 videos", "plan "):
        assert word in ended.out


def test_a_plan_for_machines_is_one_document(cli, write_batch):
    """`plan --json` prints one JSON document with the jobs, the estimate and the plan's hash."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu", "scene": "7"})
    document = cli("plan", batch, "--json").json
    assert document["name"] == "batch"
    assert document["jobs"][0]["own"] == {"scene": "7"}
    assert document["estimate"]["totals"] == {"USD": "0.40"}
    assert document["warnings"] == []
    assert len(document["plan"]) == 64


def test_every_problem_is_said_at_once(cli, write_batch):
    """All that is wrong in a batch comes in one go, each with its row and column, and exit code 2."""
    batch = write_batch(
        {"prompt": "a", "provider": "qiniu", "seconds": "5"},
        {"prompt": "", "provider": "qiniu", "seconds": "4"},
        {"prompt": "c", "provider": "nobody", "seconds": "4"},
    )
    ended = cli("plan", batch)
    assert (ended.code, ended.out) == (2, "")
    for word in (
        'row 1 (line 2), column "seconds"',
        'row 2 (line 3), column "prompt"',
        'row 3 (line 4), column "provider"',
    ):
        assert word in ended.err


def test_what_looks_odd_is_a_warning(cli, write_batch):
    """The same prompt twice is allowed, and said on standard error; standard output stays a document."""
    ended = cli("plan", write_batch("a boat", "a boat"), "--provider", "qiniu", "--json")
    assert ended.code == 0
    assert "warning:" in ended.err
    assert len(ended.json["warnings"]) == 1


@pytest.mark.parametrize("name", ["batch.yaml", "batch.csv"])
def test_what_init_writes_plans_cleanly(cli, name):
    """A sample batch needs no mending: no problem, no warning."""
    assert cli("init", name).code == 0
    ended = cli("plan", name, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["estimate"]["count"] > 1


def test_init_leaves_an_existing_file_alone(cli, tmp_path):
    """`init` never writes over a file, and says so."""
    (tmp_path / "batch.csv").write_text("mine", "utf-8")
    ended = cli("init", "batch.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "exists already" in ended.err
    assert (tmp_path / "batch.csv").read_text("utf-8") == "mine"


@pytest.mark.parametrize("name", ["batch.docx", "batch", "no/such/folder/batch.csv"])
def test_init_explains_where_it_cannot_write(cli, name):
    """An unknown kind of file or a missing folder is one error, exit code 2."""
    ended = cli("init", name)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("error: ")


def test_a_plan_knows_profiles_of_ones_own(cli, write_batch, tmp_path):
    """A profile beside the batch file is planned and priced with, and one that replaces a shipped one is a warning."""
    folder = tmp_path / "reelbatch.providers"
    folder.mkdir()
    price = "prices: [{model: '*', amount: '0.02', per: second, as_of: 2026-11-01, source: mine}]"
    address = "base_url: https://render.example/v1"
    (folder / "fox.yaml").write_text(f"name: fox\nextends: openai\n{address}\n{price}\n", "utf-8")
    (folder / "qiniu.yaml").write_text(f"name: qiniu\nextends: qiniu\n{price}\n", "utf-8")
    batch = write_batch(*({"prompt": f"by {name}", "provider": name, "seconds": 8} for name in ("fox", "qiniu")))
    document = cli("plan", batch, "--json").json
    assert document["estimate"]["totals"] == {"USD": "0.32"}
    assert not document["estimate"]["assumed"]
    assert [warning for warning in document["warnings"] if "replaces the shipped profile" in warning]


def test_a_fallback_is_planned_for_the_whole_batch(cli, write_batch):
    """`--fallback` holds for rows that name none, and is checked like a provider."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu"})
    (job,) = cli("plan", batch, "--fallback", "litellm", "--json").json["jobs"]
    assert [choice["order"]["provider"] for choice in job["fallbacks"]] == ["litellm"]
    ended = cli("plan", batch, "--fallback", "litelm")
    assert ended.code == 2
    assert 'Did you mean "litellm"?' in ended.err


def test_a_plan_says_which_columns_are_ones_own(cli, write_batch):
    """One line on the terminal and a list in the document, so that nobody takes a word of theirs for one of ours."""
    batch = write_batch({"prompt": "a boat", "provider": "qiniu", "shot": "7", "client": "x"})
    assert 'Columns of your own: "shot", "client". They go to the manifest.\n' in cli("plan", batch).out
    assert cli("plan", batch, "--json").json["own_columns"] == ["shot", "client"]
    plain = write_batch({"prompt": "a boat", "provider": "qiniu"})
    assert "of your own" not in cli("plan", plain).out


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("{max: 0.50}", ["The budget of 0.50 USD covers about 1 of 2 videos"]),
        ("{max: 3, currency: EUR}", ["A budget of 3.00 EUR cannot cover 2 videos with a price in USD: a, b."]),
        ("{max: 3}", []),
    ],
)
def test_a_plan_says_what_the_budget_of_the_batch_does_not_cover(cli, tmp_path, budget, words):
    """The author hears it before anything is paid, and not when the run stops halfway."""
    text = f"version: 1\nprovider: qiniu\nbudget: {budget}\njobs:\n- {{id: a, prompt: one}}\n- {{id: b, prompt: two}}\n"
    (tmp_path / "batch.yaml").write_text(text, "utf-8")
    ended = cli("plan", "batch.yaml", "--json")
    assert ended.code == 0
    assert len(ended.json["warnings"]) == len(words)
    for word in words:
        assert word in ended.err


def test_a_plan_shows_the_tightest_cap(cli, write_batch, monkeypatch):
    """Of the run, the day and the month; and what that does not cover."""
    batch = write_batch("a boat", "a tram")
    ended = cli("plan", batch, "--provider", "qiniu", "--budget", "5", "--budget-per-month", "0.60")
    assert "This run buys for at most 0.80 USD; the month's cap is 0.60 USD; prices are assumed" in ended.out
    assert "What is left of the month's cap of 0.60 USD, 0.60, covers about 1 of 2 videos" in ended.err
    monkeypatch.setenv("REELBATCH_BUDGET_PER_DAY", "0.10")
    caps = cli("plan", batch, "--provider", "qiniu", "--json").json["run"]["caps"]
    assert caps == [{"period": "day", "most": "0.10", "currency": "USD", "committed": "0", "campaigns": 0}]
    monkeypatch.setenv("REELBATCH_BUDGET_PER_DAY", "ten")
    ended = cli("plan", batch, "--provider", "qiniu")
    assert (ended.code, ended.out) == (2, "")
    assert "REELBATCH_BUDGET_PER_DAY=ten: Write a number such as 20" in ended.err


def test_a_plan_says_what_is_not_made_and_what_is_made_of_what(cli, write_batch):
    """Disabled rows are no videos, nor are remixes of them; fallbacks and parents have a line of their own."""
    rows = ("a,yes,,", "b,no,,", "c,yes,b,", "d,yes,a,", "e,yes,,acedata")
    cells = [dict(zip(("id", "enabled", "remix_of", "fallback"), row.split(","), strict=True)) for row in rows]
    shown = cli("plan", write_batch(*({"prompt": each["id"] * 9, **each} for each in cells)), "--provider", "qiniu").out
    assert "batch: 3 videos, 1.20 USD; 2 are not made: disabled, or made of such a clip\n" in shown
    assert "fallbacks: acedata sora-2 for 1 video\n" in shown
    assert "remixes: d of a\n" in shown


def test_a_plan_without_prices_says_so_once(cli, write_batch):
    """What is unknown is not counted apart where everything is."""
    batch = write_batch({"prompt": "a", "model": "wan", "seconds": "4"}, {"prompt": "b", "model": "wan"})
    shown = cli("plan", batch, "--provider", "litellm").out
    assert "batch: 2 videos, no known price\n" in shown
    assert "of unknown price" not in shown
    assert "fallbacks" not in shown
    assert "remixes" not in shown


def test_a_sample_names_itself_in_its_comments(cli, tmp_path):
    """The commands that it shows can be copied."""
    assert cli("init", "b 2.yaml").code == 0
    text = (tmp_path / "b 2.yaml").read_text("utf-8")
    assert "reelbatch plan 'b 2.yaml'\n" in text
    assert " batch.yaml" not in text
