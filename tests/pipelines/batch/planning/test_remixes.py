from __future__ import annotations

import random
from decimal import Decimal

import pytest

from pipelines.batch.planning.remixes import repeats

UUID = "27a1128f-14b5-440e-a82d-510c81e6fcd4"


def lineage(batch):
    return {job.id: job.parent for job in batch.jobs}


def test_a_remix_names_its_parent_and_takes_over_what_that_one_buys(plan):
    """So its price is right, and its clip can be checked; parents may stand below their remixes."""
    batch = plan("id,prompt,remix_of,model,seconds,size\nb,at night,A,,,\na,a cat,,clip-2,8,720x1280\n")
    remix, parent = batch.jobs

    assert (remix.id, remix.parent, remix.order.remix_of) == ("b", "a", "a")
    assert remix.order == parent.order.model_copy(update={"prompt": "at night", "remix_of": "a"})
    assert remix.cost_estimated == Decimal("2.40")
    assert [job.row for job in batch.jobs] == [1, 2]


def test_a_remix_may_repeat_what_its_parent_has(plan):
    """Equal is not a contradiction, however it is written."""
    text = "id,prompt,remix_of,model,seconds,orientation\na,x,,clip-2,8,portrait\nb,y,a,clip-2,8 s,9:16\n"
    assert plan(text).jobs[1].order.size == "720x1280"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("model", "clip-2", ['"clip-2"', '"clip-1"']),
        ("seconds", "8", ['"8"', '"4"']),
        ("size", "720x1280", ['"720x1280"', '"1280x720"']),
        ("orientation", "square", ['"square"', '"1280x720"']),
    ],
)
def test_a_remix_that_asks_for_something_else_is_refused(refused, column, value, words):
    """Naming what it asks for, and what its parent has."""
    (problem,) = refused(f"id,prompt,remix_of,{column}\na,x,,\nb,y,a,{value}\n")

    assert problem.startswith(f'spring.csv, row 2 (line 3), column "{column}": is ')
    assert all(word in problem for word in [*words, "that of a is", "leave it empty"])


def test_what_defaults_say_gives_way_to_the_parent(plan, refused):
    """A default is for those who are free to choose; a preset and the row itself are not defaults."""
    head = "version: 1\ndefaults: {seconds: 8, size: 720x1280, seed: 5}\npresets: {p: {seconds: 8}}\n"
    jobs = "jobs:\n  - {id: a, prompt: x, seconds: 4, size: 1280x720, seed: 7}\n  - {id: b, prompt: y, remix_of: a%s}\n"
    (a, b) = plan(head + jobs % "", "yaml").jobs

    assert (b.order.seconds, b.order.size) == (a.order.seconds, a.order.size) == (4, "1280x720")
    assert '"seconds"' in refused(head + jobs % ", preset: p", "yaml")[0]


@pytest.mark.parametrize(
    ("column", "value"), [("image_url", "https://a.example/1.png"), ("seed", "5"), ("Negative Prompt", "rain")]
)
def test_what_a_remix_cannot_take_is_refused(refused, column, value):
    """It would be left out of the request in silence."""
    (problem,) = refused(f"id,prompt,remix_of,{column}\na,x,,\nb,y,a,{value}\n")

    assert f'row 2 (line 3), column "{column}"' in problem
    assert "made of its prompt alone" in problem


def test_a_provider_that_cannot_remix_says_so(refused):
    """With the column."""
    assert (
        'row 2 (line 3), column "remix_of": yard cannot remix.'
        in refused("id,prompt,remix_of\na,x,\nb,y,a\n", provider="yard")[0]
    )


def test_parent_and_child_are_at_the_same_provider(refused):
    """A clip can be remixed only where it lies."""
    (problem,) = refused("id,prompt,provider,remix_of\na,x,yard,\nb,y,lab,a\n")

    assert 'column "remix_of": a is made by yard, and this row by lab.' in problem


