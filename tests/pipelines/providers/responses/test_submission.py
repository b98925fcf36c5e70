from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.outcome import Accepted, InDoubt, Rejected
from pipelines.net.http import Answer
from pipelines.providers.client import CONTRACTS
from pipelines.providers.profile.load import shipped_profiles
from pipelines.providers.responses.submission import classify, kind_of

ACE, QINIU, OPENAI = "acedata", "qiniu", "openai"
DOUBT = "in_doubt"


def _verdict(provider, status, body, *, complete=True, headers=None, mode=""):
    profile = shipped_profiles()[provider]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    contract = CONTRACTS[profile.contract_of(mode)]
    return classify(Answer(status, headers or {}, content, complete), profile, contract)


def _error(code, message="m", **more):
    return {"error": {"code": code, "message": message}, "trace_id": "t-1", **more}


ROWS = [
    # what the answer is, who gives it, HTTP status, body, what it means
    ("openai's video object", OPENAI, 200, {"id": "video_1", "status": "queued"}, "id video_1"),
    ("qiniu's video object", QINIU, 200, {"id": "qvideo-u-1", "status": "queued"}, "id qvideo-u-1"),
    ("ace, first form", ACE, 200, {"task_id": "t"}, "id t"),
    ("ace, second form", ACE, 200, {"success": True, "task_id": "t"}, "id t"),
    ("ace, nested", ACE, 200, {"success": True, "data": {"task_id": "t"}}, "id t"),
    ("ace, 202", ACE, 202, {"task_id": "t"}, "id t"),
    (
        "ace, blocking and done",
        ACE,
        200,
        {"success": True, "task_id": "t", "data": [{"video_url": "http://x"}]},
        "id t",
    ),
    ("new-api's legacy id", OPENAI, 200, {"task_id": "t"}, "id t"),
    ("a numeric id", OPENAI, 201, {"id": 17}, "id 17"),
    ("litellm's long id", OPENAI, 200, {"id": "video_" + "bGl0/+==" * 40}, "id video_" + "bGl0/+==" * 40),
    ("S17 an id and an error", ACE, 200, _error("api_error", task_id="t", success=False), "id t"),
    ("S17 an id and a failure", OPENAI, 200, {"id": "v", "status": "failed", **_error("x")}, "id v"),
    ("S17 the same of a known code", OPENAI, 200, {"id": "v", **_error("insufficient_quota")}, "id v"),
    ("S17 an id and no success", ACE, 200, {"task_id": "t", **_error("used_up")}, "id t"),
    ("S17 an id and moderation", ACE, 200, {"task_id": "t", "success": False, **_error("forbidden")}, "id t"),
    ("S17 an id and a failure of Ace", ACE, 200, {"task_id": "t", "success": False, **_error("task_failed")}, "id t"),
    ("S17 an id and a hiccup", ACE, 200, {"task_id": "t", "success": False, "error": "used_up"}, "id t"),
    ("S17 an id and a type", ACE, 200, {"task_id": "t", "success": False, "error": {"type": "used_up"}}, "id t"),
    ("S17 an id, but not begun", ACE, 200, {"task_id": "t", "success": False, **_error("used_up")}, "funds"),
    ("S17 the same, nested", ACE, 200, {"data": {"task_id": "t"}, "success": False, **_error("no_token")}, "key"),
    ("S43 another size is echoed", OPENAI, 200, {"id": "v", "size": "1x1", "seconds": "99"}, "id v"),
    # 1.5, row by row
    ("malformed", ACE, 400, _error("bad_request"), "row"),
    ("no header", ACE, 400, _error("no_token"), "key"),
    ("T6 token, as 400", ACE, 400, _error("token_mismatched"), "key"),
    ("token, as 401", ACE, 401, _error("token_mismatched"), "key"),
    ("not implemented", ACE, 400, _error("api_not_implemented"), "address"),
    ("disabled, as 400", ACE, 400, _error("disabled"), "key"),
    ("disabled, as 403", ACE, 403, _error("disabled"), "key"),
    ("invalid token", ACE, 401, _error("invalid_token"), "key"),
    ("token expired", ACE, 401, _error("token_expired"), "key"),
    ("S32 no balance, older", ACE, 402, _error("insufficient_balance"), "funds"),
    ("S32 x402 challenge", ACE, 402, {"accepts": []}, "funds"),
    ("T6 used up", ACE, 403, _error("used_up"), "funds"),
    ("moderation", ACE, 403, _error("forbidden"), "moderation"),
    ("moderation, older", ACE, 403, _error("content_moderation"), "moderation"),
    ("T7 an unknown 403", ACE, 403, _error("mystery"), "forbidden"),
    ("no such path", ACE, 404, _error("no_api"), "address"),
    ("too large", ACE, 413, _error("request_too_large"), "row"),
    ("too many", ACE, 429, _error("too_many_requests"), "slow_down"),
    ("too many, FAQ", ACE, 429, {"success": False, **_error("rate_limited")}, "slow_down"),
    ("S14 gateway failure", ACE, 500, _error("api_error"), DOUBT),
    ("S14 upstream", ACE, 502, _error("upstream_error"), DOUBT),
    ("S14 timeout", ACE, 504, _error("timeout"), DOUBT),
    ("S16 business failure at 200", ACE, 200, {"success": False, **_error("task_failed")}, DOUBT),
    ("S16 no such task at 200", ACE, 200, {"success": False, **_error("task_not_found")}, DOUBT),
    ("no such task", ACE, 404, _error("task_not_found"), "row"),
    ("S16 fetch failed", ACE, 200, {"success": False, **_error("api_error", "fetch failed")}, DOUBT),
    ("S16 refused at 200", ACE, 200, {"success": False, **_error("used_up")}, "funds"),
    ("S16 moderated at 200", ACE, 200, {"success": False, **_error("forbidden")}, "moderation"),
    ("error as text", ACE, 400, {"error": "model is invalid."}, "row"),
    ("error null", ACE, 400, {"error": None}, "row"),
    # the other contract
    ("openai's 400", OPENAI, 400, _error("invalid_value"), "row"),
    ("openai's moderation", OPENAI, 400, _error("moderation_blocked"), "moderation"),
    ("openai's policy", OPENAI, 400, _error(None, "rejected by our safety system"), "moderation"),
    ("openai's 401", OPENAI, 401, _error("invalid_api_key"), "key"),
    ("new-api's quota", OPENAI, 403, _error("insufficient_user_quota"), "funds"),
    ("openai's quota is no rate", OPENAI, 429, _error("insufficient_quota"), "funds"),
    ("vllm-omni's quota", OPENAI, 429, {"error": {"code": 429, "type": "insufficient_quota", "message": "m"}}, "funds"),
    ("new-api's quota, as a type", OPENAI, 403, {"error": {"code": 403, "type": "insufficient_user_quota"}}, "funds"),
    ("moderation, as a type", OPENAI, 400, {"error": {"code": "400", "type": "moderation_blocked"}}, "moderation"),
    ("a number that repeats the status", OPENAI, 429, {"error": {"code": 429, "message": "m"}}, "slow_down"),
    ("an unknown model", OPENAI, 404, _error("model_not_found"), "row"),
    ("a model in words", QINIU, 404, {"message": "no available channels for model sora-9"}, "row"),
    ("fastapi, wrong path", OPENAI, 404, {"detail": "Not Found"}, "address"),
    ("openai, wrong path", OPENAI, 404, {"error": {"message": "Invalid URL (POST /videos)", "type": "i"}}, "address"),
    ("a web server, wrong path", OPENAI, 404, b"<html>nginx</html>", "address"),
    ("a gateway, wrong path", OPENAI, 404, _error("not_found", "There is no API here."), "address"),
    ("a gateway, no such model", OPENAI, 404, _error("not_found", "Unknown model x."), "row"),
    ("a gateway, no such picture", OPENAI, 404, {"detail": "Image not found"}, "row"),
    ("wrong method", OPENAI, 405, {"detail": "Method Not Allowed"}, "address"),
    ("fastapi's 422", OPENAI, 422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "row"),
    ("S30 media type", OPENAI, 415, b"", "row"),
    ("S34 bare 429", OPENAI, 429, b"", "slow_down"),
    # ambiguous
    *[(f"S14 {status}", OPENAI, status, b"<html>", DOUBT) for status in (500, 501, 503, 504, 507, 520, 522, 524, 529)],
    *[(f"S14 {status}", OPENAI, status, b"", DOUBT) for status in (408, 409, 425, 424, 444, 460, 499)],
    ("S37 conflict with a code", OPENAI, 409, _error("duplicate"), DOUBT),
    ("S14 5xx with a refusal's code", ACE, 503, _error("rate_limited"), DOUBT),
    ("S15 empty", OPENAI, 200, b"", DOUBT),
    ("S15 no content", OPENAI, 204, b"", DOUBT),
    ("S15 html", OPENAI, 200, b"<html>ok</html>", DOUBT),
    ("S15 half a document", OPENAI, 200, b'{"id": "vid', DOUBT),
    ("S15 a list", OPENAI, 200, [{"id": "v"}], DOUBT),
    ("S15 text", OPENAI, 200, "video_1", DOUBT),
    ("S15 no id", OPENAI, 200, {"status": "queued"}, DOUBT),
    *[
        (f"S15 id is {json.dumps(value)[:12]}", OPENAI, 200, {"id": value}, DOUBT)
        for value in (None, "", "  ", {}, [], True, 1.5, "x" * 1001, "a\nb", "\ud800")
    ],
    ("S41 a bomb", OPENAI, 200, b"[" * 100_000, DOUBT),
    ("S41 a giant number", OPENAI, 200, b'{"id": ' + b"1" * 10_000 + b"}", DOUBT),
    ("not utf-8", OPENAI, 200, b'{"id": "\xff\xfe"}', DOUBT),
    ("S16 an unknown code at 200", OPENAI, 200, _error("mystery"), DOUBT),
    ("S16 success without id", ACE, 200, {"success": True}, DOUBT),
    *[(f"S38 {status}", OPENAI, status, b"", DOUBT) for status in (300, 301, 302, 303, 307, 308)],
    # unpaid by our word, billed by theirs
    ("429 that names a job", OPENAI, 429, {"id": "video_1", "status": "queued", **_error("rate_limited")}, DOUBT),
    ("429 that names a task", ACE, 429, {"task_id": "t", "success": False, **_error("too_many_requests")}, DOUBT),
    ("429 that names a task inside", ACE, 429, {"data": {"task_id": "t"}, **_error("too_many_requests")}, DOUBT),
    ("400 that names a job", OPENAI, 400, {"id": "video_1", **_error("invalid_value")}, DOUBT),
    ("400 that names a job of new-api", OPENAI, 400, {"task_id": "t", "message": "m"}, DOUBT),
    ("401 that names a job", QINIU, 401, {"id": "qvideo-1"}, DOUBT),
    ("422 that names a job", OPENAI, 422, {"id": "video_1", "detail": "m"}, DOUBT),
    ("503 that names a job", QINIU, 503, {"id": "q", "message": "no available channels for model x"}, DOUBT),
    ("400 with an id that is none", OPENAI, 400, {"id": "", **_error("invalid_value")}, "row"),
    ("400 with a trace", ACE, 400, {"request_id": "r", "trace_id": "t", **_error("bad_request")}, "row"),
]


