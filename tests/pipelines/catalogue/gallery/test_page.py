from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.catalogue.gallery.page import HeadFigure, head_figures, write_gallery
from pipelines.core.money import Balance
from pipelines.core.status import JobStatus
from tests.pipelines.outputs.clips import make_clip

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Keep it."""
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every tag of a kind."""
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(folder: Path, rows, campaign: str = "Spring") -> str:
    return write_gallery(folder, campaign, rows).read_text(encoding="utf-8")


def test_every_row_has_a_card(tmp_path, make_row):
    """Whatever became of a row, it is shown, with its status in words."""
    rows = [make_row(id=status.value, status=status) for status in JobStatus]

    page = page_of(tmp_path, rows)

    assert len(Tags(page).all("article")) == len(rows)
    for status in JobStatus:
        assert f">{status.value.replace('_', ' ')}</span>" in page


def test_a_card_says_what_the_clip_is(tmp_path, make_row):
    """Poster, right aspect ratio, length, pixels, sound, cost, flags and tags."""
    (tmp_path / "thumbs").mkdir()
    (tmp_path / "thumbs/a-1.jpg").touch()
    row = make_row(
        path="videos/a.mp4",
        duration_s=4.0,
        width=720,
        height=1280,
        has_audio=True,
        cost_actual=Decimal("0.40"),
        currency="USD",
        flags=("duration_mismatch",),
        tags=("hero",),
        downloaded_at=datetime(2026, 11, 21, tzinfo=UTC),
    )

    page = page_of(tmp_path, [row])
    (video,) = Tags(page).all("video")

    assert (video["src"], video["poster"], video["preload"]) == ("videos/a.mp4", "thumbs/a-1.jpg", "none")
    assert (video["width"], video["height"], "controls" in video) == ("720", "1280", True)
    assert Tags(page).all("article")[0]["class"] == "card portrait"
    for text in (
        "4 s",
        "720 \u00d7 1280",
        "sound",
        "0.40 USD",
        "duration mismatch",
        "hero",
        "<b>1</b> of 1 done",
        "2026-11-21",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("rehearsed", "said", "unsaid"),
    [
        (
            False,
            ["<b>7.20 USD + 3.00 CNY</b> spent", '<li class="warn"><b>0.80 USD</b> uncertain'],
            ["reserved", "would"],
        ),
        (
            True,
            ["would have cost <b>7.20 USD + 3.00 CNY</b>", "would leave uncertain <b>0.80 USD</b>"],
            ["spent", "reserve"],
        ),
    ],
)
def test_the_head_says_what_is_paid_and_what_may_be_apart(tmp_path, make_row, rehearsed, said, unsaid):
    """Every pot of the ledger that holds something, in its currency; a rehearsal has paid nothing."""
    money = [
        Balance("USD", reserved=Decimal(0), spent=Decimal("7.2"), uncertain=Decimal("0.8")),
        Balance("CNY", reserved=Decimal(0), spent=Decimal(3), uncertain=Decimal(0)),
    ]

    head = write_gallery(tmp_path, "Spring", [make_row()], money, rehearsed=rehearsed).read_text("utf-8")
    head = head[head.index("<header") : head.index("</header>")]

    assert [words for words in said if words not in head] == []
    assert [words for words in unsaid if words in head] == []


def test_a_row_without_clip_says_why(tmp_path, make_row):
    """A reason stands where the clip would be."""
    page = page_of(tmp_path, [make_row(status="failed", error_message="Refused: blood"), make_row(status="parked")])

    assert "Refused: blood" in page
    assert "Set aside for later." in page
    assert not Tags(page).all("video")


def test_k07_everything_is_escaped(tmp_path, make_row):
    """Whatever a prompt, a provider or a file says, it stays text."""
    row = make_row(
        id=HOSTILE,
        prompt=HOSTILE,
        provider=HOSTILE,
        model=HOSTILE,
        path=f"videos/{HOSTILE.replace('/', '')}.mp4",
        error_message=HOSTILE,
        flags=(HOSTILE,),
        tags=(HOSTILE,),
        review=HOSTILE,
        currency=HOSTILE,
        task_id=HOSTILE,
        cost_actual=Decimal(1),
    )

    tags = Tags(page_of(tmp_path, [row, row.model_copy(update={"path": None})], HOSTILE))

    assert len(tags.all("script")) == 1
    assert tags.all("img") == []
    assert not [name for _, attrs in tags.tags for name in attrs if name.startswith("on")]