def test_a_clip_of_one_protocol_is_unknown_to_another(plan, refused):
    """One provider may speak several; whoever remixes must speak that of the parent."""
    (problem,) = refused("id,prompt,model,remix_of\na,x,clip-1,\nb,y,film-1,a\n")
    assert '"film-1"' in problem  # clip-1 is remixed by its prompt alone, in its own mode
    (problem,) = refused("id,prompt,model,remix_of\na,x,film-1,\nb,y,clip-1,a\n")
    assert "a is made by lab film, whose clips clip cannot remix." in problem

    remix = plan("id,prompt,model,remix_of,seconds\na,x,film-1,,5\nb,y,film-1,a,9\n").jobs[1]
    assert (remix.order.mode, remix.order.seconds, remix.parent) == ("film", 9, "a")


def test_any_depth_in_any_order(plan):
    """Two thousand generations, shuffled."""
    rows = [(f"r{n}", f"r{n - 1}" if n else "") for n in range(2000)]
    shuffled = random.Random(1).sample(rows, len(rows))
    batch = plan("id,prompt,remix_of\n" + "".join(f"{name},scene {name},{parent}\n" for name, parent in shuffled))

    assert [job.id for job in batch.jobs] == [name for name, _ in shuffled]
    assert lineage(batch) == {name: parent or None for name, parent in rows}


@pytest.mark.parametrize(
    ("rows", "circle"),
    [
        (["a,a"], "a -> a"),
        (["a,b", "b,a"], "a -> b -> a"),
        (["x,c", "c,b", "a,c", "b,a"], "c -> b -> a -> c"),
        (["a,a-t2"], "a -> a"),
    ],
)
def test_circles_are_refused_naming_all_of_them(refused, rows, circle):
    """Once each, at their first row; who descends from one is not at fault."""
    (problem,) = refused("id,remix_of,prompt,takes\n" + "".join(f"{row},x,{2 if 't2' in row else 1}\n" for row in rows))

    assert f"makes it a remix of itself: {circle}." in problem
    number = [row[0] for row in rows].index(circle[0]) + 1
    assert f"row {number} (line {number + 1})," in problem


def test_two_circles_are_two_problems(refused):
    """And no more."""
    assert len(refused("id,remix_of,prompt\na,b,x\nb,a,x\nc,d,x\nd,c,x\ne,a,x\n")) == 2


def test_takes_can_be_remixed_too(plan):
    """By the id of the take; each take of the remix remixes the same clip."""
    batch = plan("id,prompt,takes,remix_of\nhero,x,2,\nb,y,2,HERO-t2\n")
    assert lineage(batch) == {"hero": None, "hero-t2": None, "b": "hero-t2", "b-t2": "hero-t2"}


def test_within_a_matrix_the_same_combination_comes_first(plan):
    """Then the plain id, such as that of a take's."""
    text = "version: 1\nmatrix: {mood: [calm, loud]}\njobs:\n"
    rows = "  - {id: hero, prompt: '{{ mood }}', takes: 2}\n  - {id: b, prompt: x, remix_of: hero}\n"
    more = "  - {id: c, prompt: x, remix_of: hero-t2}\n  - {id: d, prompt: x, remix_of: hero-loud}\n"
    found = lineage(plan(text + rows + more, "yaml"))

    assert (found["b-calm"], found["b-loud"]) == ("hero-calm", "hero-loud")
    assert (found["c-calm"], found["c-loud"]) == ("hero-calm-t2", "hero-loud-t2")
    assert found["d-calm"] == found["d-loud"] == "hero-loud"


def test_a_derived_id_can_be_remixed_even_that_of_a_remix(plan):
    """Whoever copies an id out of `plan` need not give one first."""
    first = plan("prompt,remix_of\na cat,\n").jobs[0].id
    second = plan(f"prompt,remix_of\na cat,\na dog,{first}\n").jobs[1].id
    batch = plan(f"id,prompt,remix_of\nx,a bird,{second}\n,a dog,{first}\n,a cat,\n")

    assert lineage(batch) == {"x": second, second: first, first: None}


