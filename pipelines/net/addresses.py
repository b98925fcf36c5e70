"""Which addresses a provider's link may lead to. Pure functions over URLs and IP addresses.

`ipaddress.is_global` is no guard: it calls the NAT64 form of 127.0.0.1 global (measured on Python 3.11). So the rule is
an allow rule: public unicast, minus a list of ranges that only look public.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from pipelines.core.errors import AddressRefused

_DENIED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata address with a public number
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries any IPv4 address
        "3fff::/20",
    )
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_PORT = 65535
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_SCHEME, _ANY_PORT = "", 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: who answers for a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of a URL, its default port filled in.

        Raises:
            ValueError: the URL has no usable host or port.
        """
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        port = parts.port or _DEFAULT_PORTS.get(scheme, 0)
        if not parts.hostname or not 0 < port <= _MOST_PORT:
            raise ValueError("no host or no port")
        host = parts.hostname.lower()
        if ":" not in host:
            host = host.encode("idna").decode("ascii")  # folds look-alikes too: a host in circled digits is a number
        return cls(scheme, host.rstrip("."), port)

    @classmethod
    def trusted(cls, text: str) -> Origin:
        """The origin that `HOST` or `HOST:PORT` stands for, of either scheme; without a port, every port of the host.

        Raises:
            ValueError: it is neither.
        """
        parts = urlsplit(f"//{text}")
        if parts.netloc != text or parts.port == 0 or any(not (c.isalnum() or c in "-._:[]") for c in text):
            raise ValueError("no host")
        if ":" in (parts.hostname or "") and "[" not in text:
            raise ValueError("an IPv6 address without brackets")
        named = cls.of(f"http://{text}")
        return cls(_ANY_SCHEME, named.host, parts.port or _ANY_PORT)

    def covers(self, host: str, port: int, scheme: str = _ANY_SCHEME) -> bool:
        """Tell whether an origin that is trusted stands for this host and port: `localhost` for `127.0.0.1` as well."""
        alike = self.host == host or {self.host, host} <= _LOOPBACK_NAMES
        return (
            alike and self.port in (_ANY_PORT, port) and (_ANY_SCHEME in (self.scheme, scheme) or self.scheme == scheme)
        )

    def __str__(self) -> str:
        """As it stands in a URL, without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def same_origin(url: str, other: str) -> bool:
    """Tell whether the same server answers for both, by whatever name of this machine. What cannot be read is nobody's."""
    try:
        here, there = Origin.of(url), Origin.of(other)
    except ValueError:
        return False
    return there.covers(here.host, here.port, here.scheme)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by a name that always means it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Tell whether an IP address is public unicast and no disguise of a private one.

    Args:
        address: the numeric text of an IPv4 or IPv6 address, without brackets or zone.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        return ip in _PUBLIC_V6 and not any(ip in network for network in _DENIED_V6)
    return not any(ip in network for network in _DENIED_V4)


def refusal(url: str, trusted: frozenset[Origin] = frozenset()) -> str | None:
    """The reason why a link may not be opened, as far as its text tells, or None.

    Args:
        url: the link as the provider gave it.
        trusted: origins whose address the operator set; they may be private and use any port.

    The address behind a name is judged at connect time, by `is_public`. Where a proxy makes the connection it is the
    proxy that finds the address, so that this text is all that is judged here: a name that leads the proxy into a private
    network is for the rules of the proxy to refuse.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "it cannot be read"
    if parts.scheme.lower() not in _DEFAULT_PORTS:
        return "it is not an http or https link"
    if parts.username is not None or parts.password is not None:
        return "it carries credentials"
    try:
        origin = Origin.of(url)
    except ValueError:
        return "it names no usable host"
    if any(each.covers(origin.host, origin.port, origin.scheme) for each in trusted):
        return None
    if origin.port not in _DEFAULT_PORTS.values():
        return f"it uses port {origin.port}"
    last = origin.host.rsplit(".", 1)[-1]
    is_number = ":" in origin.host or last.isdigit() or last.startswith("0x")  # as a resolver may take it
    if is_number and not is_public(origin.host):
        return "it leads to a private or reserved address"
    return None


def base_refusal(url: str) -> str | None:
    """The reason why paths cannot be put behind an address, or None; the address, which may hold a secret, is not in it."""
    if any(character.isspace() or not character.isprintable() for character in url):
        return "it has a space in it"
    if "?" in url or "#" in url:
        return "paths are put behind it, so it can have no ? or #"
    try:
        return refusal(url, frozenset({Origin.of(url)}))
    except ValueError:
        return "it has no host, or a port that cannot be"


def is_own(url: str) -> bool:
    """Tell whether an address is surely no vendor's: on this machine, in a private network, or on a port of its own.

    A profile that names such an address is about a server of whoever chose the profile.
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    is_inside = "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))
    return is_inside or refusal(url) is not None


def without_userinfo(url: str) -> str:
    """A base URL as it may be shown: name, password and query, which have no business there, are left out."""
    scheme, mark, rest = url.rpartition("://")
    place, slash, path = rest.partition("/")
    place = re.sub(r":(?!\d+$)[^\]]*$", "", place.rpartition("@")[2])  # no port, but a password with a stray @ perhaps
    return re.split(r"[?#]", f"{scheme}{mark}{place}{slash}{path}", maxsplit=1)[0]


def without_query(url: str) -> str:
    """Origin and path of a URL. Signed queries are secrets: this form is the only one that may be logged or stored."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(a link that cannot be read)"
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def redirect_target(hop: str, location: str) -> str:
    """The address that a redirect leads to.

    Raises:
        AddressRefused: it cannot be read, or leads from https to an open connection.
    """
    try:
        target = urljoin(hop, location)
        downgrade = Origin.of(hop).scheme == "https" and urlsplit(target).scheme.lower() != "https"
    except ValueError:
        raise AddressRefused(f"{without_query(hop)} redirects to a link that cannot be read.") from None
    if downgrade:
        raise AddressRefused(f"{without_query(hop)} redirects from https to an open connection.")
    return target
