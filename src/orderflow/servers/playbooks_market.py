"""Playbooks of a market: how it stands, what moved it, who is trapped, what a session did."""

from orderflow.servers.playbook import (
    HEALTH,
    SYMBOL,
    USUAL_SYMBOL,
    Argument,
    Playbook,
    Step,
    of_symbol,
    since,
)

MARKET_CHECK = Playbook(
    name="market_check",
    title="Check a market",
    description="Price, gaps and arbitrage of a symbol, and how far the data can be trusted.",
    arguments={"symbol": SYMBOL},
    aim="Look at {symbol} across venues.",
    steps=(
        HEALTH,
        of_symbol("xv_prices", "where it is cheapest to buy and dearest to sell."),
        of_symbol("xv_arbitrage", "the best pair net of both fees, and the size that the books bear."),
    ),
    conclude="where to buy and where to sell, what the best pair leaves, and for which size.",
)

MORNING_BRIEF = Playbook(
    name="morning_brief",
    title="Morning brief",
    description="What happened while you slept: price, range, flow, positions, funding, levels, news of venues.",
    arguments={"symbol": USUAL_SYMBOL, "since": since("-12h")},
    aim="Write a brief of one page on {symbol} since {since}.",
    steps=(
        HEALTH,
        of_symbol("market_snapshot", "price, basis, depth, CVD and range on each venue.", since="{since}"),
        of_symbol("history_price_context", "is the price high or low in its past: rank and z-score; beyond 3 is unusual."),
        of_symbol("market_open_interest", "positions opened (change above 0) or closed.", period="8h"),
        of_symbol("market_funding", "annual_pct: what longs pay; differences between venues."),
        of_symbol("market_liquidations", "longs against shorts by value; largest single one.", since="{since}"),
        of_symbol("orderflow_key_levels", "the three nearest levels above and below that were not touched."),
        Step("market_top_movers", {"count": 5}, "what else moved, so that {symbol} is seen beside the market."),
        Step("venue_announcements", {"count": 5}, "only what bears on {symbol} or on trading as such."),
    ),
    conclude="one sentence on the state (trend, range, squeeze, quiet), then figures, then the levels to watch, then "
    "what would change the picture.",
)  # fmt: skip

WHY_DID_IT_MOVE = Playbook(
    name="why_did_it_move",
    title="Why did it move?",
    description="Who drove a move: spot or perpetuals, new positions or forced closes, and which venue led.",
    arguments={"symbol": SYMBOL, "since": since("-1h")},
    aim="Explain the move of {symbol} since {since}.",
    steps=(
        of_symbol("history_candles", "when it began and how far it went.", since="{since}", bar="5m"),
        of_symbol("history_coverage", "is the window whole? A gap at the move forbids conclusions on flow.", since="{since}"),
        of_symbol("orderflow_metrics", "delta of each venue: spot against perpetuals; does price follow delta.", since="{since}", bar="5m", parts=["venues", "divergences"]),
        of_symbol("history_open_interest", "rising with price: new longs; falling with price rising: shorts closed; the mirror for a fall.", since="{since}"),
        of_symbol("market_liquidations", "value of the side that was squeezed, beside the volume of the move.", since="{since}"),
        of_symbol("xv_leadlag", "which venue moved first, if the correlation tells at all.", since="{since}"),
        of_symbol("orderflow_depth_delta", "was the book pulled ahead of price, or executed.", since="{since}"),
    ),
    conclude="the likeliest driver with the two figures that speak most for it, what speaks against it, and what "
    "cannot be known from market data, as news.",
)  # fmt: skip

WHO_IS_TRAPPED = Playbook(
    name="who_is_trapped",
    title="Who is trapped?",
    description="Positions opened at prices that the market has left, and where they would have to give up.",
    arguments={"symbol": SYMBOL, "since": since("-8h")},
    aim="Find who holds losing positions in {symbol} that were opened since {since}.",
    steps=(
        of_symbol("market_open_interest", "rows in which open interest rose: positions were opened there.", since="{since}", period="15m"),
        of_symbol("orderflow_footprint", "who was aggressive then, and absorbed_high or absorbed_low.", since="{since}", bar="15m", view="statistics"),
        of_symbol("orderflow_volume_profile", "POC and value area: beyond which price most of the window loses.", since="{since}"),
        of_symbol("orderflow_swing_liquidity", "untouched swings, beyond which stops rest.", active_only=True, order="distance"),
        of_symbol("market_long_short_ratio", "how accounts and the large stand; accounts say nothing of sizes."),
        of_symbol("market_funding", "who pays to stay."),
        of_symbol("market_liquidations", "has it begun: which side is closed by force.", since="{since}"),
    ),
    conclude="which side is offside, from about which price and how large at most (the open interest added there), "
    "the price that would hurt it, and that entries of single traders are not known.",
)  # fmt: skip

SESSION_REVIEW = Playbook(
    name="session_review",
    title="Review a session",
    description="What a day's sessions did: auction, value, delta, structure, and the levels that they left.",
    arguments={"symbol": SYMBOL, "date": Argument("a day, as 2026-01-30", "today", implied=True)},
    aim="Review the sessions of {symbol}, {date} (UTC).",
    steps=(
        of_symbol("orderflow_session_profile", "OHLC, volume, delta, POC and value area of each session, beside the day before.", date="{date}"),
        of_symbol("orderflow_tpo", "day_type, tails, poor highs and lows, extension beyond the initial balance.", date="{date}"),
        of_symbol("orderflow_structure", "breaks and failures; a swing counts from when it was known.", bar="15m"),
        of_symbol("orderflow_metrics", "divergences, stacked imbalances, sweeps.", since="-1d", bar="15m", parts=["divergences", "imbalances"]),
        of_symbol("orderflow_key_levels", "what is left untouched for the next session.", date="{date}"),
        of_symbol("history_coverage", "how whole the day is, before anything is concluded.", since="-1d", streams=["trades", "orderbooks"]),
    ),
    conclude="for each session one line (balance or trend, who was aggressive, accepted or rejected prices); what is "
    "developing is said to be so; levels that matter next, nearest first.",
)  # fmt: skip

MARKET = (MARKET_CHECK, MORNING_BRIEF, WHY_DID_IT_MOVE, WHO_IS_TRAPPED, SESSION_REVIEW)
