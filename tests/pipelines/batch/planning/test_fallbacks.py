from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.batch.planning.fallbacks import contrasts
from pipelines.core.job import Choice, Job, Order
from pipelines.pricing.plan_hash import plan_hash
from pipelines.pricing.price import Quote
from pipelines.providers.profile.order_parts import Orientation


def turns(batch):
    return [[f"{choice.order.provider}:{choice.order.model}" for choice in job.fallbacks] for job in batch.jobs]


def test_a_fallback_is_a_whole_order_like_the_first(plan):
    """With the length that the first ends up with, its shape, and its price; everything explicit."""
    (job,) = plan("id,prompt,fallback\na,a cat,yard\n").jobs
    (choice,) = job.fallbacks

    assert (choice.order.provider, choice.order.mode, choice.order.model) == ("yard", "plain", "clip-1")
    assert (choice.order.prompt, choice.order.seconds) == ("a cat", 4)
    assert (choice.order.size, choice.order.orientation) == (None, "landscape")  # of 1280x720; yard's own is portrait
    assert (choice.cost_estimated, choice.currency) == (Decimal(3), "CNY")
    assert Job.model_validate(job.model_dump()) == job
    assert Choice.model_validate(choice.model_dump()) == choice


def test_a_row_wins_over_the_command_line_over_defaults_over_the_file(plan):
    """As it is with providers; the word none switches them off."""
    head = "version: 1\nfallback: [lab:clip-2]\n%sjobs: [{prompt: a%s}]\n"
    default = "defaults: {fallback: yard}\n"

    assert turns(plan(head % ("", ""), "yaml")) == [["lab:clip-2"]]
    assert turns(plan(head % (default, ""), "yaml")) == [["yard:clip-1"]]
    assert turns(plan(head % (default, ""), "yaml", fallback=("lab:film-1",))) == [["lab:film-1"]]
    assert turns(plan(head % (default, ", fallback: [lab:film-1]"), "yaml", fallback=("yard",))) == [["lab:film-1"]]
    assert turns(plan(head % (default, ", fallback: none"), "yaml", fallback=("yard",))) == [[]]
    assert turns(plan(head % (default, ""), "yaml", fallback=("None",))) == [[]]


def test_presets_and_the_matrix_may_name_fallbacks_too(plan):
    """They are columns like any other."""
    text = "version: 1\npresets: {safe: {fallbacks: yard}}\njobs: [{prompt: a, preset: safe}, {prompt: b}]\n"
    assert turns(plan(text, "yaml")) == [["yard:clip-1"], []]
    text = "version: 1\nmatrix: {fallback: [yard, lab:film-1]}\njobs: [{prompt: a}]\n"
    assert turns(plan(text, "yaml")) == [["yard:clip-1"], ["lab:film-1"]]


@pytest.mark.parametrize(
    "cell", ["'yard, lab:film-1'", "yard;lab:film-1", "'Yard|lab : film-1'", "[yard, 'lab:film-1']"]
)
def test_a_list_keeps_its_order(plan, cell):
    """Commas, semicolons and bars separate; a YAML list is one."""
    text = f"version: 1\njobs:\n  - prompt: a\n    fallback: {cell}\n"
    assert turns(plan(text, "yaml")) == [["yard:clip-1", "lab:film-1"]]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("fallback\nyrad", 'there is no provider "yrad". Did you mean "yard"?'),
        ("fallback\nlab", '"lab" is where the row is made at first.'),
        ("fallback\nlab:clip-1", '"lab:clip-1" is where the row is made at first.'),
        ("fallback\nyard|yard", 'names "yard" twice.'),
        ("fallback\nyard|yard:clip-1", 'names "yard:clip-1" twice.'),
        ("fallback,model\nyard,clip-2", 'it has no model "clip-2". Name one of its own, such as yard:clip-1.'),
        ("fallback\nyard:brick", 'fallback yard:brick: model: yard has no model "brick". Allowed: clip-1, mud.'),
        ("fallback,seconds\nyard,8", "fallback yard: seconds: yard does not make clips of 8 s. Allowed: 4, 6."),
        ("fallback,size,model\nyard:mud,720x720,clip-2", "yard does not take square. Allowed: landscape, portrait."),
        (
            "fallback,image_url\nyard,https://a.example/1.png https://a.example/2.png",
            "fallback yard: image_url: yard takes at most 1 image.",
        ),
        ("fallback,image_url\nyard,cat.png", "fallback yard: image_url: yard takes addresses of pictures only."),
        (
            "fallback,image_url,model,seconds\nlab:clip-1,tall.png,film-1,4",
            '"tall.png" has 720x1280 pixels and the size is',
        ),
        ("fallback,note\nyard,", "fallback yard: prompt: has 60 bytes of UTF-8"),
        ("fallback\nlab:film-1", "fallback lab:film-1: prompt: has 20 characters"),
    ],
)
def test_whatever_a_fallback_does_not_take_is_a_problem_of_its_column(refused, picture, cells, words):
    """Naming the provider and what is wrong; it is found before anything is sent."""
    picture("cat.png")
    picture("tall.png", 720, 1280)
    header, row = cells.split("\n")
    prompt = "猫" * 20 if "UTF-8" in words or "20 characters" in words else "a"
    found = refused(f"prompt,{header}\n{prompt},{row}\n")

    assert len(found) == 1
    assert found[0].startswith('spring.csv, row 1 (line 2), column "fallback": ')
    assert words in found[0]


