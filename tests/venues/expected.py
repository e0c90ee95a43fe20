"""What each venue's decoder is expected to speak, and how many recorded frames there are of each."""

from orderflow.market.events import (
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    FundingInterval,
    Ignored,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    Missed,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)
from orderflow.market.facts import (
    Announcement,
    Asset,
    Basis,
    ContractStats,
    InsuranceFund,
    LastPrice,
    LongShort,
    OptionContract,
    RiskTier,
    Settlement,
    TakerVolume,
    VenueStatus,
    VenueVolume,
    Volatility,
    VolatilityBar,
)

SPOKEN: dict[str, set[type[Event]]] = {
    "binance_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, FundingInterval, OpenInterest),
        *(Ticker, Candle, Liquidation, Instrument, Ignored, Control),
        *(LastPrice, LongShort, TakerVolume, Basis, InsuranceFund, Settlement, Asset),
    },
    "binance_spot": {Quote, Trade, BookUpdate, Ticker, Candle, Instrument, Ignored, Control, LastPrice},
    "hyperliquid_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest),
        *(Ticker, Candle, Instrument, Ignored, Control, LastPrice, VenueStatus, RiskTier),
    },
    "hyperliquid_spot": {
        *(Quote, Trade, BookUpdate, MarkPrice, Ticker, Candle, Instrument, Asset, LastPrice, VenueStatus),
    },
    "pyth": {Quote, Instrument, Ignored, Control, LastPrice},
    "deribit_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest),
        *(Ticker, Candle, Liquidation, Instrument, Ignored, Control),
        *(Announcement, Asset, Settlement, VenueStatus),
    },
    "deribit_options": {
        *(Option, Trade, VolatilityIndex, BookUpdate, Quote, Instrument, Ignored, Control),
        *(Asset, OptionContract, VenueStatus, Volatility, VolatilityBar),
    },
    "bybit_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, FundingInterval, OpenInterest),
        *(Ticker, Candle, Liquidation, Instrument, Ignored, Control),
        *(LastPrice, LongShort, InsuranceFund, RiskTier, Announcement, VenueStatus),
    },
    "bybit_spot": {
        *(Quote, Trade, BookUpdate, Ticker, Candle, Instrument, Ignored, Control),
        *(LastPrice, Announcement, VenueStatus),
    },
    "bybit_options": {
        *(Option, BookUpdate, Instrument, Ignored),
        *(OptionContract, Asset, Settlement, Volatility, Announcement, VenueStatus),
    },
    "kraken_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle),
        *(Liquidation, Instrument, Ignored, Control),
        *(LastPrice, LongShort, TakerVolume, RiskTier, VenueStatus, Asset),
    },
    "kraken_spot": {Quote, Trade, BookUpdate, Ticker, Candle, Instrument, Ignored, Control}
    | {LastPrice, VenueStatus, Asset},
    "okx_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker, Candle),
        *(Liquidation, Instrument, Ignored, Control),
        *(LongShort, TakerVolume, Asset, RiskTier, InsuranceFund, Settlement, VenueVolume, VenueStatus),
        Announcement,
    },
    "okx_options": {
        *(Option, OptionContract, Instrument, Asset, BookUpdate, Settlement, InsuranceFund, Ignored),
    },
    "gate_futures": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, Funding, FundingInterval, OpenInterest),
        *(Ticker, Candle, Liquidation, Instrument, Ignored, Control),
        *(LastPrice, LongShort, TakerVolume, ContractStats, InsuranceFund, RiskTier),
    },
    "gate_delivery": {
        *(Quote, Trade, BookUpdate, MarkPrice, IndexPrice, OpenInterest, Ticker, Candle, Instrument),
        *(Ignored, Control, LastPrice, Basis),
    },
    "gate_options": {Option, BookUpdate, IndexPrice, Ignored, Control, Asset, OptionContract},
    "cme_futures": {Quote, OpenInterest, Ticker, Candle, Ignored},
    "coinbase_spot": {
        *(Quote, Trade, BookUpdate, Ticker, Candle, Instrument, Ignored, Control, Missed, Asset, LastPrice),
    },
}

# Frames received, file by file as INDEX.md counts them, less what was sent; then the rows of the table.
EVERY: dict[str, int] = {
    "binance_futures": 9 + 1539 + 1 + 7 + 13_384 + 11_414 + 93_954 + 3 + 7 + 500,
    "binance_spot": 269 + 1 + 5 + 41_249 + 3 + 6238,
    "hyperliquid_futures": 28 + 3 + 1 + 1 + 4,
    "pyth": 1 + 3,
    "okx_futures": 10 + 1616 + 410 + 1 + 31 + 1 + 1 + 3 + 14,
    "deribit_futures": 138 - 2 + 2 + 5 + 4 + 1 + 11 + 12 + 22,
    "bybit_futures": (53 - 3) + (1237 - 10) + 1 + 2 + 1 + 4,
    "bybit_spot": (113 - 4) + (379 - 5) + 1 + 4,
    "kraken_futures": 10 + 7175 + 1 + 6 + 2 + 3 + 1 + 6,
    "gate_futures": 265 + 1 + 26 + 1 + 7 + 4,
    "cme_futures": 1,
    "coinbase_spot": (6645 - 4) + (633 - 6) + 1 + 3 + 5 + 3 + 4,
}
