from __future__ import annotations

import pytest

from pipelines.core.errors import AddressRefused
from pipelines.net.addresses import (
    Origin,
    is_own,
    is_public,
    redirect_target,
    refusal,
    same_origin,
    without_query,
    without_userinfo,
)

TRUSTED = frozenset({Origin("http", "127.0.0.1", 8080)})


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"]
)
def test_public_unicast_is_public(address):
    """Addresses that anybody may reach are open."""
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",  # IPv4-compatible
        "::ffff:127.0.0.1",  # IPv4-mapped
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",  # NAT64: `is_global` calls it global
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",  # Teredo
        "2001:db8::1",
        "2002:7f00:1::",  # 6to4
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "localhost",
        "1.1.1",
        "0x7f.1",
    ],
)
def test_d02_private_reserved_and_disguised_addresses_are_not_public(address):
    """Everything that is not surely public is refused."""
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://cdn.example.com/a.mp4?sig=1", None),
        ("http://cdn.example.com/a.mp4", None),
        ("HTTPS://CDN.example.com:443/a.mp4", None),
        ("https://1.1.1.1/a.mp4", None),
        ("http://127.0.0.1:8080/a.mp4", None),  # the operator's own
        ("http://127.0.0.1:8081/a.mp4", "it uses port 8081"),
        ("http://127.0.0.1/a.mp4", "it leads to a private or reserved address"),
        ("https://127.0.0.1:8080/a.mp4", "it uses port 8080"),
        ("ftp://cdn.example.com/a.mp4", "it is not an http or https link"),
        ("file:///etc/passwd", "it is not an http or https link"),
        ("//cdn.example.com/a.mp4", "it is not an http or https link"),
        ("", "it is not an http or https link"),
        ("https://user:pass@cdn.example.com/", "it carries credentials"),
        ("https://cdn.example.com@10.0.0.1/", "it carries credentials"),
        ("https://api.example.com\\@evil.example/", "it carries credentials"),
        ("https://@evil.example/", "it carries credentials"),
        ("https:///a.mp4", "it names no usable host"),
        ("https://cdn.example.com:0x50/", "it names no usable host"),
        ("https://cdn.example.com:99999/", "it names no usable host"),
        ("https://a..b/", "it names no usable host"),
        ("https://cdn.example.com:22/", "it uses port 22"),
        ("https://[::1/", "it cannot be read"),
        ("https://[::1]/", "it leads to a private or reserved address"),
        ("https://[::ffff:10.0.0.1]/", "it leads to a private or reserved address"),
        ("https://[64:ff9b::a00:1]/", "it leads to a private or reserved address"),
        ("https://2130706433/", "it leads to a private or reserved address"),
        ("https://0x7f000001/", "it leads to a private or reserved address"),
        ("https://0177.0.0.1/", "it leads to a private or reserved address"),
        ("https://127.1/", "it leads to a private or reserved address"),
        ("https://127.0.0.1./", "it leads to a private or reserved address"),
        ("https://①②⑦.⓪.⓪.①/", "it leads to a private or reserved address"),
        ("https://169.254.169.254/latest/meta-data", "it leads to a private or reserved address"),
    ],
)
def test_d01_d02_a_link_is_judged_by_its_text(url, reason):
    """Schemes, credentials, ports and numbers in any spelling are seen before anything is opened."""
    assert refusal(url, TRUSTED) == reason


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://cdn.example.com/a.mp4?sig=secret#x", "https://cdn.example.com/a.mp4"),
        ("https://user:secret@cdn.example.com:8443/a", "https://cdn.example.com:8443/a"),
        ("https://[2606:4700::1]/a?secret", "https://[2606:4700::1]/a"),
        ("https://cdn.example.com:99999/a?secret", "https://cdn.example.com/a"),
        ("https://[::1/?secret", "(a link that cannot be read)"),
    ],
)
def test_k04_what_is_shown_of_a_link_is_no_secret(url, shown):
    """Neither query nor credentials appear."""
    assert without_query(url) == shown