def test_a_wrong_fallback_of_the_whole_batch_is_told_once(refused):
    """Not once for every row, and with the place where it is written."""
    rows = "prompt\na\nb\nc\n"
    assert refused(rows, fallback=("yrad",)) == ['--fallback: there is no provider "yrad". Did you mean "yard"?']
    assert refused(rows, fallback=("yard", "yard")) == [
        '--fallback: names "yard" twice. Name each once, in the order to try them.'
    ]
    (problem,) = refused("version: 1\nfallback: yrad\njobs: [a, b]\n", "yaml")
    assert problem.startswith('spring.yaml, "fallback": ')
    (problem,) = refused("version: 1\ndefaults: {fallback: yrad}\njobs: [a, b]\n", "yaml")
    assert problem.startswith('spring.yaml, "defaults": ')


def test_a_list_for_all_rows_may_name_the_provider_of_some(plan, refused):
    """Each row leaves out its own; a list of nothing else is a mistake."""
    text = "prompt,seconds,provider\na,4,lab\nb,4,yard\n"
    assert turns(plan(text, fallback=("lab", "yard"))) == [["yard:clip-1"], ["lab:clip-1"]]
    assert '"lab" is where the row is made at first.' in refused(text, fallback=("lab",))[0]


def test_parameters_go_along_where_the_fallback_has_them(plan):
    """Read as that provider reads them; what is left out is said."""
    batch = plan("prompt,seed,negative prompt,fallback\na,7,rain,yard\nb,,snow,yard\n")

    assert [job.fallbacks[0].order.extra for job in batch.jobs] == [{"seed": 7}, {}]
    assert [job.order.extra for job in batch.jobs] == [
        {"seed": 7, "negativePrompt": "rain"},
        {"negativePrompt": "snow"},
    ]
    (warning,) = [str(warning) for warning in batch.warnings if "negative_prompt" in str(warning)]
    assert "(and 1 more): fallback yard takes no negative_prompt: it is left out there." in warning


@pytest.fixture
def with_shop(profiles):
    """A third provider, which takes sizes and shapes side by side."""
    mode = profiles["lab"].modes[0]
    sizes = {"allowed": ("1280x720", "1920x1080", "720p"), "default": "1280x720", "only": {}}
    shapes = Orientation(values={"square": "1:1", "landscape": "16:9"}, default="landscape")
    changes = {"models": ("clip-1",), "size": mode.size.model_copy(update=sizes), "orientation": shapes}
    profiles["shop"] = profiles["lab"].model_copy(update={"name": "shop", "modes": (mode.model_copy(update=changes),)})


@pytest.mark.parametrize(
    ("row", "picture", "words"),
    [
        ("lab,,1280x720,,yard", (None, "landscape"), []),
        ("lab,clip-2,720x720,,lab:film-1", (None, "square"), []),
        ("yard,,,portrait,lab", ("720x1280", None), []),
        ("shop,,1280x720,,lab", ("1280x720", None), []),
        ("shop,,1920x1080,,lab", ("1280x720", None), ["fallback lab makes 1280x720 instead of 1920x1080."]),
        ("shop,,720p,square,lab:clip-2", ("720x720", None), ["fallback lab:clip-2 makes 720x720 instead of 720p."]),
    ],
)
@pytest.mark.usefixtures("with_shop")
def test_a_fallback_makes_the_same_picture(plan, row, picture, words):
    """The size where it is made, else one of the same shape, which is said; else the shape alone."""
    batch = plan(f"prompt,seconds,provider,model,size,orientation,fallback\na,4,{row}\n")
    order = batch.jobs[0].fallbacks[0].order

    assert (order.size, order.orientation) == picture
    said = [str(warning).split(": ", 1)[1] for warning in batch.warnings if " makes " in str(warning)]
    assert said == words


