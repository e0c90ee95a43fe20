"""Hostile clients at the doors of a collector that goes on collecting: are they refused, and does anyone else notice?

`python -m tests.system.hostile` from the repository's root; the report is JSON. One after the other they come from
127.0.0.1, each kind many times over; a client with the right token asks from 127.0.0.2 all the while, now on its
kept connection, now on a new one.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
from mcp import Client as Assistant
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.servers.sockets import Client, asked
from tests.system.product import Product
from tests.system.readers import ranked

SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"
VENUES = "binance_futures,binance_spot,bybit_futures,okx_futures,deribit_options"
TOKEN = "a token of this trial alone"
AUTHORIZED = f"Authorization: Bearer {TOKEN}"
AT_ONCE = 50
FRIEND_EVERY_S = 0.1
FRIEND = "127.0.0.2"
QUESTION = b'{"symbol":"BTCUSDT"}'

Statuses = Counter[str]


# ── The hostile ───────────────────────────────────────────────────────────────────────────────


async def each(times: int, one: Callable[[], Awaitable[str]]) -> Statuses:
    """Do it so many times, some at once; return how often each ended how."""
    left = iter(range(times))
    found: Statuses = Counter()

    async def some() -> None:
        for _ in left:
            try:
                async with asyncio.timeout(60):
                    found[await one()] += 1
            except (ConnectionError, asyncio.IncompleteReadError):
                found["closed"] += 1
            except TimeoutError:
                found["left waiting"] += 1

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return found


async def refused(port: int, method: str, path: str, *headers: str, body: bytes = b"") -> str:
    status, said = await asked(port, method, path, *headers, body=body)
    return f"{status} {said.get('code', '')}".strip()


async def subscriptions(port: int, times: int) -> Statuses:
    """Open so many streams, and keep each that is given."""
    held: list[Client] = []

    async def one() -> str:
        client = await Client.to(port)
        await client.send("GET", "/stream/prices?symbol=BTCUSDT", AUTHORIZED)
        status, _ = await client.head()
        if status == 200:
            held.append(client)
        else:
            client.close()
        return str(status)

    found = await each(times, one)
    for client in held:
        client.close()
    return found


async def resources(port: int, times: int) -> Statuses:
    """Subscribe to so many resources over MCP, in one breath and then one by one."""
    found: Statuses = Counter()
    uris = [f"live://C{number}USDT/prices" for number in range(times)]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(headers=headers, timeout=60, trust_env=False) as web:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web)
        async with Assistant(transport) as assistant:
            try:
                async with assistant.listen(resource_subscriptions=uris):
                    found["all at once: given"] += 1
            except MCPError as error:
                found[f"all at once: {error.message.partition(':')[0]}"] += 1
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=web)
        async with Assistant(transport, mode="legacy") as assistant:
            for uri in uris[: times // 50]:
                try:
                    await assistant.subscribe_resource(uri)
                    found["given"] += 1
                except MCPError as error:
                    found[error.message.partition(":")[0]] += 1
    return found


async def large_bodies(port: int, times: int) -> Statuses:
    """Announce a hundred megabytes and send some, or send pieces without an end."""

    async def announced() -> str:
        client = await Client.to(port)
        try:
            head = ["Content-Type: application/json", "Content-Length: 100000000", AUTHORIZED]
            await client.send("POST", "/tools/xv_prices", *head)
            client.writer.write(b" " * 65_536)
            return f"announced: {(await client.answer())[0]}"
        finally:
            client.close()

    async def in_pieces() -> str:
        client = await Client.to(port)
        try:
            head = ["Content-Type: application/json", "Transfer-Encoding: chunked", AUTHORIZED]
            await client.send("POST", "/tools/xv_prices", *head)
            for _ in range(40):
                client.writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await client.writer.drain()
            return f"in pieces: {(await client.answer())[0]}"
        finally:
            client.close()

    return await each(times, announced) + await each(times // 10, in_pieces)


async def slow_heads(port: int, times: int) -> Statuses:
    """Send the head of a request a byte at a time, on so many connections at once."""

    async def one() -> str:
        client = await Client.to(port)
        sending = asyncio.create_task(_slowly(client))
        try:
            return str((await client.answer())[0])
        finally:
            sending.cancel()
            client.close()

    found: Statuses = Counter()
    for said in await asyncio.gather(*(one() for _ in range(times)), return_exceptions=True):
        found[said if isinstance(said, str) else "closed"] += 1
    return found


async def _slowly(client: Client) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" * 100:
            client.writer.write(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(1)


async def slow_readers(port: int, times: int) -> Statuses:
    """Ask for the longest answers and take nothing of them, until the other side gives up."""

    async def one() -> str:
        client = await Client.to(port)
        try:
            for _ in range(20):
                await client.send("GET", "/openapi.json", AUTHORIZED)
            await asyncio.sleep(40)
            await client.read_all()
            return "let go"
        finally:
            client.close()

    return await each(times, one)


def kinds(port: int, times: int) -> dict[str, Callable[[], Awaitable[Statuses]]]:
    many = times // 10

    def of(*headers: str, body: bytes = QUESTION) -> Callable[[], Awaitable[Statuses]]:
        return lambda: each(many, lambda: refused(port, "POST", "/tools/xv_prices", *headers, body=body))

    return {
        "subscriptions": lambda: subscriptions(port, times),
        "resources": lambda: resources(port, times),
        "no token": of(),
        "wrong token": of("Authorization: Bearer wrong"),
        "another host": of(AUTHORIZED, "Host: evil.example"),
        "another site's page": of(AUTHORIZED, "Origin: https://evil.example"),
        "no JSON": of(AUTHORIZED, body=b"\xff\x00{"),
        "large bodies": lambda: large_bodies(port, many),
        "slow heads": lambda: slow_heads(port, many),
        "slow readers": lambda: slow_readers(port, AT_ONCE),
    }


# ── Everybody else ────────────────────────────────────────────────────────────────────────────


async def friend(url: str, stop: asyncio.Event, told: dict[str, list[Any]]) -> None:
    """Ask again and again from another address; every other time on a connection of its own."""
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def web() -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=30,
            trust_env=False,
            transport=httpx.AsyncHTTPTransport(local_address=FRIEND),
        )

    async def ask(client: httpx.AsyncClient) -> None:
        began = time.perf_counter()
        try:
            said = await client.post("/tools/xv_prices", content=QUESTION)
            wrong = None if said.status_code == 200 else f"{said.status_code} {said.text[:200]}"
        except httpx.HTTPError as error:
            wrong = repr(error)
        if wrong is None:
            told["seconds"].append(time.perf_counter() - began)
        else:
            told["wrong"].append(wrong)

    async with web() as kept:
        while not stop.is_set():
            await ask(kept)
            async with web() as once:
                await ask(once)
            await asyncio.sleep(FRIEND_EVERY_S)


async def during(url: str, doing: Callable[[], Awaitable[Any]]) -> tuple[dict[str, Any], Any]:
    """Have a friend ask while something is done; return how it fared, and what came of the other."""
    stop, told = asyncio.Event(), {"seconds": [], "wrong": []}
    asking = asyncio.create_task(friend(url, stop, told))
    try:
        found = await doing()
    finally:
        stop.set()
        await asking
    return {**ranked(told["seconds"]), "failed": len(told["wrong"]), "errors": told["wrong"][:3]}, found


def health(url: str) -> dict[str, Any]:
    asked_for = urllib.request.Request(f"{url}/health", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked_for, timeout=30) as said:
        return json.load(said)


def collecting(url: str) -> dict[str, Any]:
    said = health(url)
    return {
        "rows_per_s": said["store"]["rows_per_s"],
        "flush_median_ms": said["store"]["flush_median_ms"],
        "backlog_frames": said["backlog"]["frames"],
        "gaps": sum(one["gaps_last_hour"] for one in said["venues"].values()),
        "memory_mb": said["memory"]["resident_bytes"] >> 20,
        "loop_lag_p99_ms": said["loop_lag_p99_ms"],
    }


async def trial(url: str, times: int, only: str | None) -> dict[str, Any]:
    port = urlsplit(url).port or 0
    alone, _ = await during(url, lambda: asyncio.sleep(20))
    found: dict[str, Any] = {"nobody": {"friend": alone, "collector": collecting(url)}}
    for name, attack in kinds(port, times).items():
        if only in (None, name):
            began = time.time()
            fared, ended = await during(url, attack)
            found[name] = {
                "ended": dict(ended),
                "seconds": round(time.time() - began, 1),
                "friend": fared,
                "collector": collecting(url),
            }
    return found


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--times", type=int, default=10_000, help="subscriptions; a tenth of each other kind")
    given.add_argument("--only", default=None, help="one kind")
    said = given.parse_args()
    with tempfile.TemporaryDirectory() as made:
        product = Product(Path(made))
        try:
            simulator = product.simulator(SYMBOLS, 3, venues=VENUES)
            collector = product.collector(
                simulator, symbols=SYMBOLS, venues=VENUES, FLUSH_INTERVAL="1", ORDERFLOW_TOKEN=TOKEN
            )
            time.sleep(15)
            found = asyncio.run(trial(collector.url, said.times, said.only))
            found["exit"] = collector.running.stop()
        finally:
            product.close()
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
    failed = sum(one["friend"]["failed"] for one in found.values() if isinstance(one, dict))
    raise SystemExit(1 if failed or found["exit"] else 0)


if __name__ == "__main__":
    main()