def test_an_origin_is_the_same_in_every_spelling():
    """Case, default port, a trailing dot and punycode make no difference."""
    origin = Origin("https", "xn--bcher-kva.example", 443)

    for url in ("https://bücher.example/a", "HTTPS://BÜCHER.example:443", "https://xn--bcher-kva.example./"):
        assert Origin.of(url) == origin


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example:443/v1?key=secret", "https://a.example"),
        ("http://a.example:8080/v1", "http://a.example:8080"),
        ("https://u:secret@a.example/", "https://a.example"),
        ("http://[::1]:8/x", "http://[::1]:8"),
    ],
)
def test_k04_an_origin_is_shown_as_in_a_link(url, shown):
    """Scheme, host and an unusual port, and nothing that is secret."""
    assert str(Origin.of(url)) == shown


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api/v1/x", True),
        ("https://API:443", True),
        ("http://api/v1", False),
        ("https://api:444/v1", False),
        ("https://api@cdn/v1", False),
        ("https://api:x/", False),
        ("/v1", False),
        ("", False),
    ],
)
def test_the_same_server_is_told_by_scheme_host_and_port(url, same):
    """A link that cannot be read is nobody's."""
    assert same_origin(url, "https://api/v1") is same
    assert same_origin("https://api/v1", url) is same


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://127.0.0.1:30000", True),
        ("http://[::1]/v1", True),
        ("http://10.0.0.7/v1", True),
        ("http://192.168.1.20:4000", True),
        ("http://gpu-box/v1", True),
        ("http://gpu-box.local/v1", True),
        ("http://render.internal./v1", True),
        ("https://gpu.example.com:8443/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://api.qnaigc.com:443/v1", False),
        ("http://93.184.216.34/v1", False),
    ],
)
def test_an_address_inside_is_no_vendors(url, own):
    """This machine, a private network or a port of its own: whoever wrote it into a profile means their own server."""
    assert is_own(url) is own


@pytest.mark.parametrize("target", ["http://cdn.example.com/", "HTTP://cdn.example.com/", "//[::1"])
def test_d01_https_never_becomes_http(target):
    """A redirect to an open connection is refused however it is spelt, and one that cannot be read as well."""
    for hop in ("https://cdn.example.com/a", "HTTPS://cdn.example.com/a"):
        with pytest.raises(AddressRefused):
            redirect_target(hop, target)


MAY_BE_TRUSTED = [
    # what is trusted, a link that it covers, one that it does not
    ("files.lan", "http://files.lan:9000/a.mp4", "http://other.lan:9000/a.mp4"),
    ("files.lan:9000", "http://FILES.lan:9000/a.mp4", "http://files.lan:9001/a.mp4"),
    ("10.0.0.7:9000", "https://10.0.0.7:9000/a.mp4", "http://10.0.0.7/a.mp4"),
    ("localhost:9000", "http://127.0.0.1:9000/a.mp4", "http://127.0.0.1:6379/a.mp4"),
    ("127.0.0.1:9000", "http://[::1]:9000/a.mp4", "http://127.0.0.2:9000/a.mp4"),
    ("[::1]:9000", "http://localhost:9000/a.mp4", "http://localhost:9001/a.mp4"),
    ("[fd00::1]", "http://[fd00::1]:7/a.mp4", "http://[fd00::2]:7/a.mp4"),
]


@pytest.mark.parametrize(("text", "covered", "other"), MAY_BE_TRUSTED)
def test_a_paid_clip_lost_at_a_host_that_may_be_trusted(text, covered, other):
    """What the operator trusts by name may be private and on any port that was named; nothing beside it may."""
    trusted = frozenset({Origin.trusted(text)})
    assert refusal(covered, trusted) is None
    assert refusal(other, trusted) is not None
    assert refusal(covered) is not None


@pytest.mark.parametrize(
    "text",
    ["", "http://files.lan", "files.lan/a", "a b", "files.lan:0", "files.lan:99999", "fd00::1", "u@h", "*", "h?x"],
)
def test_what_is_no_host_cannot_be_trusted(text):
    """HOST or HOST:PORT, and nothing else."""
    with pytest.raises(ValueError):  # noqa: PT011 - whoever asks has the words
        Origin.trusted(text)


@pytest.mark.parametrize("base", ["http://localhost:8000/v1", "http://127.0.0.1:8000", "http://[::1]:8000/"])
def test_a_paid_clip_lost_at_another_spelling_of_this_machine(base):
    """An operator's own server on this machine is one server by whatever name, at its port and at no other."""
    trusted = frozenset({Origin.of(base)})
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert refusal(f"http://{host}:8000/a.mp4", trusted) is None
        assert refusal(f"https://{host}:8000/a.mp4", trusted) is not None
        assert refusal(f"http://{host}:9000/a.mp4", trusted) is not None
        assert same_origin(f"http://{host}:8000/a", base)
    assert refusal("http://10.0.0.1:8000/a.mp4", trusted) is not None
    assert not same_origin("http://10.0.0.1:8000/a", base)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:hunter2@gate.example/v1", "https://gate.example/v1"),
        ("https://hunter2@gate.example:8443", "https://gate.example:8443"),
        ("http://u:hun@ter2@gate.example/v1?key=hunter2#x", "http://gate.example/v1"),
        ("http://u:hunter2@[fd00::1]:8/v1", "http://[fd00::1]:8/v1"),
        ("http://u@gate.example:hunter2/v1", "http://gate.example/v1"),
        ("http://[::1]/v1", "http://[::1]/v1"),
        ("u:hunter2@gate.example", "gate.example"),
        ("https://gate.example/v1", "https://gate.example/v1"),
    ],
)
def test_a_base_url_is_shown_without_who_and_password(url, shown):
    """Also one that nobody could use."""
    assert without_userinfo(url) == shown
