"""Past: which pieces of which sources bring in a stretch of a series. Pure; the clock is an argument."""

from datetime import UTC, datetime

from orderflow.market.events import DAY, HOUR, SECOND, Nanos
from orderflow.store.backfills import Piece, Source, Span, merged
from orderflow.venues.spec import Archive, Venue


def nothing_of(venue: Venue, stream: str) -> str:
    """Return why a stream's past cannot be brought in at all, or nothing where it can."""
    if venue.history_of(stream) or venue.archive_of(stream):
        return ""
    why = venue.no_past.get(stream) or venue.cannot.get(stream)
    return f"{venue.name} keeps no past of {stream}" + (f" that could be brought in: {why}" if why else "")


def pieces(
    venue: Venue, symbol: str, stream: str, span: Span, now: Nanos
) -> tuple[list[Piece], list[tuple[Span, str]]]:
    """Return the pieces of a stretch in order of time, and what of it no source reaches, with why.

    Whole months and days that are over come from the archive; the rest is asked over REST, as far back as
    the venue keeps it, and beyond that cut out of the archive's files.
    """
    archive, history = venue.archive_of(stream), venue.history_of(stream)
    found: list[tuple[Source, Span]] = []
    beyond: list[tuple[Span, str]] = []
    first, last = span
    if last <= first:
        last = first + 1  # an instant
    while first < last:
        month = _month(first)
        if archive and archive.monthly and first == month[0] and month[1] <= min(last, now):
            found.append(("monthly", month))
            first = month[1]
            continue
        day = first - first % DAY
        part = (first, min(last, day + DAY))
        whole = part == (day, day + DAY) and day + DAY <= now
        over = (day + DAY <= now, month[1] <= now)
        source = _source(archive, whole, over, history is not None and reaches(venue, stream, first, now))
        if source is None:
            beyond.append((part, _too_old(venue, stream)))
        else:
            found.append((source, part))
        first = part[1]
    return [
        Piece(venue.name, symbol, stream, *one, source, fills=not _lacks(venue, stream, source))
        for source, one in _joined(found)
    ], [(one, why) for one, why in beyond]


def reaches(venue: Venue, stream: str, at: Nanos, now: Nanos) -> bool:
    """Tell whether REST answers for so long ago."""
    history = venue.history_of(stream)
    return history is not None and (history.keeps is None or at >= now - history.keeps)


def instead(venue: Venue, piece: Piece, now: Nanos) -> list[Piece]:
    """Return the pieces that take the place of one whose file is not published; none where nothing can."""
    archive = venue.archive_of(piece.stream)
    spans: list[tuple[Source, Span]] = []
    if piece.source == "monthly" and archive is not None and archive.daily:
        first = piece.from_ts
        while first < piece.until_ts:
            last = min(first - first % DAY + DAY, piece.until_ts)
            spans.append(("daily", (first, last)))
            first = last
    elif piece.source != "history" and reaches(venue, piece.stream, piece.from_ts, now):
        spans.append(("history", piece.span))
    return [
        Piece(*piece.series, *span, source, fills=not _lacks(venue, piece.stream, source))
        for source, span in spans
    ]


def path(archive: Archive, native: str, piece: Piece) -> str:
    """Return where an archive has the file of a piece."""
    template, form = (archive.monthly, "%Y-%m") if piece.source == "monthly" else (archive.daily, "%Y-%m-%d")
    return template.format(symbol=native, date=_utc(piece.from_ts).strftime(form))


def lacks(venue: Venue, piece: Piece) -> str:
    """Return what a piece's rows lack of the stream's."""
    return _lacks(venue, piece.stream, piece.source)


def _lacks(venue: Venue, stream: str, source: Source) -> str:
    form = venue.history_of(stream) if source == "history" else venue.archive_of(stream)
    return "" if form is None else form.lacks


def _source(archive: Archive | None, whole: bool, over: tuple[bool, bool], by_history: bool) -> Source | None:
    daily = archive is not None and bool(archive.daily)
    if whole and daily:
        return "daily"
    if by_history:
        return "history"
    if daily and over[0]:
        return "daily"
    if archive is not None and archive.monthly and over[1]:
        return "monthly"
    return None


def _too_old(venue: Venue, stream: str) -> str:
    history = venue.history_of(stream)
    if history is None or history.keeps is None:
        return f"{venue.name} publishes {stream} of a day only when it is over"
    days = history.keeps % DAY == 0 and history.keeps > 2 * DAY
    reach = f"{history.keeps // DAY} days" if days else f"{history.keeps / HOUR:g} hours"
    return f"{venue.name} answers for the last {reach} of {stream}, and no file has it"


def _joined(found: list[tuple[Source, Span]]) -> list[tuple[Source, Span]]:
    """Join neighbours that one request or one file brings."""
    joined: list[tuple[Source, Span]] = []
    for source, span in found:
        before = joined[-1] if joined else None
        one_file = before is not None and (
            source == "history" or (source == "monthly" and _month(before[1][0]) == _month(span[0]))
        )
        if before is not None and before[0] == source and before[1][1] == span[0] and one_file:
            joined[-1] = (source, merged([before[1], span])[0])
        else:
            joined.append((source, span))
    return joined


def _month(at: Nanos) -> Span:
    """Return the month that an instant lies in."""
    begins = _utc(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    return round(begins.timestamp()) * SECOND, round(ends.timestamp()) * SECOND


def _utc(at: Nanos) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
