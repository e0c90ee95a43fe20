"""Settings: which source wins, and one line for what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.market.instruments import SYMBOLS
from orderflow.settings import Settings, settings

PLAIN = {
    "symbols": "SYMBOLS",
    "flush_interval": "FLUSH_INTERVAL",
    "log_level": "LOG_LEVEL",
    "host": "MCP_HOST",
}
PLAIN |= {"port": "MCP_PORT", "book_interval": "BOOK_INTERVAL"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        for spelled in (f"ORDERFLOW_{name.upper()}", name.upper()):
            monkeypatch.delenv(spelled, raising=False)
    for name in (*PLAIN.values(), "ORDERFLOW_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_without_any_source_the_defaults_hold() -> None:
    found = settings()
    assert (found.db, found.symbols, found.host, found.port) == (
        Path("data/orderflow.duckdb"), SYMBOLS, "127.0.0.1", 8022,
    )  # fmt: skip
    assert (found.flush_interval, found.book_interval, found.log_level, found.venues) == (
        1.0,
        250,
        "INFO",
        (),
    )


# Port 1 is said by TOML, 2 by .env, 3 by the environment, 4 by the flag: the highest that speaks wins.
@pytest.mark.parametrize(
    "speaking", [{1}, {2}, {3}, {4}, {1, 2}, {1, 3}, {2, 3}, {1, 2, 3}, {1, 4}, {1, 2, 3, 4}]
)
@pytest.mark.parametrize("spelled", ["ORDERFLOW_PORT", "MCP_PORT"])
def test_a_flag_wins_over_the_environment_over_the_env_file_over_toml(
    folder: Path, monkeypatch: pytest.MonkeyPatch, speaking: set[int], spelled: str
) -> None:
    if 1 in speaking:
        (folder / "orderflow.toml").write_text("port = 1")
    if 2 in speaking:
        (folder / ".env").write_text(f"{spelled}=2")
    if 3 in speaking:
        monkeypatch.setenv(spelled, "3")
    assert settings(port=4 if 4 in speaking else None).port == max(speaking)


@pytest.mark.parametrize(("env", "file"), [("MCP_PORT", "ORDERFLOW_PORT"), ("ORDERFLOW_PORT", "MCP_PORT")])
def test_the_environment_wins_over_the_env_file_however_each_spells_the_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, env: str, file: str
) -> None:
    (folder / ".env").write_text(f"{file}=2")
    monkeypatch.setenv(env, "3")
    assert settings().port == 3


def test_a_source_that_says_one_thing_leaves_the_others_to_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "orderflow.toml").write_text(
        'port = 1\nhost = "127.0.0.9"\n[taker_fee_bps]\nbinance_spot = 7.5'
    )
    monkeypatch.setenv("ORDERFLOW_PORT", "3")
    found = settings(token="secret")
    assert (found.port, found.host, found.token, found.taker_fee_bps) == (
        3,
        "127.0.0.9",
        "secret",
        {"binance_spot": 7.5},
    )


@pytest.mark.parametrize(("name", "spelled"), PLAIN.items())
def test_the_plain_names_that_users_know_are_read(
    monkeypatch: pytest.MonkeyPatch, name: str, spelled: str
) -> None:
    value = {"symbols": "SOLUSDT", "log_level": "DEBUG", "host": "127.0.0.2"}.get(name, "5")
    monkeypatch.setenv(spelled, value)
    found = getattr(settings(), name)
    assert str(found if not isinstance(found, tuple) else found[0]) in (value, f"{value}.0")


@pytest.mark.parametrize("name", ["HOST", "PORT", "TOKEN", "DB", "VENUES"])
def test_names_that_other_programs_use_are_not_ours(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = settings()
    monkeypatch.setenv(name, "9")
    assert settings() == before


def test_words_are_separated_by_commas_and_symbols_are_in_capitals_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORDERFLOW_VENUES", " binance_spot, binance_futures ,")
    found = settings(symbols="btcusdt,ETHUSDT, BTCUSDT")
    assert (found.venues, found.symbols) == (("binance_spot", "binance_futures"), ("BTCUSDT", "ETHUSDT"))


def test_the_file_can_be_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine.toml").write_text('symbols = ["solusdt"]')
    monkeypatch.setenv("ORDERFLOW_CONFIG", str(folder / "mine.toml"))
    assert settings().symbols == ("SOLUSDT",)


def test_the_brokers_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_PUBLISH_URL", "amqp://desk:secret@127.0.0.1/")
    monkeypatch.setenv("ORDERFLOW_PUBLISH_STREAMS", "trades, prices")
    found = settings()
    assert "secret" not in f"{found!r} {found} {found.model_dump()}"
    assert found.publish_url is not None
    assert found.publish_url.get_secret_value() == "amqp://desk:secret@127.0.0.1/"
    assert (found.publish_exchange, found.publish_streams) == ("orderflow", ("trades", "prices"))


def test_postgresqls_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_POSTGRES_URL", "postgresql://desk:secret@127.0.0.1/market")
    monkeypatch.setenv("ORDERFLOW_POSTGRES_STREAMS", "large_trades, open_interest")
    found = settings(desk="postgres")
    assert "secret" not in f"{found!r} {found} {found.model_dump()}"
    assert (found.postgres_schema, found.postgres_streams) == ("orderflow", ("large_trades", "open_interest"))
    assert (found.desk, settings().desk) == ("postgres", "duckdb")


WRONG: list[tuple[str, Any]] = [
    ("port", 70_000), ("port", "many"), ("flush_interval", 0), ("flush_interval", "nan"), ("book_interval", -1),
    ("memory_limit", "much"), ("log_level", "LOUD"), ("quack_port", 0), ("taker_fee_bps", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_cannot_be_is_told_in_one_line_that_names_it(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as raised:
        settings(**{name: value})
    assert "\n" not in raised.value.message
    assert name in raised.value.message.lower()
    assert repr(value) in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("text", ["port = ", "[[[", "\x00"])
def test_a_file_that_is_no_toml_is_told_in_one_line(folder: Path, text: str) -> None:
    (folder / "orderflow.toml").write_text(text)
    with pytest.raises(InvalidArgument, match=r"orderflow\.toml") as raised:
        settings()
    assert "\n" not in raised.value.message


def test_a_list_in_the_environment_that_is_no_json_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORDERFLOW_TAKER_FEE_BPS", "{broken")
    with pytest.raises(InvalidArgument, match="taker_fee_bps"):
        settings()


@pytest.mark.parametrize("spelled", ["ORDERFLOW_TOOLSET", "ORDERFLOW_TOOLSETS"])
def test_toolsets_are_chosen_under_either_name(spelled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(spelled, "cross_venue,system")
    assert settings().toolset == "cross_venue,system"
    assert settings(toolset="all").toolset == "all"


def test_the_doors_limits_are_those_of_the_settings() -> None:
    from orderflow.cli.surroundings import door_limits
    from orderflow.servers.limits import Limits

    assert door_limits(settings()) == Limits()  # the same defaults in both places
    chosen = settings(
        rate_limit_per_s=1.0,
        rate_limit_burst=2,
        most_requests=3,
        most_streams=4,
        most_connections=5,
        body_timeout_s=6.0,
    )
    assert door_limits(chosen) == Limits(
        rate_per_s=1.0, burst=2, requests=3, streams=4, connections=5, body_s=6.0
    )
