from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.core.errors import ProfileError, SetupError
from pipelines.providers.profile.files import PROFILES_FOLDER
from pipelines.providers.profile.load import find_profiles, known_profiles, profile_source, shipped_profiles

LUMAFOX = """
name: lumafox
title: Lumafox
contract: openai
base_url: https://api.lumafox.example/v1
default_model: fox-1
prompt_most: 1000
modes:
  - name: video
    models: [fox-1]
    seconds: {allowed: [4, 8], default: 4, field: length, type: integer}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory, and a home without profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def write(here):
    """Write a profile file into a folder; a path that is not absolute is one below the working directory."""

    def put(text: str, name: str = "lumafox.yaml", folder: Path | str = PROFILES_FOLDER) -> Path:
        path = here / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return put


def problems_of(*files, **more):
    with pytest.raises(ProfileError) as refused:
        find_profiles(files, **more)
    return [str(problem) for problem in refused.value.problems]


def test_without_files_there_are_the_shipped_ones(here):
    """Who adds nothing has what comes with reelbatch, and nothing to be told."""
    found = find_profiles(beside=here / "batch.csv")
    assert (found.profiles, found.files, found.notes) == (shipped_profiles(), {}, ())


@pytest.mark.parametrize("place", ["beside", "here", "home", "named"])
def test_a_file_in_each_place_is_found(here, write, tmp_path, place):
    """A profile counts beside the batch file, in the working directory, in the user's configuration, and when named."""
    folders = {
        "beside": tmp_path / "batches" / PROFILES_FOLDER,
        "here": here / PROFILES_FOLDER,
        "home": tmp_path / "config" / "reelbatch" / "providers",
        "named": tmp_path,
    }
    path = write(LUMAFOX, "fox.yml", folders[place])
    found = find_profiles([path] if place == "named" else [], beside=tmp_path / "batches" / "spring.csv")
    assert found.profiles["lumafox"].base_url == "https://api.lumafox.example/v1"
    assert set(found.profiles) == {*shipped_profiles(), "lumafox"}
    assert found.files["lumafox"].resolve() == path
    assert found.notes == ()


def test_the_nearest_of_one_name_counts(here, write, tmp_path):
    """Named before beside the batch file, before here, before home; and the one that is passed over is said."""
    home = tmp_path / "config" / "reelbatch" / "providers"
    for number, folder in enumerate([tmp_path, tmp_path / "batches" / PROFILES_FOLDER, PROFILES_FOLDER, home]):
        write(LUMAFOX.replace("1000", str(1000 + number)), folder=folder)
    beside = tmp_path / "batches" / "spring.csv"
    assert known_profiles([tmp_path / "lumafox.yaml"], beside=beside)["lumafox"].prompt_most == 1000
    assert known_profiles(beside=beside)["lumafox"].prompt_most == 1001
    found = find_profiles()
    assert found.profiles["lumafox"].prompt_most == 1002
    (note,) = found.notes
    assert note.startswith(f"{PROFILES_FOLDER}/lumafox.yaml replaces {home}/lumafox.yaml of the name lumafox")


def test_a_folder_that_is_two_places_counts_once(here, write):
    """A batch file in the working directory has the same folder beside it: that is no second profile."""
    path = write(LUMAFOX)
    found = find_profiles([path], beside=here / "batch.csv")
    assert (found.notes, found.files["lumafox"]) == ((), path)


def test_what_is_no_profile_file_is_left_alone(here, write):
    """Other endings and hidden files are not read."""
    for name in ("readme.md", ".lumafox.yaml", "lumafox.yaml~"):
        write("{", name)
    assert find_profiles().profiles == shipped_profiles()


def test_a_shipped_profile_may_be_replaced_and_that_is_said(here, write):
    """A file of a shipped name stands for it; the user hears of it, and of where the orders go."""
    write(LUMAFOX.replace("name: lumafox", "name: qiniu"))
    found = find_profiles()
    assert found.profiles["qiniu"].default_model == "fox-1"
    (note,) = found.notes
    assert "replaces the shipped profile of the name qiniu" in note
    assert "https://api.lumafox.example/v1" in note


def test_a_key_that_is_meant_for_another_is_said(here, write):
    """A file that came with somebody's batch cannot quietly send one provider's key to another host."""
    write(LUMAFOX + "key_env: [LUMAFOX_API_KEY, OPENAI_API_KEY]\n")
    (note,) = find_profiles().notes
    assert "sends the key in OPENAI_API_KEY to https://api.lumafox.example/v1" in note


