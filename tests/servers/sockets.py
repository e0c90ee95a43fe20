"""A door on a real port, in the loop of a test, and clients that speak to it byte by byte."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from orderflow.servers import http


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(http.serve(app, port=0, ready=address.set_result))
    try:
        yield urlsplit(await address).port or 0
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, method: str, path: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"{method} {path} HTTP/1.1", *headers]
        if not any(one.lower().startswith("host:") for one in headers):
            lines.append("Host: 127.0.0.1")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return the status and the headers, their names in lower case."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(": ") for line in lines[1:] if line]
        return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return a whole answer, its body as JSON."""
        status, headers = await self.head()
        body = await self.reader.readexactly(int(headers["content-length"]))
        return status, headers, json.loads(body)

    async def read_all(self) -> int:
        """Return how many bytes come until the other side closes."""
        found = 0
        with contextlib.suppress(ConnectionError):
            while part := await self.reader.read(65_536):
                found += len(part)
        return found

    async def gone(self) -> bool:
        """Tell whether the other side closes, whatever it says before."""
        await self.read_all()
        return True

    def close(self) -> None:
        self.writer.close()


async def asked(port: int, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, Any]:
    """Ask once on a connection of its own; return the status and the JSON."""
    client = await Client.to(port)
    try:
        await client.send(method, path, *headers, body=body)
        status, _, said = await client.answer()
        return status, said
    finally:
        client.close()
