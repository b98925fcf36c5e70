"""Which server it is that listens at a port of this machine."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

_PROC = Path("/proc")
_LISTENS = "0A"  # as /proc/net/tcp writes the state of a socket that listens


def listener_at(base_url: str) -> str | None:
    """Name the server that listens at an address of this machine, if only the system's choice of a port led to it.

    A port that the system gives out goes to another server tomorrow, a simulator of a test perhaps; one that somebody
    chose (a gateway's) stays. So only the former is told apart, by its socket.

    Returns:
        The boot of this machine and the number of the socket; None where nobody listens, where the port was chosen,
        at other machines, and where the system has no /proc (macOS): there an address is all that is known.
    """
    try:
        parts = urlsplit(base_url)
        if parts.port is None or not _is_loopback(parts.hostname or ""):
            return None
        first, last = (_PROC / "sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
        if not int(first) <= parts.port <= int(last):
            return None
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        sockets = [found for table in ("net/tcp", "net/tcp6") for found in _listeners(_PROC / table, parts.port)]
    except (OSError, ValueError):
        return None
    return f"{boot}:{min(sockets)}" if sockets else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower().rpartition(".")[2] == "localhost"


def _listeners(table: Path, port: int) -> list[int]:
    if not table.exists():
        return []
    rows = (line.split() for line in table.read_text("ascii").splitlines()[1:])
    return [int(row[9]) for row in rows if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port]
