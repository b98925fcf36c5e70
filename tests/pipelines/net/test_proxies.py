from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from dataclasses import dataclass, field

import httpx
import pytest

from pipelines.core.errors import AddressRefused, NoAnswer, NotSent, ProxyUnusable
from pipelines.net import http as http_module
from pipelines.net.http import Http
from pipelines.net.proxies import ProxyRules, proxies_in_words, shield
from tests.pipelines.net.proxy_servers import running_proxy

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OFFICE = "http://proxy.example:3128"


@dataclass
class Peer:
    """A provider on this machine that is known by other names behind a proxy."""

    port: int = 0
    orders: list[bytes] = field(default_factory=list)
    hangs_up: bool = False

    async def serve(self, reader, writer):
        """One connection, many requests."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next((int(v) for n, _, v in _lines(head) if n.lower() == b"content-length"), 0)
                await reader.readexactly(length)
                self.orders.append(head)
                if self.hangs_up:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()


def _lines(head):
    return [line.partition(b": ") for line in head.split(b"\r\n")]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for provider.example, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=provider.example", "-addext", "subjectAltName=DNS:provider.example"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
async def peers(certificate, monkeypatch):
    """The provider in the open, and behind TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    monkeypatch.setattr(http_module, "_trust", lambda: ssl.create_default_context(cafile=certificate[0]))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    pair = (Peer(), Peer())
    running = [await asyncio.start_server(pair[0].serve, "127.0.0.1", 0)]
    running.append(await asyncio.start_server(pair[1].serve, "127.0.0.1", 0, ssl=context))
    for peer, server in zip(pair, running, strict=True):
        peer.port = server.sockets[0].getsockname()[1]
    yield pair
    for server in running:
        server.close()
        await server.wait_closed()


async def order(http, url, hook=None):
    """Buy something, and say what had happened at the last instant before the first byte."""

    async def nothing():
        return None

    return await http.submit(url, headers={}, content=b"{}", before_first_byte=hook or nothing)


async def fetched(http, url):
    """Download something."""
    async with http.fetch(url, headers={}) as incoming:
        return b"".join([chunk async for chunk in incoming.chunks])


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks", ""])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_behind_a_proxy(peers, monkeypatch, scheme, tls):
    """Orders, queries and downloads go through the same proxy, in every way that one can be named."""
    peer = peers[tls]
    async with running_proxy(leads_to=peer.port) as proxy:
        address = proxy.url(scheme) if scheme else proxy.url().removeprefix("http://")
        monkeypatch.setenv("ALL_PROXY", address)
        url = f"{'https' if tls else 'http'}://provider.example/v1/videos"
        async with Http() as http:
            assert (await order(http, url)).status == 200
            assert (await order(http, url)).status == 200
            assert (await http.ask("GET", url, headers={})).status == 200
            assert await fetched(http, url) == b"{}"

    assert len(peer.orders) == 4
    assert len(proxy.asked) == 4  # a fresh tunnel for each payment, one of their own for queries and for files
    assert all("provider.example" in each for each in proxy.asked)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_behind_a_proxy_that_asks_who_it_is(peers, monkeypatch, scheme):
    """Name and password stand in the address of the proxy, and go to it alone."""
    async with running_proxy(leads_to=peers[1].port, user="me:s/cret") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(scheme, "me:s%2Fcret"))
        async with Http() as http:
            assert (await order(http, "https://provider.example/v1")).status == 200
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(scheme, "me:wrong"))
        async with Http() as http:
            with pytest.raises(NotSent) as caught:
                await order(http, "https://provider.example/v1")

    assert b"proxy-authorization" not in peers[1].orders[0].lower()
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 400, 403, 404, 407, 429, 500, 502, 503, 504])
async def test_behind_a_proxy_that_refuses_the_tunnel_nothing_is_sent(peers, monkeypatch, status):
    """A proxy that refuses CONNECT, with whatever status, has passed nothing on: surely not sent."""
    asked = []

    async def hook():
        asked.append(1)

    async with running_proxy(leads_to=peers[1].port, refuses=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        async with Http() as http:
            with pytest.raises(NotSent, match=f"the proxy answered {status}$"):
                await order(http, "https://provider.example/v1", hook)

    assert (asked, peers[1].orders) == ([], [])


@pytest.mark.parametrize(
    "broken", [b"", b"SSH-2.0-x\r\n", b"\x05\x00", b"\x05\xff", b"\x00" * 40, b"HTTP/1.1 200 OK\r\n"]
)
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_behind_a_proxy_that_is_none_nothing_is_sent(peers, monkeypatch, scheme, broken):
    """Whatever answers where a proxy should be: surely not sent, and never a bug."""
    async with running_proxy(broken=broken) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url(scheme))
        async with Http() as http:
            with pytest.raises(NotSent):
                await order(http, "https://provider.example/v1")
            with pytest.raises(NoAnswer):
                await http.ask("GET", "https://provider.example/v1", headers={})


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_behind_a_proxy_that_is_not_there_nothing_is_sent(peers, monkeypatch, scheme):
    """Nobody listens: surely not sent; so is a tunnel that a SOCKS proxy refuses."""
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1")
    async with Http() as http:
        for url in ("https://provider.example/v1", "http://provider.example/v1"):
            with pytest.raises(NotSent):
                await order(http, url)
    async with running_proxy(refuses=1) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5"))
        async with Http() as http:
            with pytest.raises(NotSent):
                await order(http, "http://provider.example/v1")