def test_unpaid_by_our_word_billed_by_theirs():
    """What names a job says so in its reason, so that a person can adopt it."""
    for provider, status, body in ((ACE, 429, {"task_id": "t-17"}), (OPENAI, 302, {"id": "t-17"})):
        verdict = _verdict(provider, status, body, headers={"location": "https://elsewhere.example/"})
        assert isinstance(verdict, InDoubt)
        assert f"HTTP {status} and names the job t-17" in verdict.reason


REDIRECTS = [
    # where it leads to, seen from https://api.example/v1/videos, and whether the order may have been taken there
    *((place, True) for place in ("/v1/videos/", "?again", "", "https://api.example/v2", "https://API.example:443/x")),
    *((place, True) for place in ("//api.example/v1", "mailto:a@b.example", "http://[", "https://api.example:99999/")),
    *(
        (place, False)
        for place in ("http://api.example/v1/videos", "https://www.api.example/v1", "//b.example/?k=secret")
    ),
]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("location", "in_doubt"), REDIRECTS)
def test_unpaid_by_our_word_billed_by_theirs_redirects(status, location, in_doubt):
    """S38: within its origin a redirect may come after the order was taken; to another server it is a wrong address."""
    profile = shipped_profiles()[OPENAI]
    answer = Answer(status, {"location": location}, b"")
    verdict = classify(answer, profile, CONTRACTS["openai"], "https://api.example/v1/videos")
    assert isinstance(verdict, InDoubt if in_doubt else Rejected)
    if isinstance(verdict, Rejected):
        assert verdict.kind == "address"
        assert "secret" not in verdict.message


