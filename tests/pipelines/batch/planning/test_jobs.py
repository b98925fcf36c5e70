from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.batch.planning import jobs
from pipelines.core.job import Job, Order
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.profile.order_parts import Parameter


def test_a_row_becomes_a_whole_job(read):
    """Everything that decides the request is explicit, and the price is exact."""
    (job,) = read("id,prompt,seconds,orientation,tags,owner\nx,a cat,8,16:9,a|b,bob\n").jobs

    assert job == Job(
        id="x",
        row=1,
        campaign="spring",
        order=Order(provider="qiniu", mode="video", model="sora-2", prompt="a cat", seconds=8, size="1280x720"),
        filename="x.mp4",
        tags=("a", "b"),
        own={"owner": "bob"},
        cost_estimated=Decimal("0.80"),
        currency="USD",
        price_assumed=True,
    )
    assert Job.model_validate(job.model_dump()) == job
    assert job.order.fingerprint() == Order.model_validate(job.order.model_dump()).fingerprint()


@pytest.mark.parametrize(
    ("row", "command", "defaults", "file", "winner"),
    [
        ("acedata", "qiniu", "openai", "openai", "acedata"),
        ("", "qiniu", "openai", "openai", "qiniu"),
        ("", None, "acedata", "openai", "acedata"),
        ("", None, "", "openai", "openai"),
        ("AceData", None, "", "", "acedata"),
    ],
)
def test_a_rows_own_provider_wins_then_the_command_line_then_the_file(read, row, command, defaults, file, winner):
    """The nearer to the row, the stronger; the command line stands above what the file says for all."""
    text = f"version: 1\nprovider: {file}\ndefaults: {{provider: {defaults}}}\njobs: [{{prompt: a, provider: {row}}}]\n"
    assert read(text, "yaml", provider=command).jobs[0].order.provider == winner


def test_no_or_an_unknown_provider_is_refused_with_the_known_ones(problems):
    """Once for the whole file where the reason is the same."""
    (problem,) = problems("prompt\na\nb\nc\n", provider=None)
    assert "(and 2 more): no provider is given." in problem
    assert all(name in problem for name in shipped_profiles())
    assert problems("prompt\na\nb\n", provider="qinu") == [
        '--provider: there is no provider "qinu". Did you mean "qiniu"?'
    ]
    assert 'row 1 (line 2), column "provider"' in problems("prompt,provider\na,sora\n")[0]


def test_all_problems_of_all_rows_come_at_once(problems):
    """Nobody mends a file one message at a time."""
    found = problems("prompt,seconds,size,takes\n,4,,\nb,9,1x1,\nc,x,,0\n")

    assert [problem.split(": ")[0].removeprefix("spring.csv, ") for problem in found] == [
        'row 1 (line 2), column "prompt"',
        'row 2 (line 3), column "seconds"',
        'row 2 (line 3), column "size"',
        'row 3 (line 4), column "seconds"',
        'row 3 (line 4), column "takes"',
    ]


def test_messages_name_the_column_as_the_user_wrote_it(problems):
    """Who wrote `Duration` looks for `Duration`."""
    assert 'row 1 (line 2), column "Duration"' in problems("prompt,Duration\na,9\n")[0]


def test_v09_control_characters_are_refused_in_every_cell(problems):
    """With the column and the place; tabs and line ends are text."""
    (problem,) = problems("prompt,owner\na,b\x07c\n")
    assert """column "owner": has a character that is not text: '\\x07' at 2""" in problem


def test_v10_a_prompt_beyond_the_providers_limit_is_refused_with_its_first_words(read, problems):
    """Counted in characters, as the provider counts."""
    assert read("prompt\n" + "猫" * 2500 + "\n").jobs
    (problem,) = problems("prompt\n" + "猫" * 2501 + "\n")
    assert "has 2,501 characters" in problem
    assert "猫" * 80 in problem
    assert "猫" * 81 not in problem


def test_v11_prompts_reach_the_order_unchanged(read):
    """Emoji, joiners, marks of direction and combining marks are the author's."""
    prompt = "👩‍🚀 שלום \u202eabc\u202c e\u0301 ﬁ"
    assert read(f"prompt\n{prompt}\n").jobs[0].order.prompt == prompt


def test_v12_equal_prompts_are_allowed_and_said_with_their_cost(read):
    """One warning for each prompt, with all its rows."""
    batch = read("prompt\na cat\na dog\na cat\n")

    assert len({job.id for job in batch.jobs}) == 3
    (warning,) = batch.warnings
    assert (
        'row 3 (line 4), column "prompt": has the same prompt as others, "a cat": rows 1, 3 (lines 2, 4) cost 0.80 USD together.'
        in str(warning)
    )


def test_takes_and_disabled_rows_do_not_count_as_equal_prompts(read):
    """They are meant."""
    assert read("prompt,takes,enabled\na cat,3,\na cat,,no\n").warnings == ()


def test_remixes_of_different_clips_are_different(plan):
    """Whatever their prompt; twice the same of one clip is said."""
    rows = "id,prompt,remix_of\na,x,\nb,y,\nc,at night,a\nd,at night,b\n"
    assert plan(rows).warnings == ()
    assert "has the same prompt as others" in str(plan(rows + "e,at night,a\n").warnings[0])


