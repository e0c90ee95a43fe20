"""Publishing: rows that the store has, sent to a RabbitMQ exchange by a process of its own.

`plan` says where to and what; `outbox` keeps on disk what the broker has not confirmed; `publisher`
is the collector's side, which starts the process and hears from it; `sender` is that process, and the
only module that knows the broker's protocol. docs/publishing.md has the form of a message and what
is promised.
"""

from orderflow.publish.plan import Publishing
from orderflow.publish.publisher import Publisher

__all__ = ["Publisher", "Publishing"]
