"""Through which proxy an address is reached: one rule for orders, queries and downloads, read from the environment.

`HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` name proxies, `NO_PROXY` the hosts that need none; the spelling in small letters
wins, and an empty one switches off. This machine is never reached through a proxy. Pure but for `shield`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Self
from urllib.parse import unquote, urlsplit

from pipelines.core.errors import ProxyUnusable
from pipelines.net.addresses import Origin, is_loopback

_SCHEMES = ("http", "https", "socks5", "socks5h")
_ALIASES = {"socks": "socks5h"}  # as desktops write it
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ENTRY = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class ProxySetting:
    """One variable of the environment, as it is set."""

    variable: str
    value: str = field(repr=False)  # may hold a password

    def address(self) -> str:
        """The proxy's address in the one spelling that every library takes.

        Raises:
            ProxyUnusable: it is none; the message names the variable, and never what is in it.
        """
        text = self.value if "://" in self.value else f"http://{self.value}"
        scheme, _, rest = text.partition("://")
        scheme = _ALIASES.get(scheme.lower(), scheme.lower())
        if reason := _fault_in(scheme, rest):
            raise ProxyUnusable(f"{self.variable} is no address of a proxy: {reason}. Set it right, or unset it.")
        if scheme.startswith("socks") and find_spec("socksio") is None:
            raise ProxyUnusable(
                f"{self.variable} names a SOCKS proxy. Install what speaks it: pip install 'httpx[socks]'."
            )
        return f"{scheme}://{rest}"


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """Which addresses go through which proxy."""

    by_scheme: Mapping[str, ProxySetting] = field(default_factory=dict)
    direct: tuple[str, ...] = ()  # entries of NO_PROXY

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read the environment. Nothing is judged before it is needed."""
        found = {name.removesuffix("_proxy"): _setting(environment, name) for name in _VARIABLES}
        everything = found.pop("all")
        chosen = {scheme: setting or everything for scheme, setting in found.items()}
        exceptions = _setting(environment, "no_proxy")
        entries = () if exceptions is None else tuple(re.split(r"[\s,]+", exceptions.value.strip(", \t\n")))
        return cls({scheme: setting for scheme, setting in chosen.items() if setting is not None}, entries)

    def proxy_of(self, url: str) -> str | None:
        """The address of the proxy that a URL is reached through, or None.

        Raises:
            ProxyUnusable: what is set for it is no address of a proxy.
        """
        try:
            origin = Origin.of(url)
        except ValueError:
            return None  # nobody is reached there anyhow
        setting = self.by_scheme.get(origin.scheme)
        if setting is None or is_loopback(origin.host) or any(_is_meant(origin, entry) for entry in self.direct):
            return None
        return setting.address()

    def check(self) -> None:
        """Say at once what `proxy_of` would say later.

        Raises:
            ProxyUnusable: one of them is no address of a proxy.
        """
        if "*" not in self.direct:
            for setting in self.by_scheme.values():
                setting.address()


def shield(environment: MutableMapping[str, str]) -> None:
    """Spell the variables so that every library of this process, and of those it starts, reads them as we do.

    Prefect's client would reach its server on this machine through a proxy, and chokes on `[::1]` and `socks://`. What no
    library could read stays as it is: whoever needs it says so.
    """
    rules = ProxyRules.of(environment)
    if not rules.by_scheme:
        return
    for name in _VARIABLES:
        for variable in (name, name.upper()):
            if environment.get(variable):
                try:
                    environment[variable] = ProxySetting(variable, environment[variable].strip()).address()
                except ProxyUnusable:
                    continue
    if "*" in rules.direct:
        entries = "*"
    else:
        entries = ",".join(dict.fromkeys([*map(_plain, filter(None, rules.direct)), *_LOOPBACK]))
    environment["no_proxy"] = environment["NO_PROXY"] = entries


def _setting(environment: Mapping[str, str], name: str) -> ProxySetting | None:
    variable = name if name in environment else name.upper()
    value = environment.get(variable, "").strip()
    return ProxySetting(variable, value) if value else None


def _fault_in(scheme: str, rest: str) -> str | None:
    """What is wrong with an address; nothing of it is repeated."""
    if scheme not in _SCHEMES:
        return "only http, https, socks5 and socks5h can be spoken"
    if any(character.isspace() or not character.isprintable() for character in unquote(rest)):
        return "it has a space in it"
    try:
        parts = urlsplit(f"http://{rest}")
        if not parts.hostname:
            return "it names no host"
        Origin.of(f"http://{rest}")
    except ValueError:
        return "it has no usable host, or a port that cannot be"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "it has something behind its port"
    return None


def _is_meant(origin: Origin, entry: str) -> bool:
    """Tell whether an entry of NO_PROXY is about an origin: a name is, for itself and for all below it."""
    host, port = _host_and_port(entry)
    if port is not None and port != origin.port:
        return False
    if entry == "*":
        return True
    if (network := _network(host)) is not None:
        try:
            return ipaddress.ip_address(origin.host) in network
        except ValueError:
            return False
    name = host.removeprefix("*").strip(".")
    if "*" in name:
        return fnmatchcase(origin.host, name)
    return bool(name) and (origin.host == name or origin.host.endswith(f".{name}"))


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """An entry in small letters, without a scheme, brackets and port."""
    text = entry.lower().partition("://")[2] or entry.lower()
    if _network(text) is not None:  # an IPv6 address without brackets has no port
        return text, None
    match = _ENTRY.fullmatch(text)
    if match is None:
        return text, None
    return match[1].strip("[]"), int(match[2]) if match[2] else None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _plain(entry: str) -> str:
    """An entry as other libraries read it: those know brackets only in a whole address."""
    host, port = _host_and_port(entry)
    if port is None:
        return host
    return f"all://[{host}]:{port}" if ":" in host else f"{host}:{port}"


def proxies_in_words(rules: ProxyRules) -> Iterator[str]:
    """What is set, one sentence clause a scheme, without what is secret in it.

    Raises:
        ProxyUnusable: one of them is no address of a proxy.
    """
    for scheme, setting in rules.by_scheme.items():
        parts = urlsplit(setting.address())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
        yield f"{scheme} through {parts.scheme}://{host}{port} ({setting.variable})"
