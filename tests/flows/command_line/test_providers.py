from __future__ import annotations

import pytest

from pipelines.providers.profile.load import shipped_profiles

NAMES = sorted(shipped_profiles())

FOX = """
name: lumafox
extends: openai
title: Lumafox
base_url: https://render.lumafox.example/v1
"""


@pytest.fixture
def fox(tmp_path):
    """A profile of the user's own where the command is given."""
    path = tmp_path / "reelbatch.providers" / "lumafox.yaml"
    path.parent.mkdir()
    path.write_text(FOX, "utf-8")
    return path


def test_all_of_them(cli):
    """`providers` shows each provider with what it takes and costs, for people and for machines."""
    for_people, for_machines = cli("providers"), cli("providers", "--json")
    assert (for_people.code, for_machines.code) == (0, 0)
    assert [line.split()[0] for line in for_people.out.splitlines()[1 : len(NAMES) + 1]] == NAMES
    assert [profile["name"] for profile in for_machines.json] == NAMES


@pytest.mark.parametrize(("width", "columns"), [(80, 4), (120, 8), (200, 8)])
def test_the_table_fits_the_terminal(cli, monkeypatch, width, columns):
    """A provider is one line, and what a narrow terminal has no room for is left to the cards."""
    monkeypatch.setenv("COLUMNS", str(width))
    head, *lines = cli("providers").out.splitlines()
    assert len(head.replace("price from", "price").split()) == columns
    assert max(map(len, lines)) <= width
    assert lines[len(NAMES)] == ""


@pytest.mark.parametrize("name", NAMES)
def test_one_in_full(cli, name):
    """`providers NAME` shows its address, key, modes, prices with their date and source, and limits."""
    profile = shipped_profiles()[name]
    ended = cli("providers", name)
    assert ended.code == 0
    said = " ".join(ended.out.split())
    for word in (name, "address", profile.key_names[0], "as of", "limits"):
        assert word in said
    for mode in profile.modes:
        assert f"mode {mode.name}" in said
        assert all(model in ended.out.replace("\n", "").replace(" ", "") for model in mode.models)
        assert all(f"{parameter}:" in said for parameter in mode.parameters)
    assert [profile["name"] for profile in cli("providers", name, "--json").json] == [name]


def test_a_key_is_never_shown(cli, monkeypatch):
    """The card says whether key and address are set, and shows the address only."""
    monkeypatch.setenv("QINIU_API_KEY", "sk-something-secret")
    monkeypatch.setenv("QINIU_BASE_URL", "http://localhost:8000/v1")
    card = cli("providers", "qiniu").out
    assert "QINIU_API_KEY: set" in card
    assert "http://localhost:8000/v1, set by QINIU_BASE_URL" in card
    assert "secret" not in card + cli("providers").out + cli("providers", "qiniu", "--json").out


def test_a_closed_address_is_said_until_another_is_set(cli, monkeypatch):
    """OpenAI's own service has closed; with another address the table says whether the key is set."""
    state = {line.split()[0]: line.strip() for line in cli("providers").out.splitlines() if line}
    assert state["openai"].endswith("retired")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    state = {line.split()[0]: line.strip() for line in cli("providers").out.splitlines() if line}
    assert state["openai"].endswith("no key set")


def test_a_profile_of_ones_own(cli, fox):
    """A file in reelbatch.providers/ is a provider like the others, and its card says where it came from."""
    assert "lumafox" in [profile["name"] for profile in cli("providers", "--json").json]
    card = cli("providers", "lumafox").out
    for word in ("reelbatch.providers/lumafox.yaml", "https://render.lumafox.example/v1", "LUMAFOX_API_KEY: not set"):
        assert word in card


def test_a_profile_can_be_named(cli, tmp_path):
    """`--profile FILE` reads one from anywhere."""
    (tmp_path / "elsewhere.yml").write_text(FOX, "utf-8")
    assert "Lumafox" in cli("providers", "lumafox", "--profile", "elsewhere.yml").out


def test_a_profile_can_be_copied(cli, fox):
    """`providers NAME --yaml` prints the text of a profile, one's own or shipped; under another name it is a provider."""
    assert cli("providers", "lumafox", "--yaml").out.strip() == FOX.strip()
    shipped = cli("providers", "acedata-kling", "--yaml").out
    fox.write_text(shipped.replace("name: acedata-kling", "name: lumafox", 1), "utf-8")
    (copied,) = cli("providers", "lumafox", "--json").json
    assert copied["modes"] == shipped_profiles()["acedata-kling"].model_dump(mode="json")["modes"]


def test_a_replaced_profile_is_said_once(cli, fox):
    """A file that takes a shipped name is a warning on standard error, so that JSON stays a document."""
    fox.write_text(FOX.replace("lumafox\nextends", "qiniu\nextends"), "utf-8")
    ended = cli("providers", "--json")
    assert ended.code == 0
    assert ended.err.count("warning:") == 1
    assert "replaces the shipped profile of the name qiniu" in ended.err


@pytest.mark.parametrize("command", [["providers"], ["doctor"], ["sandbox", "--port", "0"], ["plan", "none.csv"]])
def test_a_broken_profile_ends_each_command(cli, fox, command):
    """Every problem of every file, exit code 2, nothing else, and no traceback."""
    fox.write_text(FOX + "prompt_most: many\nlimts: {}\n", "utf-8")
    (fox.parent / "second.yaml").write_text("name: a: b", "utf-8")
    ended = cli(*command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "error: reelbatch.providers/second.yaml, line 1, column 8: mapping values are not allowed in this context; put a text that has a colon and a space in it into quotes, or mend the indentation.",
        'reelbatch.providers/lumafox.yaml, line 6, prompt_most: "many" is not a whole number.',
        'reelbatch.providers/lumafox.yaml, line 7, limts: is not a field here. Did you mean "limits"?',
    ]


