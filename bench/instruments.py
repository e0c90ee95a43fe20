"""Instruments: the smallest exchange information that lets a rival start without a network."""

import msgspec

from bench.recordings import Recording

QUOTES = ("USDT", "ETH", "BTC", "EUR")


class Instrument(msgspec.Struct, frozen=True):
    native: str
    base: str
    quote: str


def instruments(recording: Recording) -> list[Instrument]:
    """Every symbol that the recording has a book of."""
    found: list[Instrument] = []
    for native in sorted(recording.snapshots):
        quote = next(one for one in QUOTES if native.endswith(one))
        found.append(Instrument(native, native.removesuffix(quote), quote))
    return found


def exchange_information(recording: Recording) -> dict[str, list[dict[str, object]]]:
    """As the venue's `exchangeInfo` would have it, for those symbols and the fields that rivals read."""
    futures = {"contractType": "PERPETUAL", "deliveryDate": 4133404800000, "onboardDate": 1569398400000}
    return {
        "symbols": [
            {
                "symbol": one.native,
                "pair": one.native,
                "status": "TRADING",
                "baseAsset": one.base,
                "quoteAsset": one.quote,
                "marginAsset": one.quote,
                "pricePrecision": 8,
                "quantityPrecision": 8,
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "isSpotTradingAllowed": True,
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "minPrice": "0.0001",
                        "maxPrice": "1000000",
                        "tickSize": "0.0001",
                    },
                    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
                ],
                **(futures if recording.venue == "binance_futures" else {}),
            }
            for one in instruments(recording)
        ]
    }
