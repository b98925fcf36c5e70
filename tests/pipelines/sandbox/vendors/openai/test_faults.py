"""What goes wrong on purpose in the OpenAI contract alone: headers, figures, redirects."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest

from pipelines.sandbox.faults.scripts import Effect, Faults, rules_from
from pipelines.sandbox.orders.bill import Purchase
from pipelines.sandbox.vendors.openai.videos import LONGEST_POLL_MS, misreported, poll_after_ms

ORDER = {"prompt": "a lighthouse", "model": "sora-2", "seconds": "4", "size": "1280x720"}


def rule(route, do, **match):
    return {"match": {"route": route, **match}, "do": do}


def bought(latency):
    return Purchase(
        1, "id", "openai", "a", "sora-2", "p", 4, "1280x720", None, 1280, 720, "", 0.0, latency, "completed", 0.4
    )


@pytest.mark.parametrize(
    ("effect", "headers"),
    [
        ({"retry_after": 7}, {"retry-after": "7"}),
        ({"retry_after": 600}, {"retry-after": "600"}),
        ({"retry_after": 0.25, "retry_after_as": "milliseconds"}, {"retry-after-ms": "250"}),
        ({"headers": {"X-Should-Retry": "false"}}, {"x-should-retry": "false"}),
        ({"headers": {"x-request-id": "req_mine"}}, {"x-request-id": "req_mine"}),
        (
            {"headers": {"retry-after": "soon", "retry-after-ms": "nan"}},
            {"retry-after": "soon", "retry-after-ms": "nan"},
        ),
    ],
)
def test_a_refusal_says_when_to_come_back(client, faults, effect, headers):
    """Seconds, milliseconds, more than anybody waits, nonsense, and whether to retry at all."""
    faults(rule("submit", {"status": 429, **effect}))
    answer = client.post("/openai/v1/videos", json=ORDER)
    assert answer.status_code == 429
    for name, value in headers.items():
        assert answer.headers.get_list(name) == [value]


def test_a_refusal_can_name_a_date(client, faults):
    """`date` is an HTTP date that lies as far ahead as it was told."""
    faults(rule("status", {"status": 503, "retry_after": 300, "retry_after_as": "date"}))
    before = time.time()
    date = client.get("/openai/v1/videos/any").headers["retry-after"]
    assert date.endswith(" GMT")
    assert before + 300 <= parsedate_to_datetime(date).timestamp() <= time.time() + 301


def test_a_good_answer_can_carry_headers_too(client, faults):
    """Headers are not only for refusals."""
    faults(rule("submit", {"headers": {"openai-poll-after-ms": "1234", "x-should-retry": "true"}}))
    answer = client.post("/openai/v1/videos", json=ORDER)
    assert (answer.status_code, answer.headers["openai-poll-after-ms"]) == (200, "1234")


def test_an_unfinished_job_says_when_to_ask_again(start, finished, later):
    """The hint is there until the job is finished, in OpenAI's dialect alone, and can be told."""
    with start(latency="0.5", poll_after_ms=77) as client:
        created = client.post("/openai/v1/videos", json=ORDER)
        address = f"/openai/v1/videos/{created.json()['id']}"
        assert (created.headers["openai-poll-after-ms"], client.get(address).headers["openai-poll-after-ms"]) == (
            "77",
            "77",
        )
        later(1)
        finished(client, address)
        assert "openai-poll-after-ms" not in client.get(address).headers
        assert "openai-poll-after-ms" not in client.post("/qiniu/v1/videos", json=ORDER).headers


def test_the_hint_never_slows_a_rehearsal_down():
    """It is a small share of the job's own time, at least a millisecond, and at most what the vendor's guide does."""
    assert [poll_after_ms(bought(latency)) for latency in (0.001, 1.0, 120.0)] == [1, 25, 3_000]
    assert poll_after_ms(bought(3_600.0)) == LONGEST_POLL_MS


