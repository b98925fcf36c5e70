"""A real forward proxy with CONNECT, and a real SOCKS5 proxy: whatever name is asked for leads to a server of this machine."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LINE_END = b"\r\n\r\n"


@dataclass
class ProxyServer:
    """A proxy, and what it was asked for."""

    leads_to: int = 0  # the port of this machine that every name leads to
    refuses: int | None = None  # the status that it refuses every CONNECT with
    broken: bytes | None = None  # what it says instead of anything it should
    user: str | None = None  # NAME:PASSWORD, if it asks who it is
    asked: list[str] = field(
        default_factory=list
    )  # HOST:PORT of each tunnel, or the whole address of a forwarded request
    port: int = 0

    def url(self, scheme: str = "http", user: str = "") -> str:
        """Its address, as it stands in the environment."""
        return f"{scheme}://{f'{user}@' if user else ''}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, in whichever protocol it begins."""
        try:
            first = await reader.readexactly(1)
            if self.broken is not None:
                writer.write(self.broken)
                await writer.drain()
            elif first == b"\x05":
                await self._socks(reader, writer)
            else:
                await self._http(first, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _http(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = first + await reader.readuntil(LINE_END)
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        self.asked.append(target)
        wanted = f"proxy-authorization: basic {base64.b64encode((self.user or '').encode()).decode()}".lower()
        if self.user is not None and wanted not in head.decode().lower():
            writer.write(b"HTTP/1.1 407 Who Are You\r\ncontent-length: 0\r\n\r\n")
        elif self.refuses is not None and method == "CONNECT":
            writer.write(f"HTTP/1.1 {self.refuses} No sk-canary\r\ncontent-length: 0\r\n\r\n".encode())
        elif method == "CONNECT":
            await self._pass_on(reader, writer, b"", b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            path = "/" + target.split("://", 1)[-1].partition("/")[2]
            head = head.replace(target.encode(), path.encode(), 1)
            # One request a connection: the next one on it would be passed on with the address that only a proxy reads.
            head = re.sub(rb"\r\nconnection: [^\r]*", b"\r\nconnection: close", head, count=1, flags=re.IGNORECASE)
            await self._pass_on(reader, writer, head, b"")
        await writer.drain()

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02" if b"\x02" in methods else b"\x05\x00")
        if b"\x02" in methods:
            name = await _counted(reader, skip=1)
            right = f"{name}:{await _counted(reader)}" == self.user
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        kind = (await reader.readexactly(4))[3]
        host = await _counted(reader) if kind == 3 else (await reader.readexactly(4 if kind == 1 else 16)).hex()
        self.asked.append(f"{host}:{int.from_bytes(await reader.readexactly(2))}")
        if self.refuses is not None:
            writer.write(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
            return
        await self._pass_on(reader, writer, b"", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, answer: bytes
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        back.write(request)
        writer.write(answer)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _counted(reader: asyncio.StreamReader, skip: int = 0) -> str:
    await reader.readexactly(skip)
    return (await reader.readexactly((await reader.readexactly(1))[0])).decode()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def running_proxy(**what: object) -> AsyncIterator[ProxyServer]:
    """A proxy for as long as the block lasts."""
    proxy = ProxyServer(**what)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()
