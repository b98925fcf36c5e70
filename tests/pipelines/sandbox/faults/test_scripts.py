from __future__ import annotations

import contextlib
import json
from collections import Counter

import httpx
import pytest

from pipelines.sandbox.faults.scripts import NOTHING, Faults, rules_from, rules_named, shipped_scripts

ORDER = {"prompt": "a lighthouse", "seconds": "4", "size": "1280x720"}
CUT = (httpx.RemoteProtocolError, httpx.ReadError)


def rule(route, do, **match):
    return {"match": {"route": route, **match}, "do": do}


def test_all_named_scripts_can_be_read():
    """The scripts that the documents name exist and are valid."""
    names = {"rough", "storm", "expired-links", "ambiguous", "rate-limited", "moderated", "fickle"}
    assert set(shipped_scripts()) == names
    assert rules_named("none").rules == ()


def test_a_file_of_rules_is_a_script(tmp_path):
    """Rules may come from a JSON or YAML file."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([rule("status", {"status": 502}, nth=[2])]))
    faults = Faults(rules_named(str(file)), seed=0)
    assert [faults.effect("status", "openai", "").status for _ in range(3)] == [None, 502, None]


def test_an_unknown_script_is_an_error_that_names_the_known_ones():
    """A typing mistake never runs without faults."""
    with pytest.raises(ValueError, match="expired-links"):
        rules_named("expired")
    with pytest.raises(ValueError, match=r"rules\.0\.do\.statuss"):
        rules_from([rule("status", {"statuss": 502})])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "not YAML"),
        ("[" * 2_000, "not YAML"),
        ("[{match: {route: nowhere}, do: {}}]", r"rules\.0\.match\.route"),
        ("[{match: {route: submit}, do: {status: 99}}]", r"do\.status"),
        ("[{match: {route: submit}, do: {retry_after: .inf}}]", r"JSON|retry_after"),
        ('[{match: {route: submit}, do: {headers: {x: "a\\r\\nb"}}}]', r"control character"),
        ("[{match: {route: submit}, do: {headers: {x: ' a'}}}]", r"headers"),
        ("[{match: {route: submit}, do: {headers: {Content-Length: '5'}}}]", "content-length"),
        ("[{match: {route: submit}, do: {stamped: &x true}}]", "anchor"),
    ],
)
def test_a_file_that_is_no_script_is_an_error_in_one_line(tmp_path, text, said):
    """What cannot be read as rules is said with its place, and never breaks off the program."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said) as wrong:
        rules_named(str(file))
    assert "\n" not in str(wrong.value)


def test_nth_can_count_by_job():
    """`per: job` strikes each job's first download once."""
    faults = Faults(rules_from([rule("download", {"file": "cut"}, nth=[1], per="job")]), seed=0)
    assert [faults.effect("download", "openai", job).file for job in "aabb"] == ["cut", None, "cut", None]


def test_chance_is_repeatable():
    """The same seed strikes the same requests, about as often as the script says."""
    runs = []
    for _ in range(2):
        faults = Faults(rules_named("rough"), seed=7)
        runs.append([faults.effect("submit", "openai", "") is NOTHING for _ in range(2_000)])
    assert runs[0] == runs[1]
    assert 0.90 < sum(runs[0]) / 2_000 < 0.945


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 502, 504])
def test_an_error_status_comes_in_the_vendors_envelope_and_is_not_billed(client, faults, bill, status):
    """Each refusal looks as its vendor writes it, and costs nothing."""
    faults(rule("submit", {"status": status, "retry_after": 3}))
    before = len(bill())
    openai = client.post("/v1/videos", json=ORDER)
    ace = client.post("/sora/videos", json={"prompt": "a", "async": True})
    assert (openai.status_code, ace.status_code) == (status, status)
    assert set(openai.json()["error"]) == {"message", "type", "param", "code"}
    assert ace.json()["success"] is False
    assert set(ace.json()["error"]) == {"code", "message"}
    assert openai.headers["retry-after"] == "3"
    assert len(bill()) == before


def test_ace_refuses_at_status_200_and_in_three_forms(client, faults):
    """HTTP 200 with `success: false`, an envelope without `success`, and a bare string are all seen [A4 A9]."""
    faults(
        rule("submit", {"status": 200}, nth=[1]),
        rule("submit", {"status": 500, "form": "bare"}, nth=[2]),
        rule("submit", {"status": 500, "form": "string"}, nth=[3]),
    )
    full, bare, text = (client.post("/sora/videos", json={"prompt": "a", "async": True}) for _ in range(3))
    assert (full.status_code, full.json()["success"], full.json()["error"]["code"]) == (200, False, "task_failed")
    assert "success" not in bare.json()
    assert isinstance(text.json()["error"], str)


def test_a_cut_before_storing_is_not_billed_and_one_after_is(client, faults, bill):
    """The client sees the same broken connection twice; only the bill knows the difference."""
    before = len(bill())
    faults(rule("submit", {"cut": "before"}))
    with pytest.raises(CUT):
        client.post("/v1/videos", json=ORDER)
    assert len(bill()) == before
    faults(rule("submit", {"cut": "after"}))
    with pytest.raises(CUT):
        client.post("/v1/videos", json=ORDER)
    assert len(bill()) == before + 1


@pytest.mark.parametrize("body", ["truncated", "malformed", "html", "empty"])
def test_an_answer_that_cannot_be_read_was_still_billed(client, faults, bill, body):
    """A status of 200 with rubbish in it is an ambiguous order."""
    faults(rule("submit", {"body": body}))
    before = len(bill())
    answer = client.post("/v1/videos", json=ORDER)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Extra"):
        answer.json()
    assert len(bill()) == before + 1