def test_each_key_that_goes_elsewhere_is_said(here, write):
    """Every variable counts, not only the first; and whose it is, be that a shipped profile or one of the user's own."""
    write(LUMAFOX + "key_env: [OPENAI_API_KEY, ACEDATA_VEO_API_KEY, OWLET_API_KEY]\n")
    write(LUMAFOX.replace("lumafox", "owlet"), "owlet.yaml")
    assert find_profiles().notes == tuple(
        f"{PROFILES_FOLDER}/lumafox.yaml sends the key in {variable} to https://api.lumafox.example/v1; it is meant for {owner}."
        for variable, owner in (
            ("OPENAI_API_KEY", "openai"),
            ("ACEDATA_VEO_API_KEY", "acedata-veo"),
            ("OWLET_API_KEY", "owlet"),
        )
    )


def test_a_key_that_stays_on_its_host_is_no_news(here, write):
    """Two accounts at one address may share a key, and a provider's own key is its own."""
    write(LUMAFOX)
    write(LUMAFOX.replace("name: lumafox", "name: owlet") + "key_env: [LUMAFOX_API_KEY]\n", "owlet.yaml")
    assert find_profiles().notes == ()


def test_a_file_of_a_shipped_name_leaves_its_sisters_as_they_are(here, write):
    """What somebody writes about `openai` is no word about the gateways that are shipped."""
    write("extends: openai\nname: openai\non_server_error: rejected\npaths: {submit: /my/orders}\n", "openai.yaml")
    found = find_profiles()
    assert found.profiles["openai"].on_server_error == "rejected"
    for name in ("litellm", "new-api"):
        assert found.profiles[name] == shipped_profiles()[name]


def test_a_thousand_problems_are_not_a_thousand_lines(here, write):
    """The first twenty, and how many more there are; each of them can be had from the error."""
    write(LUMAFOX + "".join(f"key_{number}: x\n" for number in range(1_000)))
    with pytest.raises(ProfileError) as refused:
        find_profiles()
    assert len(refused.value.problems) == 1_000
    *first, last = str(refused.value).splitlines()
    assert (len(first), last) == (20, "There are 980 more problems.")


def test_every_problem_of_every_file_comes_at_once(here, write):
    """Each is said in one line with file, line, place in the file, what is wrong and what is allowed."""
    write(LUMAFOX.replace("contract: openai", "contract: opnai").replace("default: 4", "defalt: 4"))
    write("name: [x\n", "broken.yaml")
    write("- a\n", "list.yaml")
    said = problems_of(here / "nowhere.yaml")
    assert said == [
        "nowhere.yaml: cannot be read: there is no such file.",
        f"{PROFILES_FOLDER}/broken.yaml, line 2, column 1: while parsing a flow sequence, begun on line 1: did not find expected ',' or ']'.",
        f"{PROFILES_FOLDER}/list.yaml: is not a mapping. Write `name: value` lines; see docs/profiles.md.",
        f'{PROFILES_FOLDER}/lumafox.yaml, line 4, contract: "opnai" is not allowed. Allowed: openai, acedata, veo, fal, described.',
        f"{PROFILES_FOLDER}/lumafox.yaml, line 11, modes[0].seconds.default: is missing.",
        f'{PROFILES_FOLDER}/lumafox.yaml, line 11, modes[0].seconds.defalt: is not a field here. Did you mean "default"?',
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: \xff\n", "not UTF-8 (byte 6)"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
        (None, "it is not a file"),
    ],
)
def test_a_file_that_cannot_be_read_is_said(here, write, content, words):
    """Whatever lies there under the name of a profile is read in bounds, or refused in words."""
    path = write("")
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    (said,) = problems_of()
    assert said.startswith(f"{PROFILES_FOLDER}/lumafox.yaml: cannot be read: ")
    assert words in said


def test_two_files_of_one_name_in_one_place_are_refused(here, write):
    """Nobody could say which of the two counts."""
    write(LUMAFOX)
    write(LUMAFOX, "second.yaml")
    (said,) = problems_of()
    assert said.startswith(
        f'{PROFILES_FOLDER}/second.yaml, line 2, name: "lumafox" is the name of {PROFILES_FOLDER}/lumafox.yaml too.'
    )


def test_the_text_of_each_profile_can_be_had(here, write):
    """Shipped or one's own, it is the file as it stands; a file that has gone since is an error with its name."""
    path = write(LUMAFOX + "# a remark\n")
    known = find_profiles()
    assert all(f"\nname: {name}\n" in f"\n{profile_source(known, name)}" for name in shipped_profiles())
    assert profile_source(known, "lumafox").endswith("# a remark\n")
    path.unlink()
    with pytest.raises(SetupError, match=r"lumafox\.yaml cannot be read"):
        profile_source(known, "lumafox")
