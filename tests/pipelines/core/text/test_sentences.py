from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from pipelines.core import events
from pipelines.core.errors import (
    BudgetReached,
    DownloadInterrupted,
    FundsExhausted,
    KeyRefused,
    ProviderUnavailable,
    ReelbatchError,
)
from pipelines.core.events import JobChanged
from pipelines.core.job import Choice, Job, Order, RemoteJob
from pipelines.core.outcome import (
    Accepted,
    Done,
    Failed,
    FellBack,
    InDoubt,
    Parked,
    Ready,
    Rejected,
    Skipped,
    Unsent,
)
from pipelines.core.status import Billed, JobStatus
from pipelines.core.text.sentences import level_of, sentence

ORDER = Order(provider="qiniu", model="sora-2", prompt="a secret kettle")
OTHER = Choice(
    order=Order(provider="acedata", model="sora-2-pro", prompt="x"), cost_estimated=Decimal(2), currency="CNY"
)
JOB = Job(
    id="a",
    row=1,
    campaign="x",
    order=ORDER,
    filename="a.mp4",
    cost_estimated=Decimal("0.4"),
    currency="USD",
    fallbacks=(OTHER,),
)
REFUSED = Rejected("row", "bad_size", "too large", 400)


@pytest.mark.parametrize(
    ("outcome", "words", "level"),
    [
        (
            InDoubt("no answer"),
            "a: in doubt, it may have been paid: 0.40 USD (no answer). It is not sent again by itself.",
            logging.ERROR,
        ),
        (REFUSED, "a: rejected by qiniu: too large (bad_size)", logging.WARNING),
        (Rejected("row", "image_unusable", "it is gone"), "a: not sent: it is gone (image_unusable)", logging.WARNING),
        (
            FellBack(JOB.fall_back(), "bad_size", "too large", REFUSED),
            "a: qiniu did not take it: too large (bad_size). Its fallback is acedata, sora-2-pro for 2.00 CNY.",
            logging.WARNING,
        ),
        (
            FellBack(JOB.fall_back(), "closed", "no balance"),
            "a: qiniu takes nothing more in this run. Its fallback is acedata, sora-2-pro for 2.00 CNY.",
            logging.WARNING,
        ),
        (Skipped("parent_failed", "it is a remix of b"), "a: skipped: it is a remix of b.", logging.WARNING),
        (
            Parked("generate", "deadline", "still queued after 2.0 h"),
            "a: parked: still queued after 2.0 h. The next run asks again; it costs nothing.",
            logging.WARNING,
        ),
        (Parked("download", "address_refused", "The link."), "a: parked: The link.", logging.WARNING),
        (
            Parked("generate", "clip_missing", "nothing stands at `clips[]`"),
            (
                "a: PAID, AND NOT HOME: nothing stands at `clips[]`. Correct the profile and run the same command again; "
                "it costs nothing. More jobs that end so are parked without a word."
            ),
            logging.ERROR,
        ),
        (
            Failed("generate", "c", "no luck", Billed.UNKNOWN),
            "a: failed at qiniu: no luck (c); it may be charged all the same: 0.40 USD",
            logging.WARNING,
        ),
        (
            Failed("generate", "c", "no luck", Billed.NO, JobStatus.CANCELLED),
            "a: cancelled at qiniu: no luck (c); not charged",
            logging.WARNING,
        ),
        (
            Failed("download", "expired", "m", Billed.YES, JobStatus.EXPIRED),
            "a: PAID AND EXPIRED at qiniu: its link ended and no new one is given.",
            logging.ERROR,
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | int) else None,
)
def test_what_needs_eyes_is_said(outcome, words, level):
    """Each outcome that a person may want to act on has its sentence, with the money at stake; prompts stay out."""
    said = sentence(JobChanged(JOB, JobStatus.PLANNED, JobStatus.FAILED, outcome))
    assert (said.words, said.level) == (words, level)
    assert "secret" not in said.words


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        Unsent("no route"),
        Accepted(RemoteJob("p")),
        Ready(),
        Done({}),
        Rejected("slow_down", "429", "slower", 429),
        InDoubt("replayed", replay_of="b"),  # said with the provider that is closed for it
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_what_the_counts_say_is_not_said_again(outcome):
    """A thousand rows that go well are no thousand lines."""
    assert sentence(JobChanged(JOB, JobStatus.PLANNED, JobStatus.WAITING, outcome)) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (events.RunBegan(), None),
        (
            events.ProviderAway("qiniu", "refused"),
            "qiniu cannot be reached (refused). Its rows wait; nothing is lost.",
        ),
        (events.ProviderBack("qiniu"), "qiniu answers again."),
        (events.ProviderSlowed("qiniu", 0.1), "qiniu asks for fewer submissions; they go on slower."),
        (events.ProviderSlowed("qiniu", 60), "qiniu asks for fewer submissions; none for 60 s, then slower."),
        (events.ProviderClosed("qiniu", KeyRefused("no key")), "no key"),
        (events.SubmissionsClosed(BudgetReached("no more")), "no more"),
        (events.JobLeftOut("a", ReelbatchError("a waits")), "a waits"),
        (
            events.JobsWait(("b", "c"), "a", JobStatus.IN_DOUBT),
            "b, c wait for a, which is in doubt. Nothing was sent for them.",
        ),
        (
            events.ClipsOutOfReach("qiniu", ("a",), "set QINIU_API_KEY"),
            "Paid jobs wait at qiniu: a. To bring them home, set QINIU_API_KEY and run the same command again.",
        ),
        (
            events.LimitsLost("ConnectError"),
            "Prefect's server cannot be asked about account limits (ConnectError). The run goes on with what it holds.",
        ),
        (events.LimitsRegained(), "Prefect's server answers again; account limits are shared as before."),
        (
            events.LimitTurned("reelbatch-openai-1f3a9c-in-flight", 12, 4),
            "Account limit reelbatch-openai-1f3a9c-in-flight: 4 jobs at once, not 12. Prefect's Concurrency page has it.",
        ),
        (
            events.LimitTurned("reelbatch-openai-1f3a9c-submit", 60, 30),
            "Account limit reelbatch-openai-1f3a9c-submit: 30 submissions a minute, not 60. Prefect's Concurrency page has it.",
        ),
        (
            events.AccountFull("reelbatch-openai-1f3a9c-in-flight", 12),
            "Other runs hold all 12 of reelbatch-openai-1f3a9c-in-flight. This one waits for its share; nothing is lost.",
        ),
        (
            events.NoCallbacks(("openai",)),
            "openai: nobody calls about these jobs; they are asked about, as always.",
        ),
        (events.DownloadFailed("a", DownloadInterrupted("cdn answered 503.")), "a: cdn answered 503."),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_every_other_event_has_its_words(event, words):
    """What happens to a provider or to the whole run is said in a sentence or two."""
    said = sentence(event)
    assert (said and said.words) == words


@pytest.mark.parametrize(
    ("reason", "level"),
    [
        (BudgetReached(), logging.WARNING),
        (ProviderUnavailable(), logging.WARNING),
        (FundsExhausted(), logging.ERROR),
        (KeyRefused(), logging.ERROR),
        (ReelbatchError("a bug"), logging.ERROR),
    ],
)
def test_a_cap_is_no_error(reason, level):
    """What the user's own cap or a passing outage ends is a warning; what somebody must mend is an error."""
    assert level_of(reason) == level
