"""Pyth's Hermes: prices as server-sent events and over REST, for those who bring a key; the form stands last."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from orderflow.sim.gathering import Every
from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.listings import COINS, Listing, Names, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import Endpoint, Form, Frame, Limits, Question, Refusal, Session, Streams, Values

encode = msgspec.json.Encoder().encode

SLOT_MS = 400
_EXPO = -8
_CONF = 0.0003  # of the price
_LONGEST_WINDOW_S = 600
_SIGNED = "504e4155" + "00" * 500  # in place of the signed copy of the prices

# The ids under which the venue publishes these coins.
_IDS = {
    "BTCUSDT": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    "ETHUSDT": "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
    "SOLUSDT": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
    "XRPUSDT": "ec5d399846a9209f3fe5881d70aae9268c94339ff9817e8d18ff19fa05eea1c8",
    "ARUSDT": "f610eae82767039ffc95eef8feaeddb7bbac0673cfe7773b2fde24fd1adb0aee",
    "BRETTUSDT": "9b5729efe3d68e537cdcb2ca70444dea5f06e1660b562632609757076d0b9448",
    "POPCATUSDT": "b9312a7ee50e189ef045aa3c7842e099b061bd9bdc99ac645956c3b660dc8cce",
    "WIFUSDT": "4ca4beeca86f0d164160323817a4e42b10010a724c2217c6ee41b54cd4cc61fc",
    "PNUTUSDT": "116da895807f81f6b5c5f01b109376e7f6834dc8b51365ab7cdfa66634340e54",
}
LISTINGS = {symbol: Listing(symbol, "0.00000001", "1", 8, 0, native=id) for symbol, id in _IDS.items()}
NAMES = Names(LISTINGS)


# ── Streams ───────────────────────────────────────────────────────────────────────────────────


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    kind, _, id = stream.partition(":")
    return "prices" if kind == "price" and NAMES.symbol(id) in markets else None


def update(market: Market, now_ms: Millis) -> dict[str, Any]:
    """The parsed price of a feed, as it stands."""
    mantissa = round(market.price * 10**-_EXPO)
    second = now_ms // 1000
    price = {
        "price": str(mantissa),
        "conf": str(round(mantissa * _CONF)),
        "expo": _EXPO,
        "publish_time": second,
    }
    about = {"slot": now_ms // SLOT_MS, "proof_available_time": second + 1, "prev_publish_time": second - 1}
    return {"id": NAMES.native(market.symbol), "price": price, "ema_price": price, "metadata": about}


def _said(parsed: list[dict[str, Any]]) -> dict[str, Any]:
    return {"binary": {"encoding": "hex", "data": [_SIGNED]}, "parsed": parsed}


class SymbolStreams(Streams):
    """The price of one coin, in every slot."""

    def __init__(self, venue: str, market: Market) -> None:
        self._market = market
        self._stream = f"price:{NAMES.native(market.symbol)}"
        self._every = Every(SLOT_MS)

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        if not self._every.due(now_ms) or self._stream not in wanted:
            return []
        payload = encode(_said([update(self._market, now_ms)]))
        return [Frame(self._stream, payload, told=((self._market.symbol, "prices", 1),))]


# ── What is asked ─────────────────────────────────────────────────────────────────────────────


def _wanted(values: Values, markets: Mapping[str, Market]) -> list[str]:
    """The ids in a query that exist; refused if others do not and are not to be passed over."""
    ids = [id.removeprefix("0x") for id in values.get("ids[]", ())]
    unknown = [id for id in ids if NAMES.symbol(id) not in markets]
    if unknown and list(values.get("ignore_invalid_price_ids", ())) != ["true"]:
        raise Refusal(404, f"Price ids not found: {', '.join(unknown)}")
    return [id for id in ids if id not in unknown]


def asked(query: Values, markets: Mapping[str, Market]) -> list[str]:
    return [f"price:{id}" for id in _wanted(query, markets)]


def _latest(question: Question) -> Any:
    found = _wanted(question.values, question.markets)
    symbols = [NAMES.symbol(id) for id in found]
    return _said([update(question.markets[one], question.now_ms) for one in symbols if one is not None])


def _mean(question: Question) -> Any:
    """The mean over a window of at most ten minutes: of one in which the price stood as it stands now."""
    window = question.params.get("window_s", "")
    if not window.isdecimal() or not 0 < int(window) <= _LONGEST_WINDOW_S:
        raise Refusal(400, "Invalid window")
    now_s = question.now_ms // 1000
    found = [NAMES.symbol(id) for id in _wanted(question.values, question.markets)]
    parsed = [
        {
            "id": (said := update(question.markets[one], question.now_ms))["id"],
            "start_timestamp": now_s - int(window),
            "end_timestamp": now_s,
            "twap": said["price"],
            "down_slots_ratio": "0",
        }
        for one in found
        if one is not None
    ]
    return _said(parsed)


def _feeds(question: Question) -> Any:
    """The feeds of coins; there are none of other kinds here."""
    if question.params.get("asset_type", "crypto") != "crypto":
        return []
    return [_feed(symbol, id) for symbol, id in _IDS.items()]


def _feed(symbol: str, id: str) -> dict[str, Any]:
    base = COINS[symbol].base
    about = {"asset_type": "Crypto", "base": base, "symbol": f"Crypto.{base}/USD", "quote_currency": "USD"}
    return {"id": id, "attributes": {**about, "display_symbol": f"{base}/USD"}}


def refuses(headers: Mapping[str, str], path: str) -> Refusal | None:
    """Any key is taken, and none is not."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return None if kind == "Bearer" and key.strip() else Refusal(401, "Unauthorized")


def refusal(status: int) -> Any:
    return {429: "Too many requests", 404: "Not found"}.get(status, "Error")


def farewell(session: Session) -> bytes:
    return b"Connection timeout reached (24h)"


PYTH = Form(
    name="pyth",
    place=Place(kind="oracle", listings=LISTINGS),
    limits=Limits(streams=200, ping_s=15, weight=10, window_s=10, patience=1_000_000),
    events={"prices": "/v2/updates/price/stream"},
    route_of=route_of,
    asked=asked,
    streams=SymbolStreams,
    endpoints=(
        Endpoint("/v2/price_feeds", _feeds),
        Endpoint("/v2/updates/price/latest", _latest),
        Endpoint("/v2/updates/twap/{window_s}/latest", _mean),
    ),
    refusal=refusal,
    refuses=refuses,
    farewell=farewell,
    wrong_shape=b'{"parsed":7}',
)
