"""Reading: what the figures of a market say by fixed rules, the same thresholds for every venue.

A rule has a lower and an upper threshold; a figure at one or beyond it says something, one between them is usual.
They sort, they do not forecast: nobody has measured here what price did after them, so no reading has a score.
Where a threshold follows from a venue's own formula or from arithmetic that is said; the others are conventions of
ours, round numbers that no publication gives.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Side: TypeAlias = Literal["bullish", "bearish", "neutral", "crowded_long", "crowded_short"]
Subject: TypeAlias = Literal[
    "trend", "funding", "positioning", "open_interest", "basis", "flow", "book", "liquidations", "options"
]
SUBJECTS: tuple[Subject, ...] = (
    "trend", "funding", "positioning", "open_interest", "basis", "flow", "book", "liquidations", "options",
)  # fmt: skip

# A standard deviation of one day at a volatility of 40 % a year: 40 / √365 = 2.1.
TREND_PCT = 2.0
# The interest rate in the funding formula of Binance, Bybit and OKX is 0.01 % per 8 hours: 1,095 of those a year
# are 10.95 %. Longs who pay three times that pay for more than interest; shorts who pay as much as longs usually
# do stand against it.
USUAL_FUNDING_PCT = 10.95
DEAR_FUNDING_PCT = 3 * USUAL_FUNDING_PCT
# Two accounts of three on one side; convention.
CROWD_RATIO = 2.0
# Change of what is open in 24 hours; convention.
OPENED_PCT = 5.0
# The clamp of the same formula: a premium of up to 0.05 % leaves funding at the interest rate.
BASIS_BPS = 5.0
# Of what takers traded, bought: eleven to nine; convention.
BOUGHT_PCT = 55.0
LEAST_TRADES = 100  # of a tape, for its split to be read
# (bids - asks) / (bids + asks) of ten levels: 0.3 is 65 to 35; convention.
IMBALANCE = 0.3
# Of the value closed by force in an hour, longs'; convention. Less than 0.01 % of the 24-hour volume says nothing.
LIQUIDATED_PCT = 70.0
LEAST_LIQUIDATED = 0.0001
# Puts open over calls open: as many puts as calls is many, half as many is few; convention.
PUT_CALL = (0.5, 1.0)
# Call less put at 25 delta, in points of volatility; convention.
SKEW_POINTS = 5.0

_NOISE = 1e-9  # of a threshold: what floats are off


class Rule(NamedTuple):
    """Two thresholds with what is said at the lower one and below, between them, at the upper one and above."""

    subject: Subject
    unit: str
    low: float
    high: float
    said: tuple[str, str, str]
    sides: tuple[Side, Side]

    def read(self, figure: float) -> "Reading":
        """Return what a figure says.

        >>> RULES["change_pct"].read(-2.5).reading, RULES["change_pct"].read(1.0).side
        ('price down', 'neutral')
        """
        noise = _NOISE * max(abs(self.low), abs(self.high))
        if figure >= self.high - noise:
            return Reading(self.subject, self.said[2], self.sides[1], figure, self.high, self.unit)
        if figure <= self.low + noise:
            return Reading(self.subject, self.said[0], self.sides[0], figure, self.low, self.unit)
        nearer = self.high if figure >= (self.low + self.high) / 2 else self.low
        return Reading(self.subject, self.said[1], "neutral", figure, nearer, self.unit)


class Reading(NamedTuple):
    """What a figure says: the threshold is the one that it reached, or the nearer one that it did not."""

    subject: Subject
    reading: str
    side: Side
    figure: float
    threshold: float
    unit: str


# By the name of the figure. Forced sales of longs press the price while they last, and so for shorts.
RULES: Mapping[str, Rule] = {
    "change_pct": Rule(
        "trend", "% in 24 h", -TREND_PCT, TREND_PCT,
        ("price down", "price hardly moved", "price up"), ("bearish", "bullish"),
    ),
    "funding_annual_pct": Rule(
        "funding", "% a year", -USUAL_FUNDING_PCT, DEAR_FUNDING_PCT,
        ("shorts pay much", "usual funding", "longs pay much"), ("crowded_short", "crowded_long"),
    ),
    "account_ratio": Rule(
        "positioning", "long / short", 1 / CROWD_RATIO, CROWD_RATIO,
        ("crowd is short", "crowd is on both sides", "crowd is long"), ("crowded_short", "crowded_long"),
    ),
    "basis_bps": Rule(
        "basis", "bps", -BASIS_BPS, BASIS_BPS,
        ("mark below index", "mark at index", "mark above index"), ("crowded_short", "crowded_long"),
    ),
    "taker_buy_pct": Rule(
        "flow", "% bought", 100 - BOUGHT_PCT, BOUGHT_PCT,
        ("takers sell", "takers on both sides", "takers buy"), ("bearish", "bullish"),
    ),
    "imbalance": Rule(
        "book", "ratio", -IMBALANCE, IMBALANCE,
        ("asks outweigh bids", "book in balance", "bids outweigh asks"), ("bearish", "bullish"),
    ),
    "long_liquidated_pct": Rule(
        "liquidations", "% longs", 100 - LIQUIDATED_PCT, LIQUIDATED_PCT,
        ("shorts are liquidated", "both sides are liquidated", "longs are liquidated"), ("bullish", "bearish"),
    ),
    "put_call_ratio": Rule(
        "options", "puts / calls", *PUT_CALL,
        ("calls outweigh puts", "usual share of puts", "puts outweigh calls"), ("bullish", "bearish"),
    ),
    "skew_points": Rule(
        "options", "points of % a year", -SKEW_POINTS, SKEW_POINTS,
        ("puts are dearer", "calls and puts cost alike", "calls are dearer"), ("bearish", "bullish"),
    ),
}  # fmt: skip


def readings(figures: Mapping[str, float | None]) -> list[Reading]:
    """Return what the figures that are known say, in the order of the subjects.

    The names are those of `RULES`, and `open_interest_change_pct`, which is read with `change_pct` beside it.

    >>> [one.reading for one in readings({"change_pct": 3.0, "open_interest_change_pct": 6.0})]
    ['price up', 'price up on rising open interest']
    """
    found = [rule.read(figure) for name, rule in RULES.items() if (figure := figures.get(name)) is not None]
    opened, change = figures.get("open_interest_change_pct"), figures.get("change_pct")
    if opened is not None and change is not None:
        found.append(interest(opened, change))
    return sorted(found, key=lambda one: SUBJECTS.index(one.subject))


def interest(opened_pct: float, change_pct: float) -> Reading:
    """Read a change of open interest with that of the price, both of 24 hours and in percent.

    What is opened while price moves is opened in its direction by those who take; what is closed moves it without
    anybody new: shorts who buy back, longs who sell out. The latter says nothing of what comes.
    """
    if abs(opened_pct) < OPENED_PCT * (1 - _NOISE):
        return _interest("open interest hardly changed", "neutral", opened_pct)
    way = "rising" if opened_pct > 0 else "falling"
    trend = RULES["change_pct"].read(change_pct)
    said = f"{trend.reading} on {way} open interest"
    return _interest(said, trend.side if opened_pct > 0 else "neutral", opened_pct)


def _interest(said: str, side: Side, opened_pct: float) -> Reading:
    threshold = OPENED_PCT if opened_pct >= 0 else -OPENED_PCT
    return Reading("open_interest", said, side, opened_pct, threshold, "% in 24 h")


def liquidated_pct(long: float, short: float, volume: float | None) -> float | None:
    """Return the share of longs in what was closed by force in an hour, in percent; None where that is little.

    All three are values in quote units, `volume` is that of 24 hours; where it is unknown so is what is little.

    >>> liquidated_pct(90.0, 10.0, 100_000.0), liquidated_pct(9.0, 0.0, 100_000.0)
    (90.0, None)
    """
    both = long + short
    if volume is None or both <= 0 or both < LEAST_LIQUIDATED * volume:
        return None
    return long / both * 100