@pytest.mark.parametrize(("provider", "status", "body", "meaning"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_what_an_answer_means_for_the_money(provider, status, body, meaning):
    """One table: every documented answer, and every broken one, has exactly one meaning."""
    verdict = _verdict(provider, status, body)
    if meaning == DOUBT:
        assert isinstance(verdict, InDoubt)
        assert (verdict.http_status, verdict.excerpt is not None) == (status, True)
    elif meaning.startswith("id "):
        assert isinstance(verdict, Accepted)
        assert verdict.job.id == meaning[3:]
    else:
        assert isinstance(verdict, Rejected)
        assert (verdict.kind, verdict.http_status) == (meaning, status)
        assert verdict.again is (meaning not in ("row", "moderation"))


#: 1.5 of the facts: HTTP status, code, and what it means; DOUBT where a charge cannot be ruled out.
TABLE_1_5 = [
    (400, "bad_request", "row"),
    (400, "no_token", "key"),
    (400, "token_mismatched", "key"),
    (401, "token_mismatched", "key"),
    (400, "api_not_implemented", "address"),
    (400, "disabled", "key"),
    (403, "disabled", "key"),
    (401, "invalid_token", "key"),
    (401, "token_expired", "key"),
    (402, "insufficient_balance", "funds"),
    (403, "used_up", "funds"),
    (403, "forbidden", "moderation"),
    (403, "content_moderation", "moderation"),
    (404, "no_api", "address"),
    (413, "request_too_large", "row"),
    (429, "too_many_requests", "slow_down"),
    (429, "rate_limited", "slow_down"),
    (500, "api_error", DOUBT),
    (502, "upstream_error", DOUBT),
    (504, "timeout", DOUBT),
    (504, "upstream_timeout", DOUBT),
]


@pytest.mark.parametrize("provider", [name for name in shipped_profiles() if name.startswith(ACE)])
@pytest.mark.parametrize(
    "envelope",
    [{}, {"success": False}, {"success": False, "trace_id": None}, {"success": None, "data": None}],
    ids=["without success", "with success", "without trace", "nulls"],
)
@pytest.mark.parametrize(("status", "code", "meaning"), TABLE_1_5, ids=[f"{row[0]} {row[1]}" for row in TABLE_1_5])
def test_t6_every_row_of_aces_table_in_both_envelopes(provider, envelope, status, code, meaning):
    """The code decides and not the status, with or without `success`, at every service."""
    verdict = _verdict(provider, status, {"error": {"code": code, "message": "m"}, **envelope})
    assert (verdict.kind if isinstance(verdict, Rejected) else DOUBT) == meaning


@pytest.mark.parametrize(("code", "meaning"), [(row[1], row[2]) for row in TABLE_1_5 if row[2] != DOUBT])
def test_t8_a_failure_at_http_200_is_known_by_its_code(code, meaning):
    """HTTP 200 says nothing: the code is read all the same."""
    verdict = _verdict(ACE, 200, {"success": False, **_error(code)})
    assert (verdict.kind, verdict.http_status) == (meaning, 200)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429])
