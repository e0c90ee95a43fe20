"""Settings: the one room that reads the environment. A flag wins over the environment, over `.env`, over TOML.

Each field is `ORDERFLOW_<NAME>` in the environment; a few answer to the plain names that users know
(`SYMBOLS`, `FLUSH_INTERVAL`, `LOG_LEVEL`, `MCP_HOST`, `MCP_PORT`). The file is `orderflow.toml` in the
working folder, or the one that `ORDERFLOW_CONFIG` names.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from orderflow.market.errors import InvalidArgument
from orderflow.market.instruments import SYMBOLS

Words = Annotated[tuple[str, ...], NoDecode]  # in the environment: words separated by commas


def _named(name: str, *others: str) -> AliasChoices:
    # not the bare name: HOST, PORT or TOKEN in an environment are another program's
    return AliasChoices(f"ORDERFLOW_{name.upper()}", *others)


class Settings(BaseSettings):
    """What a command needs to know of its surroundings."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERFLOW_", env_file=".env", extra="ignore", populate_by_name=True
    )

    db: Path = Field(Path("data/orderflow.duckdb"), validation_alias=_named("db"))
    store: str | None = Field(
        None,
        validation_alias=_named("store"),
        description="instead of `db`: a lake, as ducklake:postgres:dbname=… host=… ; data = FOLDER or s3://…",
    )
    state: Path = Field(
        Path("data/lake"),
        validation_alias=_named("state"),
        description="with a lake, what stays on this machine: journals, and what waits to be published",
    )
    share_by: str = Field(
        "symbols",
        pattern="^(symbols|venues)$",
        validation_alias=_named("share_by"),
        description="by what a lake is divided among its collectors",
    )
    venues: Words = Field((), validation_alias=_named("venues"), description="all that are built, by default")
    symbols: Words = Field(SYMBOLS, validation_alias=_named("symbols", "SYMBOLS"))
    streams: Words = Field((), validation_alias=_named("streams"), description="all, by default")
    host: str = Field("127.0.0.1", validation_alias=_named("host", "MCP_HOST"))
    port: int = Field(8022, ge=0, le=65535, validation_alias=_named("port", "MCP_PORT"))
    token: str | None = Field(None, validation_alias=_named("token"), description="asked of HTTP clients")
    allowed_hosts: Words = Field(
        (),
        validation_alias=_named("allowed_hosts"),
        description="with a token: further names under which the HTTP door is asked, as a proxy's",
    )
    rate_limit_per_s: float = Field(
        50.0,
        ge=0,
        validation_alias=_named("rate_limit_per_s"),
        description="requests of one address, in the long run; 0 for no limit",
    )
    rate_limit_burst: int = Field(
        200, ge=1, validation_alias=_named("rate_limit_burst"), description="of them at once"
    )
    most_requests: int = Field(
        256, ge=1, validation_alias=_named("most_requests"), description="answered at once over HTTP"
    )
    most_streams: int = Field(
        100,
        ge=1,
        validation_alias=_named("most_streams"),
        description="open at once beside them: /stream and /sse",
    )
    most_connections: int = Field(
        512, ge=1, validation_alias=_named("most_connections"), description="open at once on the HTTP port"
    )
    body_timeout_s: float = Field(
        10.0,
        gt=0,
        validation_alias=_named("body_timeout_s"),
        description="that a request's body may take to come",
    )
    quack_port: int | None = Field(None, ge=1, le=65535, validation_alias=_named("quack_port"))
    quack_token: SecretStr | None = Field(
        None,
        validation_alias=_named("quack_token"),
        description="for a database that another machine serves, as quack:host:port",
    )
    flush_interval: float = Field(
        1.0,
        ge=0.05,
        le=60,
        validation_alias=_named("flush_interval", "FLUSH_INTERVAL"),
        description="seconds",
    )
    book_interval: int = Field(
        250,
        ge=0,
        le=60_000,
        validation_alias=_named("book_interval", "BOOK_INTERVAL"),
        description="milliseconds",
    )
    keep_journal: bool = Field(False, validation_alias=_named("keep_journal"))
    memory_limit: str = Field(
        "256MB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        validation_alias=_named("memory_limit"),
        description="of DuckDB: beyond it sorts go to disk, and what was read is read again",
    )
    backlog_memory: int = Field(
        64,
        ge=1,
        le=65_536,
        validation_alias=_named("backlog_memory"),
        description="MB of frames that wait in memory to be looked at; the rest waits in the journal",
    )
    backlog_disk: int = Field(
        8_192,
        ge=64,
        validation_alias=_named("backlog_disk"),
        description="MB of frames that may wait in all; beyond, sockets wait",
    )
    waiting_rows: int = Field(
        400_000,
        ge=1_000,
        le=100_000_000,
        validation_alias=_named("waiting_rows"),
        description="rows that wait for a flush, some 400 bytes each; beyond, frames wait",
    )
    memory_warning: int | None = Field(
        None, ge=1, validation_alias=_named("memory_warning"), description="MB: above, health complains"
    )
    clock_bound: float = Field(
        1000.0,
        gt=0,
        validation_alias=_named("clock_bound"),
        description="milliseconds a venue's clock may be from ours; some venues tell whole seconds",
    )
    stop_within: float = Field(
        60.0,
        ge=0,
        le=3600,
        validation_alias=_named("stop_within"),
        description="seconds to work off what waits when stopped; what is left stays in the journal",
    )
    backfill: bool = Field(
        True, validation_alias=_named("backfill"), description="a collector fills its gaps"
    )
    backfill_hours: float = Field(
        48.0,
        gt=0,
        validation_alias=_named("backfill_hours"),
        description="age of the oldest gap that a collector fills by itself",
    )
    archive_url: str | None = Field(
        None, validation_alias=_named("archive_url"), description="of the files of past days"
    )
    retention: dict[str, str] = Field(
        {},
        validation_alias=_named("retention"),
        description='how long a stream\'s rows are kept, as in {"orderbooks": "30d", "prices": "5000000 rows"};'
        " for good, by default",
    )
    thin: dict[str, str] = Field(
        {},
        validation_alias=_named("thin"),
        description='order books kept by age, as in {"7d": "1s", "30d": "10s"}; all, by default',
    )
    compact_after: float = Field(
        6.0,
        ge=0,
        le=24 * 30,
        validation_alias=_named("compact_after"),
        description="hours after its end that a day goes into the archive",
    )
    taker_fee_bps: dict[str, float] = Field({}, validation_alias=_named("taker_fee_bps"))
    large_trade_usd: dict[str, float] | None = Field(None, validation_alias=_named("large_trade_usd"))
    pyth_api_key: str | None = Field(
        None, repr=False, validation_alias=_named("pyth_api_key", "PYTH_API_KEY")
    )
    publish_url: SecretStr | None = Field(
        None, validation_alias=_named("publish_url"), description="amqp://user:password@host:port/vhost"
    )
    publish_exchange: str = Field("orderflow", validation_alias=_named("publish_exchange"))
    publish_streams: Words = Field(
        (), validation_alias=_named("publish_streams"), description="all, by default"
    )
    postgres_url: SecretStr | None = Field(
        None,
        validation_alias=_named("postgres_url"),
        description="postgresql://user:password@host:port/database, where a desk's tables are kept up",
    )
    postgres_schema: str = Field("orderflow", validation_alias=_named("postgres_schema"))
    postgres_streams: Words = Field(
        (), validation_alias=_named("postgres_streams"), description="all of a desk's, by default"
    )
    desk: Literal["duckdb", "postgres"] = Field(
        "duckdb", validation_alias=_named("desk"), description="which store answers /api/v1/exchange"
    )
    cme_chart: bool = Field(
        False,
        validation_alias=_named("cme_chart"),
        description="ask Yahoo for CME's prices too: delayed, unofficial, for private research alone",
    )
    toolset: str = Field("core", validation_alias=_named("toolset", "ORDERFLOW_TOOLSETS"))
    allow_control: bool = Field(
        False,
        validation_alias=_named("allow_control"),
        description="let tools start, stop and configure what is collected, backfill and export",
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", validation_alias=_named("log_level", "LOG_LEVEL")
    )

    @property
    def keys(self) -> dict[str, str]:
        """The venues' keys that are set, by the names that users know them under."""
        return {} if self.pyth_api_key is None else {"PYTH_API_KEY": self.pyth_api_key}

    def as_environment(self) -> dict[str, str]:
        """Return what was set, as the environment of another process that is to have the same settings."""
        found: dict[str, str] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if value is not None:
                words = ",".join(value) if isinstance(value, tuple) else value
                found[f"ORDERFLOW_{name.upper()}"] = (
                    json.dumps(words) if isinstance(words, dict) else str(words)
                )
        return found

    @field_validator("venues", "symbols", "streams", "publish_streams", "postgres_streams", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("symbols")
    @classmethod
    def _upper(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(symbol.upper() for symbol in value))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls, _file())


def _file() -> Path:
    return Path(os.environ.get("ORDERFLOW_CONFIG", "orderflow.toml"))


def service_manager() -> tuple[str | None, float | None]:
    """Return where systemd wants to be told of us, and within how many seconds again and again."""
    address, every_us = os.environ.get("NOTIFY_SOCKET"), os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return address or None, int(every_us) / 1e6 if ours and every_us.isdecimal() else None


_ORDER = "flags, ORDERFLOW_* in the environment, .env and orderflow.toml are read, in that order"


def settings(**flags: Any) -> Settings:
    """Return the settings, those given as flags first; a flag that is None was not given.

    Raises `InvalidArgument` in one line that names the setting, what it was and what it may be.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InvalidArgument(
            f"{where}: {first['msg']}, not {first.get('input')!r}",
            hint=_ORDER,
        ) from error
    except SettingsError as error:
        raise InvalidArgument(f"{error}: not JSON", hint=_ORDER) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(
            f"{_file()}: not TOML: {error}", hint="settings look like port = 8022"
        ) from error
