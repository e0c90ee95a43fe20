"""A venue on loopback that sends a recording as fast as it is read: `python -m bench.blaster FILE SYMBOLS PACE MOST CORES`.

The recording's one symbol is sent under each of the symbols, interleaved, so that all their series are
live. Frames are made before the first client comes; sending is the kernel's work. It prints its port.
"""

import asyncio
import base64
import hashlib
import os
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from bench.recordings import load

_WS_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
CHUNK = 64  # frames a write, as a busy socket delivers them
OPENING = 40  # frames before the snapshots are asked for
PATIENCE_S = 15.0


def framed(payload: bytes) -> bytes:
    """Return an unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Blaster:
    """Sends on the first connection that subscribes to a book; acknowledges all others and is silent."""

    def __init__(self, path: Path, symbols: list[str], pace: float, most: int | None) -> None:
        recording = load(path)
        self._pace = pace
        self._symbols = symbols
        (self._original,) = recording.snapshots
        self._snapshot = recording.snapshots[self._original]
        self.payloads = [
            message.replace(self._original.encode(), symbol.encode()).replace(
                self._original.lower().encode(), symbol.lower().encode()
            )
            for message in recording.messages
            for symbol in symbols
        ][:most]
        self._snapshots_asked: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await self._request(reader):
            target, headers = request
            if "sec-websocket-key" in headers:
                await self._socket(reader, writer, headers["sec-websocket-key"])
                break
            body = self._answer(urlsplit(target).path, parse_qs(urlsplit(target).query))
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return None
        first, *rest = head.split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in rest)}
        return first.split(" ")[1], headers

    def _answer(self, path: str, query: dict[str, list[str]]) -> bytes:
        if path.endswith("/depth"):
            self._snapshots_asked.add(query["symbol"][0])
            return self._snapshot
        if path.endswith("/exchangeInfo"):
            listed = [
                {
                    "symbol": one,
                    "status": "TRADING",
                    "baseAsset": one[:-4],
                    "quoteAsset": "USDT",
                    "contractType": "PERPETUAL",
                }
                for one in self._symbols
            ]
            return msgspec.json.encode({"symbols": listed})
        if path.endswith("/time"):
            return msgspec.json.encode({"serverTime": time.time_ns() // 1_000_000})
        if path.endswith("/openInterest"):
            return msgspec.json.encode({"symbol": query["symbol"][0], "openInterest": "1"})
        return b"[]"

    async def _socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(key.encode() + _WS_GUID).digest())  # noqa: S324 - the RFC's own
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        sending: asyncio.Task[None] | None = None
        while (said := await self._said(reader)) is not None:
            if said.get("method") == "SUBSCRIBE":
                writer.write(framed(msgspec.json.encode({"result": None, "id": said["id"]})))
                if sending is None and any("@depth" in name for name in said["params"]):
                    sending = asyncio.create_task(self._send(writer))
        if sending is not None:
            sending.cancel()

    async def _said(self, reader: asyncio.StreamReader) -> dict[str, object] | None:
        """Return the client's next message; an empty one for its pongs."""
        try:
            first, size = await reader.readexactly(2)
            size &= 0x7F
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
            mask = await reader.readexactly(4)
            masked = await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
        return msgspec.json.decode(text) if first & 0x0F == 1 else {}

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)  # the client's other batches are acknowledged first
        opening = OPENING * len(self._symbols)
        writer.write(b"".join(map(framed, self.payloads[:opening])))
        until = time.monotonic() + PATIENCE_S
        while len(self._snapshots_asked) < len(self._symbols) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        began, sent = time.monotonic(), 0
        for start in range(opening, len(self.payloads), CHUNK):
            chunk = self.payloads[start : start + CHUNK]
            writer.write(b"".join(map(framed, chunk)))
            await writer.drain()
            sent += len(chunk)
            if self._pace and (ahead := sent / self._pace - (time.monotonic() - began)) > 0:
                await asyncio.sleep(ahead)


async def main() -> None:
    path, symbols, pace, most, cores = sys.argv[1:]
    os.sched_setaffinity(0, map(int, cores.split(",")))
    blaster = Blaster(Path(path), symbols.split(","), float(pace), int(most) if most else None)
    server = await asyncio.start_server(blaster.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(msgspec.json.encode({"port": port, "frames": len(blaster.payloads)}).decode(), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