@pytest.mark.parametrize("error", ["a bare string", None, {}, [], {"message": "m"}])
def test_t6_an_error_without_a_code_goes_by_its_status(status, error):
    """A string, null or an empty object tells no code; then the HTTP status has to do."""
    kinds = {400: "row", 401: "key", 402: "funds", 403: "forbidden", 413: "row", 429: "slow_down"}
    verdict = _verdict(ACE, status, {"success": False, "error": error})
    assert verdict.kind == kinds.get(status, "address")


@pytest.mark.parametrize("body", [_error("mystery"), {"error": None}, b"<html>Forbidden</html>", b""])
@pytest.mark.parametrize("provider", [ACE, QINIU, OPENAI])
def test_t7_an_unknown_403_is_neither_moderation_nor_the_key(provider, body):
    """It keeps a class of its own: no row is given up for it, and no key is called wrong."""
    verdict = _verdict(provider, 403, body)
    assert (verdict.kind, verdict.again) == ("forbidden", True)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 200])
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "model_not_found", "message": "No available channels for model sora-9"}},
        {"error": {"message": "no available channel for model sora-9 under group default"}},
        {"code": 503, "message": "no available channels for model sora-9"},
        {"detail": {"msg": "no available channels for model sora-9", "loc": ["body"]}},
    ],
    ids=["2.4 error", "new-api", "2.4 top", "2.4 detail"],
)
@pytest.mark.parametrize("provider", [QINIU, "new-api"])
def test_words_that_rule_out_a_charge_count_at_every_documented_status(provider, body, status):
    """A gateway that has no channel for a model has passed nothing on, so that the row is refused for certain."""
    verdict = _verdict(provider, status, body)
    assert (verdict.kind, verdict.http_status, verdict.again) == ("row", status, False)


