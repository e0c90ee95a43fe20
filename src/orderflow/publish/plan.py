"""What to publish and where to, checked before anything starts; an address is never shown with its password."""

from urllib.parse import urlsplit, urlunsplit

import msgspec

from orderflow.market.errors import InvalidArgument
from orderflow.market.streams import STREAMS

EXCHANGE = "orderflow"

_LONGEST_NAME = 127  # of an exchange, in AMQP 0-9-1


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """The broker's address, the exchange, and the streams that go there. Raises `InvalidArgument`."""

    url: str
    exchange: str = EXCHANGE
    streams: tuple[str, ...] = tuple(STREAMS)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise InvalidArgument(
                "the broker's address is not one of AMQP",
                hint="it looks like amqp://user:password@127.0.0.1:5672/",
            )
        if (
            not self.exchange
            or len(self.exchange.encode()) > _LONGEST_NAME
            or self.exchange.startswith("amq.")
        ):
            raise InvalidArgument(
                f"{self.exchange!r} cannot be the name of an exchange",
                hint="up to 127 bytes, not empty; names that begin with amq. are the broker's own",
            )
        if unknown := [name for name in self.streams if name not in STREAMS]:
            raise InvalidArgument(
                f"no stream is called {unknown[0]!r}", hint=f"streams: {', '.join(STREAMS)}"
            )

    def __repr__(self) -> str:
        return f"Publishing({shown(self.url)}, exchange={self.exchange}, streams={','.join(self.streams)})"


def shown(url: str) -> str:
    """Return an address as it may be shown.

    >>> shown('amqp://desk:secret@127.0.0.1:5672/vhost')
    'amqp://desk:***@127.0.0.1:5672/vhost'
    """
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    hidden = f"{user}{colon}***{at}" if colon else f"{account}{at}"
    return urlunsplit((parts.scheme, hidden + place, parts.path, "", ""))


def without_password(text: str, url: str) -> str:
    """Return what a library said about an address, without the password in it."""
    password = urlsplit(url).password
    return text.replace(password, "***") if password and password != urlsplit(url).username else text
