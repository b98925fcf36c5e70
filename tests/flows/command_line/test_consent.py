from __future__ import annotations

import io

import pytest

from flows.command_line import consent


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self):
        """It is a terminal."""
        return True


@pytest.fixture
def typing(monkeypatch):
    """A terminal at which a person types this."""

    def sit(words):
        monkeypatch.setattr("sys.stdin", Terminal(words))
        monkeypatch.setattr(consent, "_is_terminal", lambda: True)

    return sit


@pytest.fixture
def pointed(provider, monkeypatch):
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    return provider


@pytest.fixture
def bare(run_here):
    """The command line as it is typed, without the consent that other tests add."""
    return lambda *arguments: run_here(*arguments, "as it is typed")


def test_without_a_terminal_a_run_needs_consent(bare, pointed, write_batch, tmp_path):
    """A run for money that nobody has agreed to is refused with exit code 2; nothing is sent or written."""
    ended = bare("run", write_batch("a boat", "a tram"), "--out", "out", "--provider", "qiniu")
    assert ended.code == 2
    assert "would buy 2 videos (job-1, job-2) for at most 0.80 USD" in ended.err
    for option in ("--budget", "--yes", "--plan"):
        assert option in ended.err
    assert pointed.requests() == {}
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_each_consent_will_do(bare, pointed, write_batch):
    """`--yes`, a budget, that of the file too, or the hash of the plan; and where nothing is to buy, none is needed."""
    for n, given in enumerate((["--yes"], ["--budget", "1"], "plan")):
        batch = write_batch(f"clip {n}", name=f"b{n}.csv")
        plan = bare("plan", batch, "--provider", "qiniu", "--json").json["plan"]
        said = ["--plan", plan] if given == "plan" else given
        assert bare("run", batch, "--provider", "qiniu", *said).code == 0
        again = bare("run", batch, "--provider", "qiniu")
        assert (again.code, "at most" in again.err) == (0, False)
    assert pointed.prompts() == ["clip 0", "clip 1", "clip 2"]


@pytest.mark.parametrize(("typed", "code", "bought"), [("y\n", 0, ["a boat"]), ("\n", 2, []), ("", 2, [])])
def test_a_person_is_asked(bare, typing, pointed, write_batch, typed, code, bought):
    """On a terminal the counts, the most it costs and the cap are said, and only a yes buys."""
    typing(typed)
    ended = bare("run", write_batch("a boat"), "--provider", "qiniu", "--budget", "3")
    assert ended.code == code
    assert "batch: 1 new: 0.40 USD." in ended.err
    assert "at most 0.40 USD; the cap is 3.00 USD" in ended.err
    assert "Buy 1 for at most 0.40 USD? [y/N]" in ended.err
    assert pointed.prompts() == bought


@pytest.mark.long
def test_the_same_again_is_asked_about(bare, typing, monkeypatch, pointed, write_batch):
    """What was bought is named, refused where nobody can be asked, and bought once more on a yes."""
    batch = write_batch("a boat")
    assert bare("run", batch, "--provider", "qiniu", "--yes").code == 0
    refused = bare("run", batch, "--provider", "qiniu", "--out", "other", "--yes")
    assert refused.code == 2
    assert "1 video of this batch was bought before: job-1 (bought on " in refused.err
    assert "--again" in refused.err
    assert pointed.prompts() == ["a boat"]
    typing("y\n")
    assert "Buy these again? [y/N]" in bare("run", batch, "--provider", "qiniu", "--out", "other").err
    assert pointed.prompts() == ["a boat", "a boat"]


@pytest.mark.long
def test_a_rehearsal_never_asks(bare, write_batch):
    """Nothing is paid there."""
    assert bare("run", write_batch("a boat"), "--provider", "qiniu", "--rehearse", "--speed", "1000").code == 0


def test_a_plan_knows_the_ledger(bare, pointed, write_batch):
    """`plan` takes the flags of `run` and says what is done, what is new, and what that costs."""
    batch = write_batch("a boat", "a tram", "a kite")
    flags = ["--provider", "qiniu", "--out", "out"]
    assert bare("run", batch, *flags, "--limit", "2", "--yes").code == 0
    ended = bare("plan", batch, *flags)
    assert "batch: 2 done, 1 new: 0.40 USD." in ended.out
    assert bare("plan", batch, *flags, "--only", "job-1", "--json").json["run"]["new"] == []
    elsewhere = bare("plan", batch, "--provider", "qiniu", "--out", "elsewhere")
    assert "2 videos of this batch were bought before" in elsewhere.out
