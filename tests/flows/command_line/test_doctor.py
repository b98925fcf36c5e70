from __future__ import annotations

import pytest


@pytest.fixture
def findings(cli, monkeypatch):
    """What `doctor --json` finds, by the name of the check, and its exit code."""

    def run(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        ended = cli("doctor", "--json", *arguments)
        return {finding["name"]: finding for finding in ended.json}, ended.code

    return run


def test_it_checks_everything(findings, prefect_api):
    """`doctor` looks at Python, the pins, Prefect's server, ports, disk, SQLite, the clock and every key; no key is no fault."""
    found, code = findings(PREFECT_API_URL=prefect_api, QINIU_API_KEY="sk-something-secret")
    wanted = {
        "Python",
        "prefect",
        "fastapi",
        "sqlalchemy",
        "Prefect server",
        "ports",
        "disk",
        "folder",
        "SQLite",
        "clock",
    }
    assert wanted | {"key of qiniu", "key of acedata", "key of openai"} <= set(found)
    for name in ("Python", "prefect", "folder", "SQLite", "clock", "key of qiniu"):
        assert found[name]["health"] == "ok"
    assert found["key of openai"]["health"] == "note"
    assert "sk-something-secret" not in str(found)
    assert code == (2 if any(finding["health"] == "bad" for finding in found.values()) else 0)


def test_it_sees_what_is_wrong(findings, prefect_api, monkeypatch):
    """A package outside its pins, and a folder that cannot be written, are bad, and exit code 2."""
    monkeypatch.setattr("pipelines.run.doctor.version", lambda name: {"fastapi": "0.151.0"}.get(name, "3.8.8"))
    found, code = findings("--out", "/proc/nowhere", PREFECT_API_URL=prefect_api)
    assert code == 2
    assert (found["fastapi"]["health"], found["folder"]["health"]) == ("bad", "bad")
    assert "0.151" in found["fastapi"]["words"]


def test_k04_it_sees_a_key_that_cannot_be_sent(findings, prefect_api):
    """Two keys in one variable are found before a run, and are not shown."""
    found, code = findings(PREFECT_API_URL=prefect_api, QINIU_API_KEY="sk-CANARY-1\nsk-CANARY-2")
    assert (found["key of qiniu"]["health"], code) == ("bad", 2)
    assert "CANARY" not in str(found)


def test_it_asks_the_providers(findings, prefect_api, provider):
    """`--live` asks each provider that has a key whether it answers, without sending the key."""
    environment = provider.environment() | {"QINIU_BASE_URL": "http://127.0.0.1:9/v1"}
    found, code = findings("--live", PREFECT_API_URL=prefect_api, **environment)
    assert (found["acedata live"]["health"], found["qiniu live"]["health"], code) == ("ok", "bad", 2)


def test_it_knows_profiles_of_ones_own(findings, prefect_api, provider, tmp_path):
    """A profile that the user added is looked at like the others, its address too, from the folder or by `--profile`."""
    text = "name: {}\nextends: openai\nbase_url: https://render.lumafox.example/v1\n"
    (tmp_path / "reelbatch.providers").mkdir()
    (tmp_path / "reelbatch.providers" / "fox.yaml").write_text(text.format("lumafox"), "utf-8")
    (tmp_path / "owl.yaml").write_text(text.format("owl"), "utf-8")
    environment = {"LUMAFOX_API_KEY": "sk-something-secret", "LUMAFOX_BASE_URL": f"{provider.url}/openai/v1"}
    found, _ = findings("--live", "--profile", "owl.yaml", PREFECT_API_URL=prefect_api, **environment)
    assert (found["key of lumafox"]["health"], found["lumafox live"]["health"]) == ("ok", "ok")
    assert provider.url in found["key of lumafox"]["words"]
    assert (found["key of owl"]["health"], "OWL_API_KEY" in found["key of owl"]["words"]) == ("note", True)
    assert "secret" not in str(found)


def test_for_people_it_is_a_table(cli, monkeypatch, prefect_api):
    """Without `--json` it is one line a check."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    ended = cli("doctor")
    assert ended.err == ""
    assert "journal mode" in ended.out


def test_it_names_packages_that_shadow_ours(findings, prefect_api, tmp_path):
    """A package of the user's own with the name of one of ours is named, with what to do."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").touch()
    found, _ = findings(PREFECT_API_URL=prefect_api)
    assert found["name flows"]["health"] == "note"
    assert str(tmp_path / "flows" / "__init__.py") in found["name flows"]["words"]
    assert "name tasks" not in found
