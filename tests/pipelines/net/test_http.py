from __future__ import annotations

import asyncio
import logging
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from pipelines.core.errors import AddressRefused, DownloadInterrupted, NoAnswer, NotSent, Unsendable
from pipelines.net import http as http_module
from pipelines.net.addresses import Origin
from pipelines.net.http import ANSWER_CAP_BYTES, Http, unpacked

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Wire:
    """A server that counts bytes and says what it is told to, or nothing."""

    def __init__(self) -> None:
        self.received: list[bytearray] = []  # by connection
        self.say: Callable[[bytes], bytes | None] = lambda _: OK  # None: hang up
        self.hang_up = False  # after the answer
        self.port = 0

    def url(self, path: str = "/v1?key=secret") -> str:
        """A link to here."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def origin(self) -> Origin:
        """Who this is."""
        return Origin.of(self.url())

    @property
    def text(self) -> str:
        """Everything received, in lower case."""
        return b"".join(self.received).decode().lower()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, many requests."""
        got = bytearray()
        self.received.append(got)
        try:
            while data := await reader.read(65536):
                got += data
                if b"\r\n\r\n" in data:
                    answer = self.say(bytes(data))
                    if answer is None:
                        break
                    writer.write(answer)
                    await writer.drain()
                    if self.hang_up:
                        break
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def wires():
    """Two servers: different ports are different origins."""
    pair = (Wire(), Wire())
    running = [await asyncio.start_server(wire.serve, "127.0.0.1", 0) for wire in pair]
    for wire, server in zip(pair, running, strict=True):
        wire.port = server.sockets[0].getsockname()[1]
    yield pair
    for server in running:
        server.close()
        await server.wait_closed()


@pytest.fixture
def wire(wires):
    return wires[0]


@pytest.fixture
async def http():
    async with Http() as connections:
        yield connections


@pytest.fixture
def trusted(wires):
    """Both servers are on this machine, so that files are fetched from those only who are trusted."""
    return frozenset(wire.origin for wire in wires)


async def nothing() -> None:
    """A hook that lets the request go."""


def redirect(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def body(http: Http, url: str, **options) -> bytes:
    async with http.fetch(url, headers={}, **options) as incoming:
        return b"".join([chunk async for chunk in incoming.chunks])


# -- paid requests


async def test_the_hook_runs_once_before_the_first_byte(http, wire):
    """When the hook runs the connection stands, and the server has received nothing."""
    seen = []

    async def hook() -> None:
        await asyncio.sleep(0.05)
        seen.append([bytes(got) for got in wire.received])

    answer = await http.submit(wire.url(), headers={"x-a": "1"}, content=b"pay me", before_first_byte=hook)

    assert (answer.status, answer.body, answer.complete) == (200, b"{}", True)
    assert seen == [[b""]]
    assert wire.received[0].endswith(b"pay me")


@pytest.mark.parametrize("error", [RuntimeError("taken over"), TimeoutError("lock"), OSError("disk"), NotSent("x")])
async def test_when_the_hook_fails_the_server_receives_nothing(http, wire, error):
    """An exception from the hook comes out as it is, whatever its class, and no byte has left."""

    async def hook() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await http.submit(wire.url(), headers={}, content=b"pay me", before_first_byte=hook)
    await asyncio.sleep(0.05)

    assert caught.value is error
    assert wire.text == ""


async def test_a_hook_beyond_the_deadline_sends_nothing(http, wire):
    """A slow commit cannot let a request out late."""
    with pytest.raises(NotSent):
        await http.submit(
            wire.url(), headers={}, content=b"x", before_first_byte=lambda: asyncio.sleep(9), deadline_s=0.1
        )

    assert wire.text == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://nowhere.invalid/"])
async def test_without_a_connection_nothing_was_sent(http, url):
    """What fails before the hook is surely not paid."""
    ran = []

    async def hook() -> None:
        ran.append(1)

    with pytest.raises(NotSent):
        await http.submit(url, headers={}, content=b"x", before_first_byte=hook)

    assert ran == []


@pytest.mark.parametrize("url", ["http://[::1", "gopher://x/", "https://", "http://xn--a/"])
async def test_s02_where_nobody_can_be_no_row_is_sent(http, url):
    """An address that is none is a mistake of the setup, which time does not mend; the hook does not run."""
    ran = []

    async def hook() -> None:
        ran.append(1)

    with pytest.raises(Unsendable):
        await http.submit(url, headers={}, content=b"x", before_first_byte=hook)

    assert ran == []


BAD_KEYS = ["sk-old\nsk-CANARY", "sk-CANARY\r\nx: y", "\ufeffsk-CANARY", "sk-CANARY\x00", "sk-CANARYé", "sk-CANARY "]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_s02_k04_a_key_that_cannot_be_sent_is_a_mistake_of_the_setup(http, wire, key):
    """Nothing is sent and no hook runs, so that no row is in doubt; and no message repeats the key."""
    ran = []

    async def hook() -> None:
        ran.append(1)

    with pytest.raises(Unsendable, match="authorization") as caught:
        await http.submit(wire.url(), headers={"authorization": key}, content=b"x", before_first_byte=hook)

    assert (ran, wire.text) == ([], "")
    assert caught.value.__cause__ is None
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("key", BAD_KEYS[:5])
async def test_k04_no_message_repeats_what_could_not_be_sent(http, wire, trusted, key):
    """The library quotes the header that it refuses; nobody may read it in an error of a query or of a download."""
    header = {"authorization": key}
    with pytest.raises(NoAnswer) as asked:
        await http.ask("GET", wire.url(), headers=header)
    with pytest.raises(DownloadInterrupted) as fetched:
        await body(http, wire.url(), key_header=header, trusted=trusted)

    for said in (str(asked.value), str(fetched.value)):
        assert "CANARY" not in said
        assert "sk-" not in said


@pytest.mark.parametrize("line", [b"HTTP/1.1 CANARY", b"HTTP/1.1 200 OK\r\nCANARY", b"CANARY"])
async def test_k04_no_message_repeats_what_came_back(http, wire, trusted, line):
    """An answer that breaks the protocol may hold a key as well: a proxy may echo the request."""
    wire.say = lambda _: line + b"\r\n\r\n"
    wire.hang_up = True
    with pytest.raises(NoAnswer) as submitted:
        await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing)
    with pytest.raises(NoAnswer) as asked:
        await http.ask("GET", wire.url(), headers={})
    with pytest.raises(DownloadInterrupted) as fetched:
        await body(http, wire.url(), trusted=trusted)

    assert not any("CANARY" in str(error.value) for error in (submitted, asked, fetched))


