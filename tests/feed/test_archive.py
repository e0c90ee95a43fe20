"""Archive: a file is used when it is what was published, whole, and not otherwise."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from orderflow.feed import archive
from orderflow.feed.archive import Archives, rows
from orderflow.market.errors import InvalidArgument, NoData, RateLimited, RecordingUnreadable, TooLarge

PATH = "data/X-1.zip"


def packed(text: str) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as one:
        one.writestr("X-1.csv", text)
    return found.getvalue()


class Host:
    """Serves one file, with ranges, and its checksum."""

    def __init__(self, body: bytes) -> None:
        self.body, self.checksum = body, f"{hashlib.sha256(body).hexdigest()}  X-1.zip\n".encode()
        self.ranges: list[str | None] = []
        self.statuses: list[int] = []
        self.breaks_at: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.statuses:
            return httpx.Response(self.statuses.pop(0), headers={"Retry-After": "3"})
        if request.url.path.endswith(".CHECKSUM"):
            return httpx.Response(200, content=self.checksum)
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        begins = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if begins >= len(self.body):
            return httpx.Response(416)
        status, body = (206 if asked else 200), self.body[begins:]
        if self.breaks_at is not None:
            breaks_at, self.breaks_at = self.breaks_at, None
            return httpx.Response(status, content=_broken(body[:breaks_at]))
        return httpx.Response(status, content=body)


async def _broken(body: bytes) -> AsyncIterator[bytes]:
    yield body
    raise httpx.ReadError("the line went dead")


def fetched(host: Host, folder: Path, waits: list[float] | None = None) -> Path:
    async def sleep(seconds: float) -> None:
        (waits if waits is not None else []).append(seconds)

    async def fetch() -> Path:
        one = Archives(
            "http://host.test", folder, transport=httpx.MockTransport(host), sleep=sleep, random=lambda: 0.5
        )
        try:
            return await one.file(PATH, await one.checksum(PATH, ".CHECKSUM"))
        finally:
            await one.close()

    return asyncio.run(fetch())


BODY = packed("\n".join(f"{one},a" for one in range(2000)))


def test_a_file_that_is_there_is_proven_again_and_not_downloaded_again(tmp_path: Path) -> None:
    host = Host(BODY)
    place = fetched(host, tmp_path)
    assert fetched(host, tmp_path) == place and host.ranges == [None]
    place.write_bytes(b"rot")
    assert fetched(host, tmp_path).read_bytes() == BODY and host.ranges == [None, None]


def test_a_file_that_was_replaced_is_downloaded_anew(tmp_path: Path) -> None:
    fetched(Host(BODY), tmp_path)
    other = packed("1,b")
    assert fetched(Host(other), tmp_path).read_bytes() == other


def test_a_download_that_broke_off_goes_on_where_it_ended(tmp_path: Path) -> None:
    host = Host(BODY)
    host.breaks_at = 100
    assert fetched(host, tmp_path).read_bytes() == BODY
    assert host.ranges == [None, "bytes=100-"]


def test_the_rest_of_another_process_is_used_if_it_fits_and_else_begun_anew(tmp_path: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    part = tmp_path / f"{PATH}.{digest[:16]}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY[:50])
    host = Host(BODY)
    assert fetched(host, tmp_path).read_bytes() == BODY and host.ranges == ["bytes=50-"]
    (tmp_path / PATH).unlink()
    part.write_bytes(b"something else of the same length"[:30])
    host = Host(BODY)
    assert fetched(host, tmp_path).read_bytes() == BODY and host.ranges == ["bytes=30-", None]


@pytest.mark.parametrize("wrong", [b"", b"<html>", b"12345  X-1.zip", b"0" * 64 + b"  Y-1.zip", b"x" * 5000])
def test_what_is_no_checksum_is_refused(tmp_path: Path, wrong: bytes) -> None:
    host = Host(BODY)
    host.checksum = wrong
    with pytest.raises(RecordingUnreadable, match="not a checksum"):
        fetched(host, tmp_path)


def test_nothing_is_left_of_a_file_that_is_another(tmp_path: Path) -> None:
    host = Host(BODY)
    host.checksum = b"0" * 64 + b"  X-1.zip\n"
    with pytest.raises(RecordingUnreadable, match="nothing of it was used"):
        fetched(host, tmp_path)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_a_damaged_file_whose_checksum_is_right_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    for damaged in (BODY[: len(BODY) // 2], BODY[:60] + b"\xff" * 30 + BODY[90:], b"no zip at all"):
        with pytest.raises(RecordingUnreadable, match="damaged"):
            fetched(Host(damaged), tmp_path)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_a_file_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(TooLarge):
        fetched(Host(BODY), tmp_path)


def test_old_files_make_room_for_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEPT_BYTES", len(BODY) + 10)
    old = tmp_path / "data" / "W-1.zip"
    old.parent.mkdir()
    old.write_bytes(BODY)
    assert fetched(Host(BODY), tmp_path).exists() and not old.exists()


def test_refusals_are_waited_out_and_absence_is_not(tmp_path: Path) -> None:
    host, waits = Host(BODY), list[float]()
    host.statuses = [429, 503]
    assert fetched(host, tmp_path, waits).exists()
    assert [one for one in waits if one >= 1] == [3.0, 3.0]
    host.statuses = [404]
    with pytest.raises(NoData, match="not published"):
        fetched(host, tmp_path, waits)
    host.statuses = [429] * 10
    with pytest.raises(RateLimited):
        fetched(host, tmp_path, waits)


def test_an_address_that_is_none_and_a_path_that_leads_out_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no address"):
        Archives("file:///etc", tmp_path)

    async def outside() -> None:
        one = Archives("http://host.test", tmp_path / "files", transport=httpx.MockTransport(Host(BODY)))
        try:
            await one.file("../x.zip", "0" * 64)
        finally:
            await one.close()

    with pytest.raises(InvalidArgument, match="leads out"):
        asyncio.run(outside())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open_time,open\n1,a\n2,b\n", [b"1,a", b"2,b"]),
        ("1,a\r\n2,b", [b"1,a", b"2,b"]),
        ("\ufeffid,price\n1,a\n", [b"1,a"]),
        ("\ufeff1,a\n\n2,b\n", [b"1,a", b"2,b"]),
        ("create_time,symbol\n2024-01-01 00:05:00,X\n", [b"2024-01-01 00:05:00,X"]),
        ("", []),
    ],
    ids=["header", "none", "marked header", "mark alone", "dates", "empty"],
)
def test_rows_are_those_of_the_table_without_its_header(
    tmp_path: Path, text: str, found: list[bytes]
) -> None:
    path = tmp_path / "X-1.zip"
    path.write_bytes(packed(text))
    assert [row for chunk in rows(path) for row in chunk] == found
    assert [row for chunk in rows(path, skip=1) for row in chunk] == found[1:]