@pytest.mark.parametrize(
    "text",
    [
        "video_68d7512d07848190b3e45da0ecbebcde",
        "qvideo-user123-1766453713089395279",
        "chatvideo-1766453713089395279-1380265463",
        "video_gen_3fa9c0d2",
        "sora-2:task_01k7770rgsevxsmtpbn7xnm5gh",
        "video_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDo7dmlkZW9faWQ6dmlkZW9fMQ==",
        "831922345719271433",
        UUID,
    ],
)
def test_a_providers_own_id_is_taken_as_one(plan, text):
    """There is no parent in the batch, and the order keeps the id."""
    (job,) = plan(f"id,prompt,remix_of,seconds\na,x,{text},8\n").jobs

    assert (job.parent, job.order.remix_of) == (None, text)
    assert job.cost_estimated == Decimal("0.80")


def test_the_price_of_an_unknown_clip_is_said_to_be_unknown(plan):
    """Its length is that of a clip of which nothing is known here."""
    batch = plan(f"version: 1\ndefaults: {{seconds: 8}}\njobs: [{{prompt: x, remix_of: {UUID}}}]\n", "yaml")

    assert batch.jobs[0].cost_estimated is None
    assert "its price is unknown" in str(batch.warnings[0])


def test_a_slip_of_the_pen_is_refused_with_what_was_meant(refused):
    """Also where what was written looks like a provider's id."""
    assert 'Did you mean "hero"?' in refused("id,prompt,remix_of\nhero,x,\nb,y,hreo\n")[0]
    (problem,) = refused(f"id,prompt,remix_of\n{UUID},x,\nb,y,{UUID[:-1]}5\n")
    assert f'Did you mean "{UUID}"?' in problem


@pytest.mark.parametrize("text", ["nobody", "video_1", "product-shot-20241101", "hero shot", "x" * 2000, "f" * 40])
def test_what_is_neither_is_refused_with_both_possibilities(refused, text):
    """It is no row, and does not look like an id of a provider."""
    (problem,) = refused(f"id,prompt,remix_of\nhero,x,\nb,y,{text}\n")

    assert 'row 2 (line 3), column "remix_of"' in problem
    assert "the id of a row, and the provider's id of a video" in problem


def test_a_parent_with_problems_brings_no_problems_to_its_children(refused):
    """The message is about the parent; what is wrong with the remix itself is still told."""
    found = refused("id,prompt,seconds,remix_of\na,x,9,\nb,y,,a\nc,,,b\n")

    assert [problem.split(": ")[0] for problem in found] == [
        'spring.csv, row 1 (line 2), column "seconds"',
        'spring.csv, row 3 (line 4), column "prompt"',
    ]


def test_a_remix_of_what_is_switched_off_is_warned_of(plan):
    """It would be skipped, and all that descends from it."""
    batch = plan("id,prompt,enabled,remix_of\na,x,no,\nb,y,,a\nc,z,,b\nd,z,,\ne,z,,d\n")
    warnings = [str(warning) for warning in batch.warnings if "remix_of" in str(warning)]

    assert len(warnings) == 2
    assert 'row 2 (line 3), column "remix_of": names a, which is not to be made' in warnings[0]
    assert "names b" in warnings[1]


@pytest.mark.parametrize(
    ("column", "asked", "has", "same"),
    [
        ("model", "sora-2", "sora-2", True),
        ("model", "Sora-2", "sora-2", False),
        ("size", "1280X720", "1280x720", True),
        ("seconds", "8", "4", False),
        ("orientation", "portrait", "720x1280", True),
        ("orientation", "landscape", "720x1280", False),
        ("orientation", "portrait", "9:16", True),
    ],
)
def test_a_value_is_repeated_however_it_is_written(column, asked, has, same):
    """Only the names of models are compared letter by letter; a shape may be that of a size in pixels."""
    assert repeats(column, asked, has) is same
