"""Forms: an answer as text with CSV rows, as plain data, as JSON, as XML; the same rows in each."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import msgspec

from orderflow.tools import times
from orderflow.tools.answers import DIGITS, TIME, Answer, Format, Meta, Row


def write(answer: Answer, format: Format) -> str:
    """Return the answer in one of the three forms; the rows are the same in each."""
    if format == "json":
        return msgspec.json.encode(structured(answer)).decode()
    return as_xml(answer) if format == "xml" else as_text(answer)


def structured(answer: Answer) -> dict[str, Any]:
    """Return the answer as plain data, without the parts that are empty by nature, and the picture's bytes."""
    found = msgspec.to_builtins(msgspec.structs.replace(answer, picture=None))
    found["picture"] = answer.picture and answer.picture.told
    return {name: value for name, value in found.items() if value or name in ("meta", "columns", "rows")}


def as_text(answer: Answer) -> str:
    """Return a first line that says what follows, remarks, and the rows as CSV."""
    meta = answer.meta
    lines = [_headline(meta), *(f"# warning: {one}" for one in meta.warnings)]
    lines += [f"# missing {venue}: {reason}" for venue, reason in meta.venues.missing.items()]
    lines += [f"# gap {_gap(gap)}" for gap in meta.gaps]
    lines += [f"# {name}: {_pairs(value)}" for name, value in answer.summary.items()]
    if answer.picture is not None:
        lines.append(f"# picture {answer.picture.width}x{answer.picture.height}: {_cell(answer.picture.alt)}")
    lines += _csv(answer.columns, answer.rows, meta.units)
    if answer.tail:
        left_out = meta.total - meta.offset - len(answer.rows) - len(answer.tail)
        lines.append(f"# {left_out} rows left out; the last {len(answer.tail)}:")
        lines += _csv([], answer.tail, meta.units, answer.columns)
    for name, table in answer.more.items():
        lines += [f"# {name}:", *_csv(table.columns, table.rows, meta.units)]
    return "\n".join(lines)


def _headline(meta: Meta) -> str:
    where = ",".join(meta.venues.answered or meta.venues.asked)
    subject = f"{meta.symbol or ''}@{where}" if where else meta.symbol or ""
    units = ",".join(
        f"{name}:{unit}" for name, unit in meta.units.items() if unit and not name.endswith(f"_{unit}")
    )
    window = f"{times.text(meta.window.since)}/{times.text(meta.window.until)}" if meta.window else "latest"
    age = "unknown" if meta.age_ms is None else f"{meta.age_ms:.0f}"
    parts = [
        meta.tool,
        subject,
        f"unit={units}" if units else "",
        f"window={window}",
        f"as_of={times.text(meta.as_of)}",
        f"source={meta.source}",
        f"coverage={meta.coverage_pct:g}%" if meta.coverage_pct is not None else "",
        f"age_ms={age}",
        f"rows={meta.rows}/{meta.total}",
        f"next={meta.next}" if meta.next else "",
    ]
    return " ".join(part for part in parts if part)


def _gap(gap: Mapping[str, Any]) -> str:
    until = "still open" if gap["until"] is None else times.text(gap["until"])
    return (
        f"{gap['venue']} {gap['symbol']} {gap['stream']} {times.text(gap['from'])}/{until}: {gap['reason']}"
    )


def _pairs(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_pairs(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_pairs(one) for one in value)
    return _cell(value) or "unknown"


def _cell(value: Any, unit: str = "") -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if unit == TIME and isinstance(value, int):
        return times.text(value)
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    if isinstance(value, Mapping | list):
        return msgspec.json.encode(value).decode()
    return str(value).replace("\r", " ").replace("\n", " ")


def csv_line(cells: Sequence[Any], units: Sequence[str] = ()) -> str:
    out = io.StringIO()
    shown = [_cell(cell, units[place] if units else "") for place, cell in enumerate(cells)]
    csv.writer(out, lineterminator="").writerow(shown)
    return out.getvalue()


def as_csv(columns: Sequence[str], rows: Sequence[Row], units: Mapping[str, str]) -> str:
    """Return rows under their header and nothing else; cells as in the text form."""
    return "\n".join([csv_line(columns), *_csv([], rows, units, columns)]) + "\n"


def _csv(
    header: Sequence[str], rows: Sequence[Row], units: Mapping[str, str], columns: Sequence[str] | None = None
) -> list[str]:
    by_place = [units.get(name, "") for name in columns or header]
    return [*([",".join(header)] if header else []), *(csv_line(row, by_place) for row in rows)]


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_xml(answer: Answer) -> str:
    """Return the same meta, summary and rows as XML, escaped; a null cell has no text and says null."""
    meta = {
        name: value for name, value in msgspec.to_builtins(answer.meta).items() if value not in (None, [], {})
    }
    root = ElementTree.Element("answer", tool=answer.meta.tool, source=answer.meta.source)
    _element(root, "meta", meta)
    if answer.summary:
        _element(root, "summary", answer.summary)
    if answer.picture is not None:
        _element(root, "picture", answer.picture.told)
    _xml_rows(ElementTree.SubElement(root, "rows"), answer.columns, answer.rows)
    if answer.tail:
        _xml_rows(ElementTree.SubElement(root, "tail"), answer.columns, answer.tail)
    for name, table in answer.more.items():
        _xml_rows(ElementTree.SubElement(root, "table", name=name), table.columns, table.rows)
    return ElementTree.tostring(root, encoding="unicode")


def _xml_rows(parent: ElementTree.Element, columns: Sequence[str], rows: Sequence[Row]) -> None:
    for row in rows:
        line = ElementTree.SubElement(parent, "row")
        for name, cell in zip(columns, row, strict=True):
            _element(line, name, cell)


def _element(parent: ElementTree.Element, name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        child = ElementTree.SubElement(parent, "entry" if not _XML_NAME.fullmatch(name) else name)
        for key, one in value.items():
            _element(child, key, one)
    elif isinstance(value, list):
        for one in value:
            _element(parent, name, one)
    else:
        child = ElementTree.SubElement(parent, "entry" if not _XML_NAME.fullmatch(name) else name)
        if value is None:
            child.set("null", "true")
        else:
            child.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _cell(value))


_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