def test_k07_the_policy_allows_only_what_is_in_the_page(tmp_path, make_row):
    """One style and one script, by their digests; nothing from elsewhere, no inline styles."""
    page = page_of(tmp_path, [make_row(path="videos/a.mp4")])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")

    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "http://" not in page
    assert "https://" not in page
    assert not [attrs for _, attrs in Tags(page).tags if "style" in attrs]


def test_a_thousand_rows_stay_quick(tmp_path, make_row):
    """Later posters wait for the script, and no clip is loaded before it is asked for."""
    (tmp_path / "thumbs").mkdir()
    rows = [make_row(id=f"a-{number}", path=f"videos/{number}.mp4") for number in range(1000)]
    for row in rows:
        (tmp_path / "thumbs" / f"{row.id}.jpg").touch()

    page = page_of(tmp_path, rows)
    videos = Tags(page).all("video")

    assert sum("poster" in video for video in videos) == 60
    assert sum("data-poster" in video for video in videos) == 940
    assert {video["preload"] for video in videos} == {"none"}
    assert len(page) < 2_000_000


def test_an_empty_campaign_has_a_page(tmp_path):
    """Nothing is something to show."""
    assert "There is nothing here yet." in page_of(tmp_path, [])


def test_the_same_rows_give_the_same_page(tmp_path, make_row):
    """The gallery is derived: it can be written again at any time."""
    assert page_of(tmp_path, [make_row()]) == page_of(tmp_path, [make_row()])


@pytest.fixture
def browser():
    """Debian's Chromium; its absence is said."""
    executable = next(
        (path for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(path).exists()), None
    )
    if executable is None:
        pytest.skip("no Chromium here: the gallery was not opened in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield running
        running.close()


@pytest.mark.browser
@pytest.mark.long
def test_in_a_browser_it_filters_sorts_plays_and_asks_nobody(tmp_path, make_row, browser):
    """From file://, with its policy in force: the script runs, the clip plays, and no request leaves the folder."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_bytes(make_clip())
    rows = [
        make_row(id="fox", path="videos/a.mp4", cost_actual=Decimal(1)),
        make_row(id="bee", status="failed", prompt="A bee", cost_actual=Decimal(2)),
    ]
    path = write_gallery(tmp_path, "Spring", rows)
    problems, asked = [], []
    page = browser.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())

    ids = lambda: page.eval_on_selector_all(".card:not([hidden]) .id", "all => all.map(one => one.textContent)")  # noqa: E731 - asked twice, next to where
    assert ids() == ["fox", "bee"]
    page.select_option("#order", "amount")
    assert ids() == ["bee", "fox"]
    page.fill("#text", "BEE")
    assert ids() == ["bee"]
    page.fill("#text", "")
    page.select_option("#status", "done")
    assert ids() == ["fox"]
    page.wait_for_function("document.querySelector('video').duration > 0.4 || document.querySelector('video').error")
    assert page.evaluate("document.querySelector('video').error") is None
    assert problems == []
    assert all(url.startswith(tmp_path.as_uri()) for url in asked)


def test_the_head_tells_paid_reserved_and_uncertain_money_apart():
    """Only what there is; after a rehearsal all of it is what the run would have cost."""

    def balance(currency, **amounts):
        zero = dict.fromkeys(("spent", "reserved", "uncertain"), Decimal(0))
        return Balance(currency, **zero | {name: Decimal(amount) for name, amount in amounts.items()})

    money = [balance(currency="USD", spent=2, uncertain=1), balance(currency="CNY", spent=3)]
    told = [(figure.words, figure.amount) for figure in head_figures(money, rehearsed=False)]
    assert told == [("spent", "2.00 USD + 3.00 CNY"), ("uncertain", "1.00 USD")]
    assert head_figures([], rehearsed=False) == head_figures([], rehearsed=True) == []
    (figure,) = head_figures(money[1:], rehearsed=True)
    assert isinstance(figure, HeadFigure)
    assert figure.words == "would have cost"