def test_progress_only_grows(start, later):
    """Without faults the figure never goes back, and ends at 100."""
    with start(latency="0.3") as client:
        address = f"/openai/v1/videos/{client.post('/openai/v1/videos', json=ORDER).json()['id']}"
        seen = []
        while not seen or seen[-1] < 100:
            seen.append(client.get(address).json()["progress"])
            later(0.02)
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def test_progress_cannot_be_relied_on(start):
    """The figure of an unfinished job may be missing, stand still, or be at its end already."""
    with start(latency="600") as client:
        video = client.post("/openai/v1/videos", json=ORDER).json()["id"]
        for fault, shown in {"absent": {}, "stuck": {"progress": 0}, "ahead": {"progress": 100}}.items():
            client.post("/_sandbox/faults", json=[rule("status", {"progress": fault, "word": "in_progress"})])
            answer = client.get(f"/openai/v1/videos/{video}").json()
            assert answer["status"] == "in_progress"
            assert {name: answer[name] for name in answer if name == "progress"} == shown


@pytest.mark.parametrize(("fault", "shown"), [("stuck", {"progress": 0}), ("ahead", {"progress": 100}), ("absent", {})])
def test_a_faulty_figure_replaces_the_true_one(fault, shown):
    """Halfway, too; everything else stays as it is."""
    told = misreported({"id": "a", "progress": 50, "status": "in_progress"}, Effect(progress=fault))
    assert told == {"id": "a", "status": "in_progress", **shown}


@pytest.mark.parametrize(("name", "where"), [("openai", "content"), ("litellm", "content"), ("qiniu", "link")])
def test_a_download_may_be_at_another_host(client, faults, finished, name, where):
    """A redirect leads to another name of this machine, where the file is, for those who leave the key behind."""
    address = f"/{name}/v1/videos"
    video = client.post(address, json=ORDER).json()["id"].replace("/", "%2F")
    done = finished(client, f"{address}/{video}")
    url = f"{address}/{video}/content" if where == "content" else done["task_result"]["videos"][0]["url"]
    whole = client.get(url).content
    faults(rule("download", {"file": "redirect"}))
    moved = client.get(url)
    target = moved.headers["location"]
    assert (moved.status_code, urlsplit(target).hostname) == (302, "localhost")
    assert httpx.get(target, trust_env=False, verify=False).content == whole
    assert httpx.get(target.replace("token=", "token=0"), trust_env=False, verify=False).status_code == 403


def test_a_key_that_comes_along_is_noted_and_refused(client, faults, finished):
    """A key at the other host is a leak: the request fails, and the sandbox can be asked about it."""
    video = client.post("/openai/v1/videos", json=ORDER).json()["id"]
    finished(client, f"/openai/v1/videos/{video}")
    faults(rule("download", {"file": "redirect"}))
    target = client.get(f"/openai/v1/videos/{video}/content").headers["location"]
    path = urlsplit(target).path

    def leaks():
        return client.get("/_sandbox/requests").json()["leaks"].get(path, 0)

    httpx.get(target, trust_env=False, verify=False)
    assert leaks() == 0
    answer = httpx.get(target, headers={"authorization": "Bearer somebody"}, trust_env=False, verify=False)
    assert (answer.status_code, leaks()) == (400, 1)


def test_a_key_on_a_signed_link_is_noted(client, finished):
    """A direct link works with a key too, as with real storage it might; it counts as a leak."""
    video = client.post("/qiniu/v1/videos", json=ORDER).json()["id"]
    url = finished(client, f"/qiniu/v1/videos/{video}")["task_result"]["videos"][0]["url"]
    assert client.get(url).status_code == 200
    assert client.get("/_sandbox/requests").json()["leaks"][urlsplit(url).path] == 1


def test_a_rule_about_an_unknown_contract_is_an_error(client):
    """A typing mistake in a contract's name never runs without faults."""
    answer = client.post("/_sandbox/faults", json=[rule("status", {"status": 502}, contract="vllm")])
    assert (answer.status_code, "vllm-omni" in answer.text) == (400, True)
    with pytest.raises(ValueError, match="no contract 'vllm'"):
        Faults(rules_from([rule("status", {"status": 502}, contract="vllm")]), seed=0)