def test_words_count_only_where_the_profile_says_so_and_the_answer_is_whole():
    """The same words from somebody else, or in half an answer, leave a 5xx in doubt."""
    body = json.dumps({"error": {"message": "no available channels for model x"}}).encode()
    assert isinstance(_verdict(OPENAI, 503, body), InDoubt)
    assert isinstance(_verdict(QINIU, 503, body, complete=False), InDoubt)
    assert all(isinstance(_verdict(QINIU, status, body), InDoubt) for status in (100, 408, 409, 425, 499))


@pytest.mark.parametrize(
    ("mode", "body", "name"),
    [
        ("video", {"id": "qvideo-u-1"}, "qvideo-u-1"),
        ("veo", {"id": "chatvideo-1-u"}, "chatvideo-1-u"),
        ("veo", {"id": "videos-1-u"}, "videos-1-u"),
        ("queue-vidu-q1-text", {"status": "IN_QUEUE", "request_id": "qvideo-root-1"}, "qvideo-root-1"),
        ("veo", {"name": "operations/1"}, None),
        ("veo", {"request_id": "qvideo-root-1"}, None),
        ("queue-vidu-q1-text", {"id": "qvideo-1"}, None),
    ],
)
def test_t26_each_protocol_knows_its_own_ids(mode, body, name):
    """Which protocol an order spoke decides where its id stands; how an id begins decides nothing."""
    verdict = _verdict(QINIU, 200, body, mode=mode)
    assert (verdict.job.id if isinstance(verdict, Accepted) else None) == name


@pytest.mark.parametrize(
    ("mode", "status", "body", "kind"),
    [
        ("veo", 400, {"error": {"message": "m"}}, "row"),
        ("veo", 401, {"message": "m", "code": "invalid_api_key"}, "key"),
        ("veo", 402, b"", "funds"),
        ("veo", 500, {"message": "m"}, DOUBT),
        ("veo", 200, {"message": "m"}, DOUBT),
        ("queue-vidu-q1-text", 422, {"detail": [{"msg": "m", "type": "value_error"}]}, "row"),
        ("queue-vidu-q1-text", 400, {"detail": {"msg": "m", "type": "content_policy_violation"}}, "moderation"),
        ("queue-vidu-q1-text", 404, {"detail": "Not Found"}, "address"),
        ("queue-vidu-q1-text", 502, {"detail": "m"}, DOUBT),
        ("queue-vidu-q1-text", 202, {"status": "IN_QUEUE"}, DOUBT),
    ],
)
def test_the_other_protocols_refuse_by_the_same_table(mode, status, body, kind):
    """Wherever a protocol puts its error, the verdict is the same."""
    verdict = _verdict(QINIU, status, body, mode=mode)
    assert (verdict.kind if isinstance(verdict, Rejected) else DOUBT) == kind


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"progress": 10}\n{"success": true, "task_id": "t"}\n', "t"),
        (b'{"task_id": "u"}\r\n\r\n{"task_id": "t"}', "t"),
        (b'{"task_id": "t"}\n{"progress": 10}\n', None),
        (b'{"task_id": "t"}\n{"task_', None),
        (b'[1]\n{"task_id": "t"}', None),
        (b'not json\n{"task_id": "t"}', None),
        (b'{\n"task_id":\n"t"\n}', "t"),
    ],
)
def test_of_several_json_lines_the_last_is_the_envelope(body, name):
    """What comes line by line is read by its last line, if all of them are whole; anything else is in doubt."""
    verdict = _verdict(ACE, 200, body)
    assert (verdict.job.id if isinstance(verdict, Accepted) else None) == name