def test_v13_ids_used_twice_are_refused_naming_all_rows(problems):
    """Case does not tell ids apart, and a take can meet an id as well."""
    found = problems("id,prompt,takes\na,1,2\nA,2,\na,3,\nb-t2,4,\nb,5,2\n")

    assert len(found) == 2
    assert 'the id "a" is used 3 times: rows 1, 2, 3 (lines 2, 3, 4).' in found[0]
    assert 'the id "b-t2" is used 2 times: rows 4, 5 (lines 5, 6).' in found[1]


def test_v15_derived_ids_do_not_depend_on_the_order_of_rows(read):
    """Re-ordering rows never pays again, and equal rows are numbered."""
    rows = ["a red cat,4", "a red cat,8", "一只猫,4", "a red cat,4"]
    there = read("prompt,seconds\n" + "\n".join(rows) + "\n").jobs
    back = read("prompt,seconds\n" + "\n".join(reversed(rows)) + "\n").jobs

    assert {job.id: job.order for job in there} == {job.id: job.order for job in back}
    assert there[3].id == f"{there[0].id}-2"
    assert there[0].id.startswith("a-red-cat-")
    assert there[2].id.startswith("clip-")


def test_takes_are_jobs_of_their_own(read):
    """The first keeps the id, and each has its own file."""
    batch = read("id,prompt,takes,filename\na,x,3,\nb,y,2,clips/y\nc,z,2,{{ take }}-{{ id }}\n")

    assert [(job.id, job.take, job.filename, job.row) for job in batch.jobs] == [
        ("a", 1, "a.mp4", 1),
        ("a-t2", 2, "a-t2.mp4", 1),
        ("a-t3", 3, "a-t3.mp4", 1),
        ("b", 1, "clips/y.mp4", 2),
        ("b-t2", 2, "clips/y-t2.mp4", 2),
        ("c", 1, "1-c.mp4", 3),
        ("c-t2", 2, "2-c-t2.mp4", 3),
    ]


def test_disabled_rows_are_kept_and_not_made(read):
    """By `enabled` or by `skip`."""
    assert [job.enabled for job in read("prompt,enabled\na,\nb,no\nc,Skip\nd,1\n").jobs] == [True, False, False, True]
    assert [job.enabled for job in read("prompt,skip\na,\nb,yes\nc,no\n").jobs] == [True, False, True]


def test_templates_see_own_columns_canonical_columns_and_what_was_decided(read):
    """Also in file names, and values are inserted once."""
    batch = read(
        'id,prompt,filename,Product Name\nx,"{{ product_name }} for {{ seconds }} s, {{ size }}",{{ product_name | slug }},{{ id }} Shoe\n'
    )
    (job,) = batch.jobs

    assert job.order.prompt == "{{ id }} Shoe for 4 s, 720x1280"
    assert job.filename == "id-shoe.mp4"


def test_a_template_with_a_missing_name_is_refused(problems):
    """With the row and the names that exist."""
    (problem,) = problems("prompt,owner\na {{ ownr }},bob\n")

    assert 'row 1 (line 2), column "prompt": there is no "ownr" here. Names: ' in problem
    assert "owner" in problem


def test_v29_prompts_keep_what_looks_like_a_variable(read):
    """$OPENAI_API_KEY in a prompt stays text."""
    prompt = "$OPENAI_API_KEY ${HOME} %PATH% {x} {#y#}"
    assert read(f"prompt\n{prompt}\n").jobs[0].order.prompt == prompt


def test_v25_two_rows_may_not_write_one_file(problems):
    """Case and folders included."""
    assert "2 videos would be written to" in problems("prompt,filename\na,Clip\nb,clip.mp4\n")[0]
    assert "would be a file and a folder" in problems("prompt,filename\na,x.mp4\nb,x.mp4/y\n")[0]
    assert "leads out of the folder" in problems("prompt,filename\na,../x\n")[0]


def test_a_closed_provider_is_warned_of_with_the_date(read):
    """Once for the batch, with the variable to set."""
    warnings = [str(w) for w in read("prompt\na\nb\n", provider="openai").warnings]

    assert len(warnings) == 1
    assert "2026-09-24" in warnings[0]
    assert "OPENAI_BASE_URL" in warnings[0]


def test_the_same_warning_for_many_rows_is_said_once(read):
    """With how many more there are."""
    warnings = [str(w) for w in read("prompt,model\na,wan\nb,wan\nc,wan\n", provider="openai").warnings]

    assert warnings[0].startswith('spring.csv, row 1 (line 2), column "model" (and 2 more): ')


def test_a_providers_own_parameters_reach_the_order(read):
    """Under their own names, and they stay among the user's columns."""
    qiniu = shipped_profiles()["qiniu"]
    mode = qiniu.modes[0].model_copy(update={"parameters": {"negative_prompt": Parameter()}})
    profiles = {"qiniu": qiniu.model_copy(update={"modes": (mode,)})}
    batch = read("prompt,Negative Prompt\na,rain\nb,\n", profiles=profiles)

    assert [job.order.extra for job in batch.jobs] == [{"negative_prompt": "rain"}, {}]
    assert batch.columns == ("Negative Prompt",)


def test_too_many_takes_of_too_many_rows_are_refused(problems, monkeypatch):
    """A batch is kept in memory, and a person should know about a quarter of a million videos."""
    assert jobs.MOST_ROWS == 250_000
    monkeypatch.setattr(jobs, "MOST_ROWS", 250)
    assert "makes more than 250 jobs" in problems("prompt,takes\n" + "a,10\n" * 26)[-1]
