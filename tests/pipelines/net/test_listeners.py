"""Which server it is that listens at a port of this machine."""

from __future__ import annotations

import socket
import sys

import pytest

from pipelines.net import listeners
from pipelines.net.listeners import listeners_at

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells: elsewhere an address is all that is known"
)


def _serve(port=0):
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


def test_one_server_after_the_other_at_a_port_that_the_system_gave_out():
    """The same server is the same, under every name of this machine; the next one there is another."""
    first, url = _serve()
    with first:
        names = {url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::1]")}
        found = listeners_at(names)
        assert set(found) == names
        [known] = set(found.values())
    assert listeners_at([url]) == {}
    second, again = _serve(first_port := int(url.rpartition(":")[2].partition("/")[0]))
    with second:
        assert again == f"http://127.0.0.1:{first_port}/v1"
        assert set(listeners_at([again]).values()).isdisjoint({known})
        assert listeners_at([again])


@pytest.mark.parametrize(
    "url", ["https://api.example/v1", "http://10.0.0.7:40000", "http://127.0.0.1", "http://[bad", "x"]
)
def test_elsewhere_the_address_is_all_that_is_known(url):
    """Another machine, no port, no address: nothing is said, and nothing breaks."""
    assert listeners_at([url]) == {}


def test_a_port_that_somebody_chose_stays_the_same_server(monkeypatch, tmp_path):
    """A gateway that is started anew is the seller that it was; a system that tells nothing is no fault."""
    serving, url = _serve()
    with serving:
        monkeypatch.setattr(listeners, "_PROC", tmp_path)
        assert listeners_at([url]) == {}
        (tmp_path / "sys/net/ipv4").mkdir(parents=True)
        (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("1 2\n", "ascii")
        assert listeners_at([url]) == {}