def test_t24_an_answer_that_waited_for_the_clip_is_an_acceptance():
    """A blocking answer has the clip and the task id at once; its clip is fetched like any other."""
    data = [{"id": "i", "video_url": "https://cdn/v.mp4", "state": "succeeded"}]
    verdict = _verdict(ACE, 200, {"success": True, "task_id": "t", "trace_id": "tr", "data": data})
    assert (verdict.job.id, verdict.trace_id) == ("t", "tr")


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 404, 429, 500])
@pytest.mark.parametrize("body", [b'{"id": "v", "st', b'{"error": {"code": "used_up"}}', b""])
def test_s13_a_body_that_broke_off_is_in_doubt(status, body):
    """A status line without its whole body proves nothing, even if an id or an error can be read from the part."""
    verdict = _verdict(ACE, status, body, complete=False)
    assert isinstance(verdict, InDoubt)
    assert verdict.excerpt == body.decode()


def test_s13_an_answer_cut_at_every_byte_is_in_doubt_until_it_is_whole():
    """Cut anywhere, an acceptance is in doubt; whole, it is accepted."""
    whole = json.dumps({"id": "video_1", "object": "video", "status": "queued"}).encode()
    for length in range(len(whole)):
        assert isinstance(_verdict(OPENAI, 200, whole[:length], complete=False), InDoubt)
        assert isinstance(_verdict(OPENAI, 200, whole[:length]), InDoubt)
    assert isinstance(_verdict(OPENAI, 200, whole), Accepted)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://evil.example:8443/v1/videos?key=SECRET", "with a redirect to https://evil.example:8443;"),
        ("http://u:SECRET@evil.example/SECRET", "with a redirect to http://evil.example;"),
    ],
)
def test_s38_a_redirect_says_whom_it_leads_to_and_no_more(location, named):
    """Who set the address needs to know where it would have gone; the rest of the link may be a secret."""
    verdict = _verdict("openai", 307, b"", headers={"location": location})
    assert named in verdict.message
    assert "SECRET" not in verdict.message


def test_s33_the_hint_travels_with_the_refusal():
    """A 429 carries the wait that it asks for."""
    verdict = _verdict(OPENAI, 429, b"", headers={"retry-after": "17"})
    assert verdict.retry_after_s == 17


@pytest.mark.parametrize(
    ("body", "headers", "trace_id"),
    [
        ({"task_id": "t", "trace_id": "trace"}, {}, "trace"),
        ({"task_id": "t"}, {"x-request-id": "r"}, "r"),
        ({"task_id": "t"}, {"x-qiniu-request-id": "q"}, "q"),
        ({"task_id": "t", "trace_id": {}}, {"x-request-id": "\x00"}, None),
    ],
)
def test_the_trace_id_is_kept_for_support(body, headers, trace_id):
    """What the vendor's support will ask for is remembered, from the body or a header."""
    assert _verdict(ACE, 200, body, headers=headers).trace_id == trace_id


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("used_up", "funds"),
        ("insufficient_balance", "funds"),
        ("rate_limited", "slow_down"),
        ("too_many_requests", "slow_down"),
        ("invalid_token", "key"),
        ("disabled", "key"),
        ("bad_request", "row"),
    ],
)
def test_t8_a_refusal_that_names_a_task_is_a_refusal(code, kind):
    """`success: false` and a code by which nothing can have been begun: the account or the order is at fault, not a job."""
    verdict = _verdict(ACE, 200, {"success": False, "task_id": "t", **_error(code)})
    assert (type(verdict), verdict.kind, verdict.http_status) == (Rejected, kind, 200)


