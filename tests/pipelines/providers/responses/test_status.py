from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import KeyRefused, ProviderError, ProviderUnavailable, SlowDown, UnknownJob, UnusableAnswer
from pipelines.net.http import Answer
from pipelines.providers.profile.load import profile_named, shipped_profiles
from pipelines.providers.responses.status import is_envelope, readable

ACE, QINIU, OPENAI = "acedata", "qiniu", "openai"


def _answer(status, body, *, complete=True, headers=None):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, headers or {}, content, complete)


def _read(provider, status, body, *, result=False, **more):
    return readable(_answer(status, body, **more), profile_named(provider), result=result)


def _error(code, **more):
    return {"error": {"code": code, "message": "m"}, "trace_id": "t", **more}


#: 1.5 of the facts, as it meets a query: HTTP status, code, and whose matter it is.
TABLE_1_5 = [
    (400, "bad_request", ProviderUnavailable),
    (400, "no_token", KeyRefused),
    (400, "token_mismatched", KeyRefused),
    (401, "token_mismatched", KeyRefused),
    (400, "api_not_implemented", ProviderUnavailable),
    (400, "disabled", KeyRefused),
    (403, "disabled", KeyRefused),
    (401, "invalid_token", KeyRefused),
    (401, "token_expired", KeyRefused),
    (402, "insufficient_balance", ProviderUnavailable),
    (403, "used_up", ProviderUnavailable),
    (403, "forbidden", ProviderUnavailable),
    (404, "no_api", ProviderUnavailable),
    (404, "task_not_found", UnknownJob),
    (413, "request_too_large", ProviderUnavailable),
    (429, "too_many_requests", SlowDown),
    (429, "rate_limited", SlowDown),
    (500, "api_error", ProviderUnavailable),
    (502, "upstream_error", ProviderUnavailable),
    (504, "timeout", ProviderUnavailable),
]


@pytest.mark.parametrize("at_200", [False, True], ids=["with its status", "at HTTP 200"])
@pytest.mark.parametrize("envelope", [{}, {"success": False}, {"success": False, "data": None, "task_id": None}])
@pytest.mark.parametrize(("status", "code", "error"), TABLE_1_5, ids=[f"{row[0]} {row[1]}" for row in TABLE_1_5])
def test_t6_the_code_says_whose_matter_a_refused_query_is(status, code, error, envelope, at_200):
    """Each code of the vendor's table means the same for a query at any status, and none of them fails a job."""
    with pytest.raises(error) as caught:
        _read(ACE, 200 if at_200 else status, _error(code, **envelope))
    assert type(caught.value) is error
    assert code in str(caught.value) or error is SlowDown


@pytest.mark.parametrize(
    ("status", "error"), [(401, KeyRefused), (404, UnknownJob), (410, UnknownJob), (429, SlowDown)]
)
def test_a_code_that_names_nobody_leaves_it_to_the_status(status, error):
    """That something failed over there, or that a row is at fault, says less than the HTTP status."""
    for code in ("api_error", "bad_request", "used_up", "no_such_code"):
        with pytest.raises(error):
            _read(ACE, status, _error(code))


def test_an_address_that_nobody_answers_at_is_named():
    """A path that is not there is no job that is lost: the message says which setting may be wrong."""
    with pytest.raises(ProviderUnavailable, match=r"at this address \(HTTP 404: no_api m\). Check ACEDATA_BASE_URL"):
        _read(ACE, 404, _error("no_api"))


@pytest.mark.parametrize("code", ["restricted", None, "access_denied"])
@pytest.mark.parametrize("provider", [ACE, QINIU, OPENAI])
def test_t29_a_403_of_unknown_meaning_passes(provider, code):
    """A key that may order and not ask is neither called wrong, nor is its job given up."""
    with pytest.raises(ProviderUnavailable) as caught:
        _read(provider, 403, _error(code))
    assert type(caught.value) is ProviderUnavailable


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        (ACE, {"id": "t", "response": {"success": False, "error": {"code": "used_up"}}, "finished_at": 1}),
        (ACE, {"id": "t", "error": {"code": "invalid_token"}}),
        (ACE, {"task_id": "t", "success": False, "error": {"code": "rate_limited"}}),
        (ACE, {"items": [{"id": "t"}], "error": {"code": "rate_limited"}}),
        (OPENAI, {"id": "v", "status": "failed", "error": {"code": "insufficient_quota"}}),
        (OPENAI, {"status": "failed", "error": {"code": "invalid_api_key"}}),
        (QINIU, {"status": "COMPLETED", "detail": {"msg": "no", "type": "invalid_api_key"}}),
        (QINIU, {"video": {"url": "https://x/v"}, "error": {"code": "invalid_api_key"}}),
        (OPENAI, {}),
        (OPENAI, {"deleted": True}),
        (OPENAI, {"data": None}),
    ],
)
def test_the_error_of_a_job_says_nothing_of_the_query(provider, body):
    """A body with an id, a state or a result is the job's, whatever code it holds; so is one without any error."""
    assert _read(provider, 200, body) == body