async def test_behind_a_proxy_the_first_byte_inside_the_tunnel_is_the_payment(peers, monkeypatch):
    """The hook runs once, after the tunnel stands and before the provider hears anything; afterwards it is in doubt."""
    peers[1].hangs_up = True
    async with running_proxy(leads_to=peers[1].port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        seen = []

        async def hook():
            seen.append((len(proxy.asked), len(peers[1].orders)))

        async def refuse():
            raise NotSent("taken over")

        async with Http() as http:
            with pytest.raises(NoAnswer):
                await order(http, "https://provider.example/v1", hook)
            with pytest.raises(NotSent, match="taken over"):
                await order(http, "https://provider.example/v1", refuse)

    assert seen == [(1, 0)]
    assert len(peers[1].orders) == 1


async def test_behind_a_forward_proxy_the_first_byte_of_the_request_is_the_payment(peers, monkeypatch):
    """Without a tunnel the proxy hears the order itself: what breaks off then may have been passed on."""
    peers[0].hangs_up = True
    async with running_proxy(leads_to=peers[0].port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        async with Http() as http:
            with pytest.raises(NoAnswer):
                await order(http, "http://provider.example/v1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.9", "x.localhost"])
def test_behind_a_proxy_this_machine_is_reached_directly(host):
    """Loopback never goes through a proxy, whatever the environment says: our own servers are there."""
    rules = ProxyRules.of({"ALL_PROXY": OFFICE, "NO_PROXY": "nothing.example"})
    assert rules.proxy_of(f"http://{host}:8000/v1") is None
    assert rules.proxy_of("http://127.0.0.1.example/v1") == OFFICE


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/a.mp4", "http://169.254.169.254/latest", "http://[fd00::1]/a.mp4", "http://2130706433/a"),
        *(
            "http://0x7f.1/a",
            "http://provider.example:22/a",
            "http://user@provider.example/a",
            "http://[::ffff:10.0.0.1]/",
        ),
        *("http://127.0.0.1/a.mp4", "http://localhost/a.mp4", "ftp://provider.example/a"),
    ],
)
async def test_behind_a_proxy_private_literals_stay_refused(peers, monkeypatch, url):
    """The proxy resolves names; what is private by its text alone is refused here, before the proxy hears of it."""
    async with running_proxy(leads_to=peers[0].port) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url())
        async with Http() as http:
            with pytest.raises(AddressRefused):
                await fetched(http, url)

    assert proxy.asked == []


NO_PROXY = [
    # entry, an address that it means, one that it does not mean
    ("provider.example", "http://provider.example", "http://notprovider.example"),
    ("provider.example", "https://api.provider.example", "http://provider.example.org"),
    ("PROVIDER.Example", "http://Provider.EXAMPLE", "http://other.example"),
    (".provider.example", "http://api.provider.example", "http://other.example"),
    ("*.provider.example", "http://api.provider.example", "http://other.example"),
    ("provider.example.", "http://provider.example", "http://other.example"),
    ("http://provider.example", "http://provider.example", "http://other.example"),
    ("provider.example:8080", "http://provider.example:8080", "http://provider.example"),
    ("provider.example:443", "https://provider.example", "http://provider.example"),
    ("a.example , provider.example", "http://provider.example", "http://b.example"),
    ("a.example provider.example", "http://provider.example", "http://b.example"),
    (",, ,provider.example,", "http://provider.example", "http://b.example"),
    ("10.0.0.1", "http://10.0.0.1", "http://10.0.0.11"),
    ("10.0.0.0/8", "http://10.9.8.7:9000", "http://11.0.0.1"),
    ("192.168.*", "http://192.168.7.7", "http://192.169.0.1"),
    ("fd00::1", "http://[fd00::1]", "http://[fd00::2]"),
    ("[fd00::1]", "http://[FD00::1]:8000", "http://[fd00::2]"),
    ("[fd00::1]:8000", "http://[fd00::1]:8000", "http://[fd00::1]"),
    ("fd00::/8", "http://[fd12::7]", "http://[fe80::1]"),
]