@pytest.mark.parametrize("code", ["task_failed", "task_not_found", "api_error", "timeout", "forbidden", "no_such_code"])
def test_t8_a_failure_that_names_a_task_is_asked_about(code):
    """Any other failure may be that of a job that was begun, so the provider says how it ended; without an id it is doubt."""
    body = {"success": False, **_error(code)}
    assert isinstance(_verdict(ACE, 200, {"task_id": "t", **body}), Accepted)
    if code != "forbidden":
        assert isinstance(_verdict(ACE, 200, body), InDoubt)


def test_the_trace_id_of_a_refusal_is_kept():
    """Support asks for it whether an order was taken or not."""
    assert _verdict(ACE, 400, _error("bad_request")).trace_id == "t-1"
    assert _verdict(OPENAI, 400, _error(None, trace_id=None), headers={"x-request-id": "r"}).trace_id == "r"


def test_a_server_error_rejects_only_where_the_profile_proves_it():
    """A profile may say that this provider's 5xx never cost anything; then a coded one is a sure refusal."""
    profile = shipped_profiles()[ACE].model_copy(update={"on_server_error": "rejected"})
    coded = Answer(500, {}, json.dumps(_error("api_error")).encode())
    assert classify(coded, profile, CONTRACTS["acedata"]).kind == "server"
    assert isinstance(classify(Answer(502, {}, b"<html>"), profile, CONTRACTS["acedata"]), InDoubt)


def test_what_a_provider_says_can_be_shown():
    """Escapes, control characters, half characters and signed links in a refusal are made harmless, and it is cut."""
    message = "\x1b[31mno\r\n\ud800 https://x/y?sig=SECRET " + "z" * 5000
    verdict = _verdict(ACE, 400, _error("c\x00de" * 100, message))
    assert verdict.message.isprintable()
    assert len(verdict.message) <= 500
    assert "SECRET" not in verdict.message
    assert verdict.code.isprintable()
    assert len(verdict.code) <= 60
    verdict.message.encode()


@pytest.mark.parametrize("slash", ["/", r"\/"], ids=["plain", "escaped"])
def test_the_excerpt_of_a_doubt_holds_no_signed_link(slash):
    """The evidence is kept without the query of any link in it, however the JSON spells it."""
    body = f'{{"url": "https:{slash}{slash}cdn{slash}a.mp4?token=SECRET&e=1"'.encode()
    assert "SECRET" not in _verdict(OPENAI, 200, body).excerpt


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "task_id", "error", "code", "message", "data", "success", "detail", "type", "trace_id"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    provider=st.sampled_from([ACE, QINIU, OPENAI]),
    status=st.integers(100, 599),
    body=st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()),
    complete=st.booleans(),
    headers=st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-request-id"]), st.text(max_size=20)),
)
def test_s15_no_answer_breaks_it_and_none_that_may_be_billed_is_rejected(provider, status, body, complete, headers):
    """Any bytes with any status get a verdict; only a known refusal code turns a 2xx into a rejection."""
    verdict = _verdict(provider, status, body, complete=complete, headers=headers)
    if isinstance(verdict, Rejected):
        assert complete
        assert status < 500
        assert status not in (408, 409, 425)
        if 200 <= status < 300:
            known = shipped_profiles()[provider].errors
            assert known.get(verdict.code) not in (None, "server")
    if isinstance(verdict, Accepted):
        assert 200 <= status < 300
        assert complete


@given(st.integers(300, 599), st.none() | st.text(), st.none() | st.text(), st.sampled_from([ACE, QINIU, OPENAI]))
def test_every_refusal_has_a_kind(status, code, message, provider):
    """Whatever a provider says, somebody is named who must act."""
    assert kind_of(status, code, message, shipped_profiles()[provider]) in (
        "key",
        "funds",
        "address",
        "forbidden",
        "row",
        "moderation",
        "slow_down",
        "server",
    )