async def test_a_line_that_breaks_after_the_request_is_no_answer(http, wire):
    """Once the hook has run, a missing answer may mean a payment."""
    wire.say = lambda _: None

    with pytest.raises(NoAnswer) as caught:
        await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing)

    assert "secret" not in str(caught.value)
    assert str(caught.value).endswith(": the connection was closed before an answer came")
    assert caught.value.__cause__ is None


async def test_silence_beyond_the_deadline_is_no_answer(http, wire):
    """A server that says nothing may have acted."""
    wire.say = lambda _: b""

    with pytest.raises(NoAnswer, match=r": nothing came in time$"):
        await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing, deadline_s=0.2)


async def test_an_answer_that_breaks_off_is_kept_and_marked(http, wire):
    """A status line is an answer: what came of the body may hold the id."""
    wire.say = lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id": "v1"'

    answer = await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing, deadline_s=0.2)

    assert (answer.status, answer.body, answer.complete) == (200, b'{"id": "v1"', False)


async def test_an_answer_is_capped(http, wire):
    """No answer fills the memory; who expects a clip in one says how much may come."""
    size = ANSWER_CAP_BYTES + 9
    wire.say = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)

    answer = await http.ask("GET", wire.url(), headers={})

    assert (len(answer.body), answer.complete) == (ANSWER_CAP_BYTES, False)
    whole = await http.ask("GET", wire.url(), headers={}, most_bytes=size)
    assert (len(whole.body), whole.complete) == (size, True)