@pytest.mark.parametrize(("entry", "meant", "other"), NO_PROXY)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_every_form_of_no_proxy_is_read(variable, entry, meant, other):
    """Host, suffix, address, range of addresses, port, brackets, case and spaces; before and after `shield`."""
    environment = {"ALL_PROXY": OFFICE, variable: entry}
    for _ in range(2):
        rules = ProxyRules.of(environment)
        assert (rules.proxy_of(meant), rules.proxy_of(other)) == (None, OFFICE)
        shield(environment)


@pytest.mark.parametrize("entry", ["*", "a.example,*", " * "])
def test_no_proxy_for_anything(entry):
    """A star switches proxies off, also a wrong one."""
    rules = ProxyRules.of({"ALL_PROXY": "nonsense://", "NO_PROXY": entry})
    assert rules.proxy_of("https://provider.example") is None
    rules.check()


def test_which_proxy_is_for_what():
    """The scheme's own wins over ALL_PROXY, small letters over capitals, and an empty one switches off."""
    rules = ProxyRules.of({"https_proxy": "a:1", "HTTPS_PROXY": "b:1", "ALL_PROXY": "c:1", "http_proxy": ""})
    assert rules.proxy_of("https://provider.example") == "http://a:1"
    assert rules.proxy_of("http://provider.example") == "http://c:1"
    assert ProxyRules.of({"https_proxy": "", "HTTPS_PROXY": OFFICE}).proxy_of("https://x.example") is None
    assert ProxyRules.of({}).proxy_of("https://x.example") is None
    assert ProxyRules.of({"ALL_PROXY": OFFICE}).proxy_of("not an address") is None


WRONG = [
    *(
        "ftp://p.example",
        "socks4://p.example",
        "http://",
        "http://:3128",
        "http://p.example:99999",
        "http://p.example:x",
    ),
    *("http://me:hunter2@p.example:port", "http://p .example", "p.example/path", "http://p.example?x", "http://[::1"),
    *("file:///etc/passwd", "://p.example", "socks5://", "me:hunter2@", "http://me:hunter2@[zz]:1"),
]


@pytest.mark.parametrize("value", WRONG)
async def test_behind_a_proxy_that_is_wrong_there_is_one_clear_error(monkeypatch, value):
    """It names the variable and what to do, repeats nothing of the address, sends nothing, and ends with exit code 2."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", value)
    rules = ProxyRules.of({"HTTPS_PROXY": value})
    with pytest.raises(ProxyUnusable, match="HTTPS_PROXY is no address of a proxy") as caught:
        rules.check()
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 2
    async with Http() as http:
        with pytest.raises(ProxyUnusable):
            await order(http, "https://provider.example/v1")
        with pytest.raises(NotSent):  # it is for the other scheme
            await order(http, "http://provider.invalid/v1")


@pytest.mark.parametrize(
    "value", [OFFICE, "proxy.example:3128", "socks5h://proxy.example", "SOCKS://proxy.example:1080"]
)
@pytest.mark.parametrize("entries", ["", "[::1]", "*", "10.0.0.0/8, *.lab.example,[fd00::1]:80,host:80", "192.168.*"])
def test_other_libraries_read_the_same(monkeypatch, value, entries):
    """What Prefect's client makes of the shielded environment reaches this machine directly, and does not choke."""
    for name in NAMES:
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, {"NO_PROXY": entries}.get(name, value))
    environment = dict(os.environ)
    shield(environment)
    for name in (*NAMES, *map(str.lower, NAMES)):
        if name in environment:
            monkeypatch.setenv(name, environment[name])
    client = httpx.AsyncClient()
    for url in ("http://127.0.0.1:4200/api", "http://localhost:4200/api", "http://[::1]:4200/api"):
        assert client._transport_for_url(httpx.URL(url)) is client._transport


def test_an_environment_without_proxies_is_left_alone():
    """Nothing is set where nothing was set, and a wrong one stays for whoever needs it to complain of."""
    environment = {"NO_PROXY": "a", "PATH": "/bin"}
    shield(environment)
    assert environment == {"NO_PROXY": "a", "PATH": "/bin"}
    wrong = {"HTTPS_PROXY": "ftp://x"}
    shield(wrong)
    assert wrong["HTTPS_PROXY"] == "ftp://x"


def test_a_proxy_in_words_has_no_password():
    """`doctor` says which proxy is for what."""
    said = list(proxies_in_words(ProxyRules.of({"ALL_PROXY": "socks5://me:hunter2@[fd00::1]:1080"})))
    assert said == [f"{scheme} through socks5://[fd00::1]:1080 (ALL_PROXY)" for scheme in ("http", "https")]
    assert "hunter2" not in json.dumps(said)
    assert "hunter2" not in repr(ProxyRules.of({"ALL_PROXY": "socks5://me:hunter2@p.example"}))
