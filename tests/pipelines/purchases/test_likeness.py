from __future__ import annotations

import pytest

from pipelines.core.job import Job, Order
from pipelines.purchases.likeness import likeness_of, likenesses

BOAT = Order(provider="qiniu", mode="video", model="sora-2", prompt="a boat", seconds=4, size="1280x720")


@pytest.mark.parametrize("change", [{"provider": "fox"}, {"mode": "other"}, {"fixed": {"n": 1}}])
def test_the_same_goods(change):
    """Neither what the provider is called, nor what its profile always sends, makes another purchase."""
    assert likeness_of(BOAT.model_copy(update=change)) == likeness_of(BOAT)


@pytest.mark.parametrize("change", [{"model": "sora-2-pro"}, {"seconds": 8}, {"size": "720x1280"}, {"extra": {"a": 1}}])
def test_the_same_subject(change):
    """Another length, size, model or parameter is another purchase, of the same subject."""
    other, boat = likeness_of(BOAT.model_copy(update=change)), likeness_of(BOAT)
    assert (other.goods == boat.goods, other.subject == boat.subject) == (False, True)


@pytest.mark.parametrize("change", [{"prompt": "a tram"}, {"image_urls": ("https://x.example/a.png",)}])
def test_another_subject(change):
    """Another prompt or picture is something else."""
    assert likeness_of(BOAT.model_copy(update=change)).subject != likeness_of(BOAT).subject


def test_a_picture_is_its_bytes():
    """The path that leads to a picture says nothing of it."""
    here, there = (BOAT.model_copy(update={"image_urls": (f"file:{at}/a.png#sha256=00",)}) for at in ("x", "../y"))
    assert likeness_of(here) == likeness_of(there)


def test_a_remix_is_named_by_what_it_is_made_of():
    """Ids of rows may change; a remix of the same clip stays the same, and one of another clip is another."""

    def graph(parent, prompt="a boat"):
        order = BOAT.model_copy(update={"prompt": prompt})
        remix = BOAT.model_copy(update={"prompt": "at night", "remix_of": parent})
        usual = {"row": 1, "campaign": "x", "filename": "x.mp4"}
        jobs = [Job(id="child", order=remix, parent=parent, **usual), Job(id=parent, order=order, **usual)]
        return likenesses(jobs)["child"]

    assert graph("001") == graph("1")
    assert graph("1", "a tram") != graph("1")