def test_an_unknown_one(cli):
    """A provider that is not there is exit code 2, with those that are."""
    ended = cli("providers", "nobody")
    assert (ended.code, ended.out) == (2, "")
    assert all(name in ended.err for name in NAMES)


@pytest.mark.parametrize("address", ["https://me:sesame@fox.example/v1", "https://fox.example/v1?key=sesame"])
def test_a_secret_in_an_address_is_never_shown(cli, monkeypatch, fox, address):
    """Neither that of a variable, which the card calls unusable, nor that of a profile, which is refused."""
    monkeypatch.setenv("QINIU_BASE_URL", address)
    card = cli("providers", "qiniu").out
    assert "not usable" in card
    assert "set by QINIU_BASE_URL" in card
    fox.write_text(FOX.replace("https://render.lumafox.example/v1", address), "utf-8")
    ended = cli("providers")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: reelbatch.providers/lumafox.yaml, line 5, base_url: is no address: ")
    assert "sesame" not in card + ended.err


@pytest.mark.parametrize(
    "address", ["https://fox.example:99999", "https://foo..example", f"https://{'x' * 64}.example"]
)
@pytest.mark.parametrize("command", [["providers"], ["doctor"], ["sandbox", "--port", "0"], ["plan", "none.csv"]])
def test_an_address_without_a_host_is_no_bug(cli, fox, command, address):
    """It is a mistake in a file, said with its line by each command, also where the key is another provider's."""
    own = FOX.replace("https://render.lumafox.example/v1", address) + "key_env: [OPENAI_API_KEY]\n"
    fox.write_text(own, "utf-8")
    ended = cli(*command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: reelbatch.providers/lumafox.yaml, line 5, base_url: is no address")


def test_a_profile_is_tried_before_it_is_paid_for(cli, tmp_path):
    """`check FILE` shows the very request with the key hidden, and says what it makes of answers."""
    (tmp_path / "answer.json").write_text('{"id": "p-1", "status": "dreaming"}')
    ended = cli("providers", "check", "replicate", "--answer", "answer.json")
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "POST https://api.replicate.com/v1/models/bytedance/seedance-1-pro/predictions",
        "authorization: Bearer (the key)",
        '"prompt": "a fox in the snow"',
        "GET https://api.replicate.com/v1/predictions/JOB-ID",
        "accepted, as job p-1",
        "the word 'dreaming' is not in `words`",
    ):
        assert words in ended.out
    document = cli("providers", "check", "kling", "--json").json
    assert document["requests"]["image"][0]["url"].endswith("/v1/videos/image2video")


def test_an_answer_that_contradicts_the_profile_ends_red(cli, tmp_path):
    """Exit code 1, with where the profile looks and what there is; the same answer at its own stage is fine."""
    (tmp_path / "answer.json").write_text('{"id": "p-1", "state": "done"}')
    ended = cli("providers", "check", "replicate", "--answer", "query=answer.json")
    assert (ended.code, ended.err) == (1, "")
    assert "nothing at `status`; there is: id, state" in ended.out
    document = cli("providers", "check", "replicate", "--answer", "answer.json", "--json")
    assert (document.code, document.json["answers"]["answer.json"]["fits"]) == (0, ["order"])
    assert "the answer to a query: paste one, and give it with --answer" in document.json["not_covered"]


def test_a_check_shows_the_address_in_force_and_a_full_order(cli, monkeypatch):
    """As a run would take it from the environment, with every part that an order may have, and a short picture."""
    assert "https://api.replicate.com/v1, from the profile" in cli("providers", "check", "replicate").out
    monkeypatch.setenv("REPLICATE_BASE_URL", "http://localhost:8000/v1")
    said = cli("providers", "check", "replicate").out
    assert said.startswith("address: http://localhost:8000/v1, set by REPLICATE_BASE_URL")
    assert "GET http://localhost:8000/v1/predictions/JOB-ID" in said
    assert "an order with every part that it may have" in said
    monkeypatch.setenv("REPLICATE_BASE_URL", "https://me:sesame@fox.example/v1")
    refused = cli("providers", "check", "replicate")
    assert (refused.code, refused.out) == (2, "")
    assert "sesame" not in refused.err


@pytest.mark.long
def test_a_rehearsal_says_what_it_proves(cli, fox):
    """It follows the profile, right or wrong."""
    said = cli("providers", "check", "lumafox", "--rehearse")
    assert said.code == 0
    assert "The rehearsal follows the profile itself; only --answer holds it against the API." in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "Say `reelbatch providers check FILE`"),
        (["--yaml"], "Say `reelbatch providers NAME --yaml`"),
        (["check", "kling", "--yaml"], "Say `reelbatch providers NAME --yaml`"),
        (["qiniu", "--rehearse"], "Say `reelbatch providers check FILE`"),
        (["check", "nobody"], 'There is no provider "nobody"'),
        (["check", "none.yaml"], "there is no such file"),
        (["check", "openai", "--answer", "none.json"], "cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_said(cli, arguments, words):
    """One error, exit code 2, nothing on standard output."""
    ended = cli("providers", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