def test_a_job_is_known_where_the_profile_looks_for_it():
    """Where a profile names places of its own for id and state, an answer with either is a job's."""
    profile = profile_named(OPENAI).model_copy(update={"id_path": "job.name", "status_path": "phases[].now"})
    for body in ({"job": {"name": "v"}}, {"phases": [{"now": "failed"}]}):
        told = {**body, "error": {"code": "invalid_api_key"}}
        assert readable(_answer(200, told), profile) == told
    with pytest.raises(KeyRefused):
        readable(_answer(200, {"error": {"code": "invalid_api_key"}}), profile)


@pytest.mark.parametrize("body", [_error("mystery"), {"error": "text"}, {"detail": "Not Found"}, {"success": False}])
@pytest.mark.parametrize("provider", [ACE, QINIU, OPENAI])
def test_t8_an_error_instead_of_a_job_is_no_news_of_it(provider, body):
    """An envelope at HTTP 200 is a query that failed, so that it is backed off from, and its reason is heard."""
    with pytest.raises(ProviderUnavailable) as caught:
        _read(provider, 200, body)
    assert type(caught.value) is ProviderUnavailable


def test_s33_a_hint_to_slow_down_is_heard_at_any_status():
    """What is asked for with the code of a rate limit counts as with a 429."""
    with pytest.raises(SlowDown) as caught:
        _read(ACE, 200, _error("rate_limited"), headers={"retry-after": "7"})
    assert caught.value.retry_after_s == 7


WHY = {"detail": {"loc": ["body"], "msg": "no", "type": "content_policy_violation"}}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, WHY),
        (422, {"detail": [WHY["detail"]]}),
        (422, {"detail": "no"}),
        (422, {"error": "no"}),
        (400, {"detail": {"msg": "no", "type": "downstream_service_error"}}),
        (451, {"error": {"message": "no"}}),
        (200, WHY),
        (200, {"error": "no"}),
    ],
)
def test_an_error_in_the_place_of_a_result_is_how_the_job_ended(status, body):
    """Only there; about a job that may still run the same answer is a query that failed."""
    assert _read(QINIU, status, body, result=True) == body
    with pytest.raises(ProviderUnavailable):
        _read(QINIU, status, body)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, WHY, KeyRefused),
        (403, WHY, ProviderUnavailable),
        (404, WHY, UnknownJob),
        (410, WHY, UnknownJob),
        (408, WHY, ProviderUnavailable),
        (409, WHY, ProviderUnavailable),
        (425, WHY, ProviderUnavailable),
        (429, WHY, SlowDown),
        (500, WHY, ProviderUnavailable),
        (503, WHY, ProviderUnavailable),
        (302, WHY, ProviderUnavailable),
        (400, {"detail": "Request is still in progress"}, ProviderUnavailable),
        (422, {}, ProviderUnavailable),
        (422, b"<html>", ProviderUnavailable),
        (422, {"error": {"code": "invalid_api_key"}}, KeyRefused),
        (200, {"error": {"code": "invalid_api_key"}}, KeyRefused),
        (200, b"<html>", UnusableAnswer),
    ],
)
def test_what_is_about_the_query_ends_no_job_at_its_result_either(status, body, error):
    """The key, the moment, the address, the server, and a refusal without a reason: asked again, or held."""
    with pytest.raises(error) as caught:
        _read(QINIU, status, body, result=True)
    assert type(caught.value) is error


def test_an_end_that_broke_off_is_none():
    """Half an answer says nothing, with whatever status."""
    for status in (200, 422):
        with pytest.raises(ProviderError):
            _read(QINIU, status, WHY, result=True, complete=False)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["used_up", "invalid_token", "task_not_found", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "code", "type", "detail", "success", "id", "status", "response"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(shipped_profiles())), st.integers(100, 599), _ANY, st.booleans(), st.booleans())
def test_w06_every_answer_is_read_or_translated(name, status, body, result, complete):
    """Any answer gives a body or an error of ours that can be shown; a job ends by none of these errors."""
    try:
        read = _read(name, status, body, result=result, complete=complete)
    except (ProviderError, KeyRefused) as error:
        said = str(error)
    else:
        said = ""
        assert read == body
    assert said == "" or said.isprintable()


@pytest.mark.parametrize(
    ("body", "code", "is_one"),
    [
        ({"error": {"message": "no"}}, None, True),
        ({"detail": "no"}, None, True),
        ({"success": False}, None, True),
        ({"error": "no", "id": "v1"}, None, False),
        ({"error": "no", "status": "failed"}, None, False),
        ({"error": "no", "data": {}}, None, True),
        ({"error": "no", "data": {"x": 1}}, None, False),
        ({}, None, False),
    ],
)
def test_an_envelope_has_an_error_and_nothing_of_a_job(body, code, is_one):
    """The error of a job says how the job ended, that of an envelope says nothing of it."""
    assert is_envelope(body, code, profile_named(OPENAI)) is is_one
