"""Live: a feed against a toy venue on loopback."""

import asyncio

from toy_venue import ToySocket, gathering, listing, rest, run, toy, toy_server, trade

from orderflow.feed.live import Feed, Inbox, live


def test_trades_arrive_after_their_channels_were_acknowledged() -> None:
    async def story() -> None:
        async with toy_server() as server:
            feed = Feed(
                toy(),
                ["BTCUSDT", "ETHUSDT"],
                Inbox(),
                hosts=server.hosts,
                transport=rest(exchangeInfo=listing("BTCUSDT", "ETHUSDT")),
                tick_s=0.02,
            )
            async with gathering(live([feed])) as found:
                await found.until(lambda it: "connected" in it.kinds())
                server.sockets[0].say(trade("BTCUSDT", 7))
                await found.until(lambda it: it.data())
            assert server.sockets[0].names == ["btcusdt@aggTrade", "ethusdt@aggTrade"]
            assert [one.url.split("?")[0] for one in found.of("http")] == ["http://toy/api/v3/exchangeInfo"]
            connected = next(one for one in found.notes if one.kind == "connected")
            assert connected.route == "public"
            assert connected.series == [("trades", "BTCUSDT"), ("trades", "ETHUSDT")]
            assert found.data() == [trade("BTCUSDT", 7)]
            await asyncio.wait_for(server.sockets[0].closed.wait(), 5)

    run(story)
