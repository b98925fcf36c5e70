from __future__ import annotations

import json
import time

import httpx
import pytest

PROFILE = {
    "name": "folder",
    "title": "A service of one's own",
    "contract": "acedata",
    "service": "paper",
    "base_url": "https://api.example.com",
    "default_model": "fold-1",
    "prompt_most": 100,
    "id_path": "data.job.id",
    "results": ["output.sheets[].address"],
    "words": {"cutting": "running", "folding": "running", "folded": "succeeded", "torn": "failed"},
    "limits": {"batch_query": 2},
    "modes": [
        {
            "name": "fold",
            "models": ["fold-1"],
            "seconds": {"allowed": [2], "default": 2, "field": "duration", "type": "integer"},
            "orientation": {"values": {"landscape": "wide", "square": "even"}, "default": "landscape", "field": "form"},
            "parameters": {"sheets": {"type": "integer", "least": 1, "most": 3, "multiplies_price": True}},
            "remix": {"path": "/paper/{id}/again"},
        },
        {
            "name": "glue",
            "models": ["glue-1"],
            "seconds": {"allowed": [2], "default": 2, "field": "duration", "type": "integer"},
            "results": ["glued"],
        },
    ],
}
ORDER = {"model": "fold-1", "prompt": "a crane", "duration": 2, "form": "even"}
PLACE = "/folder/v1/paper"


@pytest.fixture
def serving(start, tmp_path):
    file = tmp_path / "folder.yaml"
    file.write_text(json.dumps(PROFILE))
    return lambda **options: start(profile=(file,), **options)


def ended(client, identifier):
    until = time.monotonic() + 60
    while "finished_at" not in (task := client.post(f"{PLACE}/tasks", json={"id": identifier}).json()):
        assert time.monotonic() < until, task
        time.sleep(0.01)
    return task["response"]


def test_answers_are_where_the_profile_looks_for_them(serving, later):
    """The id, the words of every stage and all the clips stand at the profile's paths; it is answered at once."""
    with serving(latency="0.5") as client:
        answer = client.post(f"{PLACE}/videos", json={**ORDER, "sheets": 2}).json()
        identifier = answer["data"]["job"]["id"]
        words = {}
        while "finished_at" not in (task := client.post(f"{PLACE}/tasks", json={"id": identifier}).json()):
            for sheet in (task["response"] or {}).get("output", {}).get("sheets", []):
                words[sheet["state"]] = sheet
            later(0.01)
        sheets = task["response"]["output"]["sheets"]
        assert list(words) == ["cutting", "folding"]
        assert "address" not in words["folding"]
        assert [sheet["state"] for sheet in sheets] == ["folded", "folded"]
        films = [httpx.get(sheet["address"], trust_env=False, verify=False).content for sheet in sheets]
        assert all(film[4:8] == b"ftyp" for film in films)
        assert films[0] != films[1]
        line = client.get("/_sandbox/bill").json()[-1]
        assert (line["width"], line["height"], line["clips"]) == (720, 720, 2)


def test_a_mode_may_have_its_results_elsewhere(serving):
    """Where a mode names a place of its own, its clips stand there."""
    with serving() as client:
        order = {"model": "glue-1", "prompt": "a crane", "duration": 2}
        response = ended(client, client.post(f"{PLACE}/videos", json=order).json()["data"]["job"]["id"])
        assert response["glued"].startswith("http")
        assert response["state"] == "folded"


def test_a_clip_after_another_one_is_ordered_at_its_own_path(serving):
    """A remix at a path with the id needs a finished clip of the account."""
    with serving() as client:
        source = client.post(f"{PLACE}/videos", json=ORDER).json()["data"]["job"]["id"]
        ended(client, source)
        again = client.post(f"/folder/v1/paper/{source}/again", json={"prompt": "b"})
        assert again.status_code == 200
        assert client.get("/_sandbox/bill").json()[-1]["remixed_from"] == source
        unknown = client.post("/folder/v1/paper/unknown/again", json={"prompt": "b"})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "bad_request")


def test_failures_and_refusals_are_the_profiles_and_aces(serving):
    """A failed task says the profile's word, too many ids or a strange field are refused in Ace's envelope."""
    with serving() as client:
        rules = [{"match": {"route": "submit"}, "do": {"outcome": "generation_failed"}}]
        client.post("/_sandbox/faults", json=rules).raise_for_status()
        identifier = client.post(f"{PLACE}/videos", json=ORDER).json()["data"]["job"]["id"]
        response = ended(client, identifier)
        assert (response["success"], response["output"]["sheets"][0]["state"]) == (False, "torn")
        client.post("/_sandbox/faults", json=[]).raise_for_status()
        batch = {"ids": [identifier] * 3, "action": "retrieve_batch"}
        for path, body in (
            ("tasks", batch),
            ("videos", {**ORDER, "style": "x"}),
            ("videos", {**ORDER, "duration": "2"}),
            ("videos", {**ORDER, "form": "tall"}),
            ("videos", {**ORDER, "sheets": 4}),
        ):
            answer = client.post(f"{PLACE}/{path}", json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request"), answer.text
        assert client.post(f"{PLACE}/tasks", json={**batch, "ids": [identifier]}).json()["count"] == 1
        assert client.post(f"{PLACE}/tasks", json={"id": "unknown"}).json()["error"]["code"] == "task_not_found"