def test_a_late_answer_is_an_accepted_order(client, faults, bill):
    """A delay longer than the client waits leaves a line on the bill."""
    faults(rule("submit", {"delay": 0.5}))
    before = len(bill())
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/videos", json=ORDER, timeout=0.2)
    assert len(bill()) == before + 1


def test_a_status_query_can_show_an_unknown_word(start):
    """A word that nobody knows stands in for an unfinished state, in both contracts."""
    with start(latency="60") as client:
        client.post("/_sandbox/faults", json=[rule("status", {"word": "postprocessing"})])
        video = client.post("/v1/videos", json=ORDER).json()["id"]
        task = client.post("/sora/videos", json={"prompt": "a", "async": True}).json()["task_id"]
        assert client.get(f"/v1/videos/{video}").json()["status"] == "postprocessing"
        response = client.post("/sora/tasks", json={"id": task}).json()["response"]
        assert response["data"][0]["state"] == "postprocessing"


@pytest.mark.parametrize("outcome", ["generation_failed", "moderation_blocked"])
def test_a_failed_outcome_is_on_the_bill_and_never_charged(client, faults, bill, finished, finished_task, outcome):
    """An accepted order that ends badly says why, has a line, and costs nothing."""
    faults(rule("submit", {"outcome": outcome}))
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    answer = finished(client, f"/v1/videos/{video}")
    assert (answer["status"], answer["error"]["code"]) == ("failed", outcome)
    assert client.get(f"/v1/videos/{video}/content").status_code == 404
    task = client.post("/sora/videos", json={"prompt": "a", "async": True}).json()["task_id"]
    response = finished_task(client, task)["response"]
    assert (response["success"], set(response["error"])) == (False, {"code", "message"})
    assert [(line["outcome"], line["charged"]) for line in bill()[-2:]] == [(outcome, False)] * 2


def test_completed_may_mean_nothing_came_of_it(client, faults, bill, finished, finished_task):
    """Completed without any video is shown as it is, and not charged."""
    faults(rule("submit", {"outcome": "no_videos"}))
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    assert finished(client, f"/v1/videos/{video}")["task_result"] == {"videos": []}
    task = client.post("/sora/videos", json={"prompt": "a", "async": True}).json()["task_id"]
    assert "video_url" not in finished_task(client, task)["response"]["data"][0]
    assert not bill()[-1]["charged"]


def test_every_way_a_download_goes_wrong(client, faults, finished):
    """Broken off, silently short, a page instead of a file, expired, gone, slow, and deaf to Range."""
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    result = finished(client, f"/v1/videos/{video}")["task_result"]
    whole = client.get(result["videos"][0]["url"]).content

    def get(file, **headers):
        faults(rule("download", {"file": file}))
        return client.get(result["videos"][0]["url"], headers=headers)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        get("cut")
    assert get("short").content == whole[: len(whole) // 2]
    assert get("html").headers["content-type"].startswith("text/html")
    assert (get("expired").status_code, get("gone").status_code) == (403, 404)
    assert get("trickle").content == whole
    assert get("whole", range="bytes=10-19").content == whole


def test_a_broken_off_download_can_be_resumed(client, faults, finished):
    """Whatever arrived before the cut is the beginning of the file, and Range gives the rest."""
    video = client.post("/v1/videos", json=ORDER).json()["id"]
    url = finished(client, f"/v1/videos/{video}")["task_result"]["videos"][0]["url"]
    whole = client.get(url).content
    faults(rule("download", {"file": "cut"}, nth=[1]))
    got = bytearray()
    with client.stream("GET", url) as answer, contextlib.suppress(httpx.RemoteProtocolError):
        for piece in answer.iter_raw():
            got += piece
    rest = client.get(url, headers={"range": f"bytes={len(got)}-"})
    assert 0 < len(got) < len(whole)
    assert rest.status_code == 206
    assert bytes(got) + rest.content == whole


@pytest.mark.parametrize("do", [{"status": 204}, {"status": 304}, {"success_status": 204}])
def test_an_answer_may_have_no_body(client, faults, do):
    """A status that goes without a body has none."""
    faults(rule("submit", do))
    answer = client.post("/v1/videos", json=ORDER)
    assert (answer.status_code, answer.content) == (next(iter(do.values())), b"")
    assert client.get("/v1/videos").status_code == 200


def test_struck_rules_are_counted(client, faults):
    """The sandbox says how often each rule struck."""
    faults(rule("status", {"status": 502}))
    client.get("/v1/videos/any")
    client.get("/v1/videos/any")
    assert client.get("/_sandbox/faults").json()["rules"][0]["applied"] == 2


def test_rules_that_make_no_sense_are_refused(client):
    """Unknown rules are an error, and those before them stay."""
    assert client.post("/_sandbox/faults", json=[{"match": {"route": "nowhere"}, "do": {}}]).status_code == 400
    assert client.post("/_sandbox/faults", json={"script": "no such"}).status_code == 400
    assert client.post("/_sandbox/faults", json={"script": "storm"}).status_code == 200


def test_a_storm_leaves_no_request_without_an_end(client, faults, bill):
    """Under much of everything each order is billed at most once, and exactly the ambiguous ones surprise."""
    client.post("/_sandbox/faults", json={"script": "storm"}).raise_for_status()
    before, ends = len(bill()), Counter()
    for _ in range(150):
        try:
            answer = client.post("/v1/videos", json=ORDER)
            ends[str(answer.status_code)] += 1
        except CUT:
            ends["cut"] += 1
    assert ends["200"] > 75
    assert ends["cut"] > 2
    assert ends["200"] <= len(bill()) - before <= ends["200"] + ends["cut"]