def packed(content: bytes, wbits: int = 31) -> bytes:
    """Gzip by default; 15 is what HTTP calls deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(content) + packer.flush()


def encoded(content: bytes, encoding: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def answered(http: Http, wire: Wire, answer: bytes) -> list[http_module.Answer]:
    """The same answer to a payment and to a query."""
    wire.say = lambda _: answer
    paid = await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing)
    return [paid, await http.ask("GET", wire.url(), headers={})]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", packed(b'{"id": 1}')),
        (" X-GZIP", packed(b'{"id": 1}')),
        ("deflate", packed(b'{"id": 1}', 15)),
        ("identity", b'{"id": 1}'),
        ("gzip", b'{"id": 1}'),
    ],
)
async def test_an_answer_that_a_proxy_packed_is_read(http, wire, encoding, content):
    """Nobody asks for it, some do it all the same, and some only say so."""
    for answer in await answered(http, wire, encoded(content, encoding)):
        assert (answer.body, answer.complete) == (b'{"id": 1}', True)


async def test_a_packed_answer_that_breaks_off_is_kept_and_marked(http, wire):
    """What can be unpacked of it may hold the id; an empty one is whole."""
    content = packed(b'{"id": "v1", "data": "' + bytes(range(256)) * 9)
    for answer in await answered(http, wire, encoded(content[:-20], "gzip")):
        assert answer.body.startswith(b'{"id": "v1"')
        assert not answer.complete
    for answer in await answered(http, wire, encoded(b"", "gzip")):
        assert (answer.body, answer.complete) == (b"", True)


BOMB = packed(bytes(64 << 20))


@pytest.mark.parametrize(
    ("encoding", "content", "body", "complete"),
    [
        ("gzip", BOMB, bytes(ANSWER_CAP_BYTES), False),
        ("gzip, gzip", packed(BOMB), packed(BOMB), True),
        ("deflate, gzip", packed(BOMB), packed(BOMB), True),
        ("br", BOMB, BOMB, True),
    ],
    ids=["once", "twice", "twice in two ways", "unknown"],
)
async def test_s41_a_bomb_is_unpacked_once_and_up_to_the_cap(http, wire, encoding, content, body, complete):
    """However small a packed answer is, it takes no more memory than the largest answer; what is packed twice stays so."""
    answer = encoded(content, encoding)
    await answered(http, wire, OK)  # what is made once is made
    tracemalloc.start()
    try:
        found = await answered(http, wire, answer)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert all((each.body, each.complete) == (body, complete) for each in found)
    assert most < 8 * ANSWER_CAP_BYTES


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_paid_request_is_never_redirected(http, wires, status):
    """A redirect is an answer; nothing is sent twice."""
    first, second = wires
    first.say = lambda _: redirect(second.url(), status)

    answer = await http.submit(first.url(), headers={}, content=b"x", before_first_byte=nothing)

    assert (answer.status, second.text) == (status, "")


async def test_every_paid_request_has_its_own_connection(http, wire):
    """A kept connection may be dead without anybody knowing; a payment is not risked on one."""
    for _ in range(3):
        await http.submit(wire.url(), headers={}, content=b"x", before_first_byte=nothing)

    assert len(wire.received) == 3


async def test_free_requests_share_a_connection(http, wire):
    """What may be repeated may be quick."""
    for _ in range(3):
        await http.ask("GET", wire.url(), headers={})

    assert len(wire.received) == 1


async def test_questions_that_nobody_answers_leave_the_way_free(http, wire):
    """However many are given up, while they wait or while they connect, no connection is left."""
    wire.say = lambda _: b""
    asked = (http.ask("GET", wire.url(), headers={}, deadline_s=0.001 * (number % 200)) for number in range(400))
    assert {type(answer) for answer in await asyncio.gather(*asked, return_exceptions=True)} == {NoAnswer}
    assert http._free._transport._direct._pool.connections == []


async def test_a_free_request_without_answer_passes(http, wire):
    """A query that fails may be asked again, and its message holds no secret."""
    wire.say = lambda _: None
    with pytest.raises(NoAnswer) as caught:
        await http.ask("GET", wire.url(), headers={})

    assert caught.value.passes
    assert "secret" not in str(caught.value)


# -- files


async def test_a_file_comes_in_chunks(http, wire, trusted):
    """The body, the status, the headers and who served it are given."""
    async with http.fetch(wire.url(), headers={"range": "bytes=5-"}, trusted=trusted) as incoming:
        chunks = [chunk async for chunk in incoming.chunks]

    assert (incoming.status, incoming.headers["content-length"], b"".join(chunks)) == (200, "2", b"{}")
    assert incoming.origin == wire.origin
    assert "range: bytes=5-" in wire.text
    assert "accept-encoding: identity" in wire.text


async def test_leaving_early_leaves_nothing_behind(http, wire, trusted):
    """A body that is not read to its end is dropped with its connection."""
    wire.say = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + bytes(900_000)
    async with http.fetch(wire.url(), headers={}, trusted=trusted) as incoming:
        async for _ in incoming.chunks:
            break
    wire.say = lambda _: OK

    assert await body(http, wire.url(), trusted=trusted) == b"{}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_d01_a_redirect_is_followed_and_the_new_server_named(http, wires, trusted, status):
    """Redirects between allowed places work, relative ones too."""
    first, second = wires
    first.say = lambda data: redirect("/moved", status) if b"/v1" in data else redirect(second.url("/there"), status)

    async with http.fetch(first.url(), headers={}, trusted=trusted) as incoming:
        assert incoming.origin == second.origin
        assert incoming.status == 200


async def test_d01_three_redirects_are_enough(http, wire, trusted):
    """A fourth is refused."""
    wire.say = lambda _: redirect("/again")

    with pytest.raises(AddressRefused, match="more than 3"):
        await body(http, wire.url(), trusted=trusted)

    assert wire.text.count("get /") == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://10.0.0.1:8080/",
        "http://localhost/",
        "ftp://cdn.example.com/",
        "file:///etc/passwd",
        "http://u:p@cdn.example.com/",
        "http://cdn.example.com:22/",
    ],
)
async def test_d01_a_redirect_is_checked_like_the_first_link(http, wire, trusted, target):
    """No redirect leads where a link may not lead."""
    wire.say = lambda _: redirect(target)

    with pytest.raises(AddressRefused):
        await body(http, wire.url(), trusted=trusted)
    assert len(wire.received) == 1


async def test_t20_the_key_goes_to_its_own_origin_only(http, wires, trusted):
    """A redirect to a storage server leaves the key at home."""
    first, second = wires
    first.say = lambda _: redirect(second.url("/file"))

    await body(http, first.url(), key_header={"authorization": "Bearer k3y"}, trusted=trusted)

    assert "bearer k3y" in first.text
    assert "get /file" in second.text
    assert "k3y" not in second.text


async def test_a_redirect_without_target_is_an_answer(http, wire, trusted):
    """Somebody else decides what it means."""
    wire.say = lambda _: b"HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n"

    async with http.fetch(wire.url(), headers={}, trusted=trusted) as incoming:
        assert incoming.status == 302


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_d02_a_private_address_is_refused_before_connecting(http, wire, host):
    """Also where a name leads there: what a name means is looked up where the connection is made."""
    with pytest.raises(AddressRefused):
        await body(http, f"http://{host}:{wire.port}/")
    with pytest.raises(AddressRefused):
        await body(http, f"http://{host}/")

    assert wire.received == []


async def test_d02_trust_in_one_server_is_for_no_link_of_another(http, wires):
    """A private server is open to the links of whoever runs there, and to none of anybody else, not by a redirect either."""
    first, second = wires
    ours, theirs = frozenset({first.origin}), frozenset({second.origin})
    assert await body(http, first.url(), trusted=ours) == b"{}"
    second.say = lambda _: redirect(first.url("/private"))

    for others in (frozenset(), theirs):
        with pytest.raises(AddressRefused):
            await body(http, first.url("/private"), trusted=others)
    with pytest.raises(AddressRefused):
        await body(http, second.url(), trusted=theirs)

    assert "/private" not in first.text


@pytest.mark.parametrize("url", ["http://nowhere.invalid/x?secret", "http://xn--a.invalid/?secret"])
async def test_a_file_server_that_is_not_there_passes(http, url):
    """A name without address may have one later; the message holds no query."""
    with pytest.raises(DownloadInterrupted) as caught:
        await body(http, url)

    assert "secret" not in str(caught.value)


async def test_a_file_that_breaks_off_is_an_interruption(http, wire, trusted):
    """A body shorter than promised is told from a whole one."""
    wire.say = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"
    wire.hang_up = True

    with pytest.raises(DownloadInterrupted, match=r": the connection was closed in the middle of an answer$"):
        await body(http, wire.url(), trusted=trusted)


# -- surroundings


@pytest.mark.parametrize(
    "hosts", ["localhost,127.0.0.1,::1", "[::1]", "*", "*.local,10.0.0.0/8", " ,", "host:80", "fe80::1"]
)
async def test_every_usual_no_proxy_is_understood(monkeypatch, wire, hosts):
    """The environment of an office does not keep the program from starting, nor from reaching this machine."""
    monkeypatch.setenv("NO_PROXY", hosts)
    monkeypatch.setenv("no_proxy", hosts)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    async with Http() as http:
        assert (await http.ask("GET", wire.url(), headers={})).status == 200
        assert await body(http, wire.url(), trusted=frozenset({wire.origin})) == b"{}"


def test_k04_the_libraries_log_no_links():
    """Httpx writes whole links at INFO, httpcore signed ones at DEBUG."""
    assert logging.getLogger("httpx").level == logging.WARNING
    assert logging.getLogger("httpcore").level == logging.WARNING


@pytest.mark.parametrize(
    ("body", "encoding", "found"),
    [
        (b"plain", "", (b"plain", True)),
        (b"", "gzip", (b"", True)),
        (packed(b"a"), "identity", (packed(b"a"), True)),
        (packed(b"a"), " GZip ", (b"a", True)),
        (packed(b"a", 15), "deflate", (b"a", True)),
        (packed(b"a")[:-4], "gzip", (b"a", False)),
        (b"no archive", "gzip", (b"no archive", True)),
    ],
)
def test_a_body_is_unpacked_as_far_as_it_is_packed(body, encoding, found):
    """What is not packed as it says stays as it is; what is cut is said to be."""
    assert unpacked(body, encoding) == found


async def test_a_paid_clip_lost_at_another_loopback_spelling_or_port(http, wires):
    """One's own gateway names its files by another spelling of this machine, or on a port that the operator trusts."""
    first, second = wires
    own = frozenset({Origin.of(first.url().replace("127.0.0.1", "localhost"))})
    assert await body(http, first.url(), trusted=own) == b"{}"
    with pytest.raises(AddressRefused):
        await body(http, second.url(), trusted=own)
    assert await body(http, second.url(), trusted=own | {Origin.trusted(f"localhost:{second.port}")}) == b"{}"
