"""Which server it is that listens at a port of this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

_PROC = Path("/proc")
_LISTENS = "0A"  # as /proc/net/tcp writes the state of a socket that listens


def listeners_at(base_urls: Collection[str]) -> dict[str, str]:
    """Name the servers that listen at addresses of this machine, where only the system's choice of a port led to them.

    A port that the system gives out goes to another server tomorrow, a simulator of a test perhaps; one that somebody
    chose (a gateway's) stays. So only the former is told apart, by its socket.

    Returns:
        By address: the boot of this machine and the number of the socket. Without those where nobody listens, where
        the port was chosen, and at other machines; and without any where the system has no /proc (macOS): there an
        address is all that is known.
    """
    ports = {url: port for url in base_urls if (port := _loopback_port(url)) is not None}
    try:
        first, last = map(int, (_PROC / "sys/net/ipv4/ip_local_port_range").read_text("ascii").split())
        given = {url: port for url, port in ports.items() if first <= port <= last}
        sockets = _sockets() if given else {}
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return {}
    return {url: f"{boot}:{sockets[port]}" for url, port in given.items() if port in sockets}


def _loopback_port(base_url: str) -> int | None:
    try:
        parts = urlsplit(base_url)
        return parts.port if _is_loopback(parts.hostname or "") else None
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower().rpartition(".")[2] == "localhost"


def _sockets() -> dict[int, int]:
    """The socket that listens at each port. The kernel takes milliseconds to write such a table: it is read once."""
    found: dict[int, int] = {}
    for table in filter(Path.exists, (_PROC / "net/tcp", _PROC / "net/tcp6")):
        rows = (line.split() for line in table.read_text("ascii").splitlines()[1:])
        for port, socket in ((int(row[1].rpartition(":")[2], 16), int(row[9])) for row in rows if row[3] == _LISTENS):
            found[port] = min(socket, found.get(port, socket))
    return found
