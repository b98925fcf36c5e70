from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from pipelines.providers.key_proof import KeyProof, signed_token
from pipelines.providers.profile.exchange import Auth

KEY = "sk-0123456789/+&"
PAIR = "access-0123:secret-0123"


@pytest.mark.parametrize(
    ("auth", "key", "headers"),
    [
        ({}, KEY, {"authorization": f"Bearer {KEY}"}),
        ({"scheme": "Key"}, KEY, {"authorization": f"Key {KEY}"}),
        ({"header": "X-Api-Key", "scheme": ""}, KEY, {"x-api-key": KEY}),
        ({"by": "basic"}, PAIR, {"authorization": "Basic YWNjZXNzLTAxMjM6c2VjcmV0LTAxMjM="}),
        ({"by": "query", "query": "key"}, KEY, {}),
        ({}, "", {}),
    ],
)
def test_the_key_is_shown_as_the_profile_has_it(auth, key, headers):
    """Scheme and header are data; in the query it is in no header, and without a key there is none."""
    proof = KeyProof(Auth(**auth), key)
    assert proof.headers() == headers
    asked = proof.on("https://a.example/v?x=1")
    assert asked == (
        "https://a.example/v?x=1&key=sk-0123456789%2F%2B%26" if auth.get("by") == "query" else "https://a.example/v?x=1"
    )


def test_a_token_is_signed_and_made_anew_in_time():
    """RFC 7515, appendix A.1, as far as spaces go; a token is used until half of its time is over."""
    now = [1_000_000.0]
    proof = KeyProof(Auth(by="jwt", lasts_s=100), PAIR, lambda: now[0])
    first = proof.headers()["authorization"].removeprefix("Bearer ")
    head, claims, signature = first.split(".")
    said = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    assert said == [{"alg": "HS256", "typ": "JWT"}, {"iss": "access-0123", "exp": 1_000_100, "nbf": 999_995}]
    mine = hmac.digest(b"secret-0123", f"{head}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "==") == mine
    now[0] += 49
    assert proof.headers()["authorization"] == f"Bearer {first}"
    now[0] += 2
    assert proof.headers()["authorization"] != f"Bearer {first}"


def test_a_known_token():
    """The example of jwt.io, made with the secret `your-256-bit-secret`."""
    claims = {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}
    assert signed_token(claims, "your-256-bit-secret").endswith(".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")


def test_every_spelling_of_a_key_is_a_secret():
    """The key, its parts, its token, and how they look in an address or in JSON; what is short is no secret."""
    proof = KeyProof(Auth(by="jwt"), PAIR)
    token = proof.headers()["authorization"].removeprefix("Bearer ")
    assert {PAIR, "access-0123", "secret-0123", token} <= {*proof.secrets()}
    assert {KEY, "sk-0123456789%2F%2B%26", "sk-0123456789\\/+&"} <= {*KeyProof(Auth(by="query"), KEY).secrets()}
    assert [*KeyProof(Auth(), "sandbox").secrets()] == ["c2FuZGJveA=="]
