"""Subscribing: how MCP clients of either era hear of live resources that changed.

A newer one sends `subscriptions/listen`, whose answer lasts as long as it listens; an older one names resources one
by one, and is told on its session. Both hear that a resource changed, and read it if they want to know how.
"""

import asyncio

import mcp_types as types
from mcp.server.connection import Connection
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated, event_to_notification

from orderflow.market.errors import InvalidArgument, OrderflowError, TooLarge
from orderflow.servers import resources
from orderflow.servers.notices import Asked
from orderflow.servers.replies import failure_of
from orderflow.servers.watching import Listener, Watching


class Subscribing:
    """The subscriptions of all clients of a server."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._sessions: dict[Connection, tuple[Listener, asyncio.Task[None]]] = {}

    async def listen(
        self, ctx: Asked, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell a newer client of changes until it leaves, or we do.

        What cannot be watched is left out of what is acknowledged first; too much is refused.
        """
        honored = _honored(params.notifications)
        try:
            listener = self._watching.listen(honored.resource_subscriptions or ())
        except (InvalidArgument, TooLarge) as error:
            raise _refused(error) from error
        meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        told = types.SubscriptionsAcknowledgedNotificationParams(notifications=honored, _meta=meta)
        acknowledged = types.SubscriptionsAcknowledgedNotification(params=told)
        try:
            await ctx.session.send_notification(acknowledged, related_request_id=ctx.request_id)
            while (uris := await listener.heard()) is not None:
                for uri in uris:
                    notice = event_to_notification(ResourceUpdated(uri), meta)
                    await ctx.session.send_notification(notice, related_request_id=ctx.request_id)
        finally:
            self._watching.leave(listener)
        return types.SubscriptionsListenResult(_meta=meta)

    async def subscribe(self, ctx: Asked, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Tell an older client's session of a resource's changes from now on."""
        try:
            self._watching.add(self._listener(_connection(ctx)), params.uri)
        except (InvalidArgument, TooLarge) as error:
            raise _refused(error) from error
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Asked, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        known = self._sessions.get(_connection(ctx))
        if known is not None:
            self._watching.remove(known[0], params.uri)
        return types.EmptyResult()

    def _listener(self, connection: Connection) -> Listener:
        if connection not in self._sessions:
            listener = self._watching.listen()
            telling = asyncio.create_task(_tell(connection, listener))
            self._sessions[connection] = listener, telling
            connection.exit_stack.callback(self._left, connection)
        return self._sessions[connection][0]

    def _left(self, connection: Connection) -> None:
        listener, telling = self._sessions.pop(connection)
        self._watching.leave(listener)
        telling.cancel()


async def _tell(connection: Connection, listener: Listener) -> None:
    while (uris := await listener.heard()) is not None:
        for uri in uris:
            await connection.send_resource_updated(uri)


def _honored(asked: types.SubscriptionFilter) -> types.SubscriptionFilter:
    """Return what will be told of what a client asks; lists never change while we run, so they cost nothing."""
    watched = [uri for uri in dict.fromkeys(asked.resource_subscriptions or ()) if resources.live(uri)]
    return types.SubscriptionFilter(
        tools_list_changed=asked.tools_list_changed or None,
        prompts_list_changed=asked.prompts_list_changed or None,
        resources_list_changed=asked.resources_list_changed or None,
        resource_subscriptions=watched or None,
    )


def _refused(error: OrderflowError) -> MCPError:
    return MCPError(types.INVALID_PARAMS, str(failure_of(error)), {"code": error.code})


def _connection(ctx: Asked) -> Connection:
    # The library offers handlers no other way to send to a session later, and to hear that it ended.
    return ctx.session._connection  # noqa: SLF001
