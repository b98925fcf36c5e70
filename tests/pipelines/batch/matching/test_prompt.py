from __future__ import annotations

import pytest

CAT = "\U0001f408"  # one character, two UTF-16 code units, four bytes


@pytest.mark.parametrize(
    ("counted_in", "most", "unit"), [("characters", 40, "characters"), ("bytes", 10, "bytes of UTF-8"), ("utf16", 20, "UTF-16 code units")]
)  # fmt: skip
def test_a_prompt_is_counted_as_its_provider_counts(plan, refused, profiles, counted_in, most, unit):
    """Forty of something are forty, ten or twenty cats; the message says what was counted."""
    profiles["yard"] = profiles["yard"].model_copy(update={"prompt_counted_in": counted_in})

    assert plan(f"prompt\n{CAT * most}\n", provider="yard").jobs
    (problem,) = refused(f"prompt\n{CAT * (most + 1)}\n", provider="yard")
    length = (most + 1) * 40 // most
    assert f'row 1 (line 2), column "prompt": has {length} {unit}: ' in problem
    assert "yard takes at most 40." in problem


def test_a_mode_may_take_less_than_its_provider(refused):
    """The limit is that of the mode which the row fits."""
    (problem,) = refused("prompt,model\nthirteen signs,film-1\n")
    assert "has 14 characters" in problem
    assert "at most 12" in problem


def test_the_limit_of_one_protocol_is_not_that_of_another(read, problems):
    """Qiniu's 2,500 characters are said of /videos only; of Veo no limit is published."""
    assert read(f"prompt,model\n{'x' * 3_000},veo-3.0-generate-preview\n").jobs
    (problem,) = problems(f"prompt,model\n{'x' * 3_000},kling-v2-6\n")
    assert "at most 2,500" in problem or "at most 2500" in problem


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\u3000\ufeff"])
def test_v12_a_prompt_that_says_nothing_is_refused(refused, text):
    """Blank is blank, whatever it is made of."""
    (problem,) = refused(f'id,prompt\na,"{text}"\n')
    assert 'row 1 (line 2), column "prompt": is empty.' in problem


def test_an_empty_prompt_is_fine_where_the_mode_needs_none(plan):
    """Some only animate a picture or make a clip sharper; then nothing is said of equal prompts either."""
    batch = plan('id,prompt,model\na,"\u200b",film-1\nb,,film-1\n')

    assert [job.order.prompt for job in batch.jobs] == ["", ""]
    assert batch.warnings == ()
    assert plan("prompt,model\n,film-1\n").jobs[0].id.startswith("clip-")


def test_an_empty_prompt_chooses_a_mode_that_needs_none(plan, profiles):
    """The first one that takes all that the row gives, and no less."""
    lab = profiles["lab"]
    silent = lab.modes[0].model_copy(update={"name": "still", "prompt_optional": True})
    profiles["lab"] = lab.model_copy(update={"modes": (*lab.modes, silent)})

    assert [job.order.mode for job in plan("prompt,id\nx,a\n,b\n").jobs] == ["clip", "still"]


def test_a_template_that_leaves_nothing_is_refused(plan, refused):
    """Unless nothing is enough."""
    assert "is empty once its columns are filled in" in refused("prompt,x\n{{ x }},\n")[0]
    assert plan("prompt,x,model\n{{ x }},,film-1\n").jobs[0].order.prompt == ""


def test_an_empty_prompt_is_told_although_the_provider_is_not_known(refused):
    """All problems at once."""
    found = refused("prompt,provider\n,nobody\n")
    assert [problem.split('"')[1] for problem in found] == ["provider", "prompt"]