def test_a_fallback_may_decide_the_length_itself_where_the_row_does_not(plan, refused, profiles):
    """A length that is only a default does not rule it out, and the difference is said; one that the row gives does."""
    mode = profiles["yard"].modes[0].model_copy(update={"seconds": None})
    profiles["yard"] = profiles["yard"].model_copy(update={"modes": (mode,)})
    batch = plan("prompt,fallback\na,yard\n")

    assert (batch.jobs[0].order.seconds, batch.jobs[0].fallbacks[0].order.seconds) == (4, None)
    words = "fallback yard decides itself how long a clip is, and lab makes 4 s."
    assert [words in str(warning) for warning in batch.warnings].count(True) == 1
    (problem,) = refused("prompt,seconds,fallback\na,,yard\nb,4,yard\n")
    assert problem.startswith(
        'spring.csv, row 2 (line 3), column "fallback": fallback yard: seconds: yard decides itself'
    )


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ("lab:clip-2", "fallback lab:clip-2 is dearer: 1.20 USD instead of 0.40 at lab."),
        ("yard", "fallback yard costs 3 CNY, and lab 0.40 USD."),
        ("free", "fallback free has no known price."),
    ],
)
def test_a_dearer_fallback_another_currency_and_an_unknown_price_are_warned_of(plan, profiles, fallback, words):
    """Nobody should pay more without having been told."""
    profiles["free"] = profiles["lab"].model_copy(update={"name": "free", "prices": ()})

    (warning,) = plan("prompt\na\nb\n", fallback=(fallback,)).warnings
    assert str(warning) == f'spring.csv, row 1 (line 2), column "fallback" (and 1 more): {words}'


def test_a_cheaper_fallback_needs_no_word(plan):
    """It is what one hopes for."""
    assert plan("prompt,model\na,clip-2\n", fallback=("lab:clip-1",)).warnings == ()


def test_clips_that_are_remixed_and_remixes_have_no_fallback(plan):
    """A remix is made where its parent was made; that is said once."""
    batch = plan("id,prompt,remix_of,model\na,x,,clip-2\nb,y,A,\nc,z,,\n", fallback=("yard",))

    assert turns(batch) == [[], [], ["yard:clip-1"]]  # yard does not have the model of the first, which is no matter
    (warning,) = [str(warning) for warning in batch.warnings if "is not heeded" in str(warning)]
    assert 'column "fallback" (and 1 more): is not heeded for clips that are remixed, and for remixes' in warning


def test_so_it_is_with_a_row_that_is_remixed_by_its_derived_id(plan):
    """That id is known only when the row is planned."""
    name = plan("prompt\nx\n").jobs[0].id
    batch = plan(f"prompt,remix_of\nx,\ny,{name}\n", fallback=("yard",))
    assert turns(batch) == [[], []]


def test_the_hash_of_a_plan_counts_the_fallbacks(plan):
    """Whoever approved a plan approved what it may turn to, and at what price."""
    without = plan("id,prompt\na,x\n")
    hashes = {plan_hash(plan("id,prompt\na,x\n", fallback=names).jobs) for names in ((), ("yard",), ("lab:clip-2",))}

    assert len(hashes) == 3
    assert plan_hash(without.jobs) in hashes
    (job,) = plan("id,prompt\na,x\n", fallback=("yard",)).jobs
    dearer = job.model_copy(update={"fallbacks": (job.fallbacks[0].model_copy(update={"cost_estimated": Decimal(4)}),)})
    assert plan_hash([dearer]) != plan_hash([job])


ORDER = Order(provider="lab", mode="clip", model="clip-1", prompt="a", seconds=4, size="1280x720")


@pytest.mark.parametrize(
    ("turned", "price", "words"),
    [
        ({}, Quote(Decimal(1), "USD", assumed=False), []),
        ({}, Quote(Decimal("0.5"), "USD", assumed=False), []),
        ({}, Quote(Decimal(2), "USD", assumed=False), ["is dearer: 2 USD instead of 1 at lab."]),
        ({}, Quote(Decimal(1), "CNY", assumed=False), ["costs 1 CNY, and lab 1 USD."]),
        ({"seconds": None}, None, ["decides itself how long a clip is, and lab makes 4 s.", "has no known price."]),
        ({"size": "720x720"}, Quote(Decimal(1), "USD", assumed=False), ["makes 720x720 instead of 1280x720."]),
        ({"size": None}, Quote(Decimal(1), "USD", assumed=False), []),
    ],
)
def test_a_fallback_is_told_by_what_it_does_otherwise(turned, price, words):
    """Another length or size, another currency, a higher price or none that is known; less money needs no word."""
    assert (
        list(contrasts(ORDER, ORDER.model_copy(update=turned), Quote(Decimal(1), "USD", assumed=False), price)) == words
    )
