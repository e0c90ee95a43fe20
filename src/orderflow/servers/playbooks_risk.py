"""Playbooks of chances and risks: funding, arbitrage, liquidations, options, the large, and the data themselves."""

from orderflow.servers.playbook import (
    COIN,
    HEALTH,
    SYMBOL,
    USUAL_SYMBOL,
    Argument,
    Playbook,
    Step,
    of_symbol,
    since,
)

FUNDING_SCAN = Playbook(
    name="funding_scan",
    title="Scan funding",
    description="Where longs or shorts pay most, and what carrying the gap would leave after costs.",
    arguments={"symbol": USUAL_SYMBOL, "value": Argument("size of a leg in quote units", "10000")},
    aim="Find what funding pays, over all markets and for {symbol}.",
    steps=(
        Step("market_tickers", {"sort": "funding", "limit": 20}, "the extremes; thin markets are no opportunity."),
        of_symbol("market_funding", "annual_pct by venue, with the interval: hourly and 8-hourly rates compare only annualised."),
        of_symbol("market_funding_history", "is the rate of now usual: mean and extremes.", count=30),
        of_symbol("xv_funding_arbitrage", "the pair with the widest gap, as announced and as paid.", since="-7d"),
        of_symbol("xv_carry", "what is left after fees and slippage of both legs, and the break-even time.", value="{value}", hold="3d"),
    ),
    conclude="the best carry for {value} a leg: net yield, how long until costs are earned, what could turn it (rate, "
    "basis, liquidation of a leg). A rate announced is not yet paid.",
)  # fmt: skip

ARBITRAGE_CHECK = Playbook(
    name="arbitrage_check",
    title="Check an arbitrage",
    description="Is a gap between venues real after fees, size, age and the lag between venues.",
    arguments={"symbol": SYMBOL},
    aim="Decide whether there is an arbitrage in {symbol} now.",
    steps=(
        HEALTH,
        of_symbol("xv_arbitrage", "net of both fees, the size that ten levels bear, pair_kind.", include_spreads=True),
        of_symbol("xv_spreads", "all pairs: is the best one an outlier of one venue, which would be suspect."),
        of_symbol("xv_book", "crossed levels and the size that stands there."),
        of_symbol("xv_leadlag", "a gap shorter than the lag is a price that is about to move."),
        Step("venue_status", {}, "a venue in maintenance cannot be traded with."),
    ),
    conclude="yes, no or basis only; the profit in quote units for the size that the books bear, the age of both legs, "
    "and what is not counted: transfers, withdrawals, latency, own fee tier.",
)  # fmt: skip

LIQUIDATION_RISK = Playbook(
    name="liquidation_risk",
    title="Liquidation risk",
    description="Where forced closes happened, how much could follow, and what stands behind it.",
    arguments={"symbol": SYMBOL, "since": since("-1d")},
    aim="Judge the risk of a liquidation cascade in {symbol}.",
    steps=(
        of_symbol("market_liquidations", "longs against shorts since {since}; lower_bound: most venues send only part.", since="{since}"),
        of_symbol("history_liquidation_map", "prices at which positions broke; it says nothing of those still open.", since="{since}"),
        of_symbol("market_open_interest", "how much is open at its value, and how fast it was built.", period="8h"),
        of_symbol("market_funding", "annual_pct far from 0: one side pays to be levered."),
        of_symbol("market_orderbook", "size near the price beside the value of past liquidations."),
        of_symbol("market_risk_tiers", "leverage that the venue allows, and where margins step up."),
        Step("market_insurance_fund", {}, "what stands between losses and auto-deleveraging."),
    ),
    conclude="which side is at risk, low, raised or high, with the figures that say so. Liquidation prices of open "
    "positions are not published: any level is an estimate and is called one.",
)  # fmt: skip

OPTIONS_POSITIONING = Playbook(
    name="options_positioning",
    title="Options positioning",
    description="What options say: open interest by strike, put/call, skew, term structure, gamma and max pain.",
    arguments={"coin": COIN},
    aim="Read how options of {coin} are positioned.",
    steps=(
        Step("options_summary", {"coin": "{coin}"}, "calls against puts, by open interest and by volume."),
        Step("options_expirations", {"coin": "{coin}"}, "the nearest expiry and the largest one."),
        Step("options_positioning", {"coin": "{coin}"}, "strikes with most open interest, gamma's zero level, max pain; whose positions these are is an assumption."),
        Step("options_positioning", {"coin": "{coin}", "dealers": "short_all"}, "do the conclusions stand under another assumption."),
        Step("options_surface", {"coin": "{coin}"}, "at-the-money volatility by expiry, risk reversal below 0: puts are dearer."),
        Step("market_volatility", {"coin": "{coin}", "kind": "realised"}, "realised beside implied: is protection dear."),
    ),
    conclude="strikes that may hold or drive the price until which expiry, the price of protection, what the market "
    "expects to move, and which of it depends on the assumption about dealers.",
)  # fmt: skip

WHALE_WATCH = Playbook(
    name="whale_watch",
    title="Watch the whales",
    description="Large orders and large resting sizes: what they did, and whether price followed.",
    arguments={"symbol": SYMBOL, "since": since("-4h")},
    aim="Find what large traders did in {symbol} since {since}.",
    steps=(
        of_symbol("orderflow_metrics", "large taker orders, delta by size of trade, sweeps; a size is an estimate.", since="{since}", parts=["large", "sizes", "sweeps"]),
        of_symbol("history_trades", "the largest single prints and their side.", since="{since}", min_value=100000, limit=50),
        of_symbol("orderflow_heatmap", "walls: standing, filled or pulled.", since="{since}", view="walls"),
        of_symbol("market_long_short_ratio", "top traders' positions against all accounts."),
        of_symbol("market_open_interest", "did positions grow with the large orders.", period="4h"),
    ),
    conclude="what was bought or sold in size, against whom, whether it was absorbed, and whether price followed. Who "
    "they are is not known; one trader may be many orders, and the reverse.",
)  # fmt: skip

DATA_QUALITY_CHECK = Playbook(
    name="data_quality_check",
    title="Check the data",
    description="Can the data of a symbol be trusted: what flows, what is missing, since when and why.",
    arguments={"symbol": USUAL_SYMBOL, "since": since("-1d")},
    aim="Judge how far the data of {symbol} since {since} can be trusted.",
    steps=(
        HEALTH,
        Step("stream_status", {}, "what is collected at all, and what a venue does not list."),
        Step("stream_alerts", {}, "what is wrong now, and the gaps of the last hour."),
        of_symbol("history_coverage", "coverage of each stream and venue, with the reasons.", since="{since}"),
        of_symbol("history_stats", "rows of each series, first and last."),
        of_symbol("xv_prices", "ages, and a venue whose price stands apart from the others."),
        Step("venue_status", {}, "is a venue itself in maintenance."),
    ),
    conclude="whole, usable with limits, or not to be used, for each stream; which questions the data can answer now and "
    "which not; what would mend it (history_backfill, where it is switched on).",
)  # fmt: skip

RISK = (
    FUNDING_SCAN,
    ARBITRAGE_CHECK,
    LIQUIDATION_RISK,
    OPTIONS_POSITIONING,
    WHALE_WATCH,
    DATA_QUALITY_CHECK,
)
