"""`python -m orderflow.sim`: the simulated venues as a process of their own, until it is told to stop."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from orderflow.sim import FORMS, SYMBOLS, Simulation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; prints one JSON line with port and hosts when ready."""
    asked = _parser().parse_args(arguments)
    try:
        simulation = Simulation(
            tuple(name for name in asked.symbols.upper().split(",") if name),
            venues=tuple(name for name in asked.venues.lower().split(",") if name),
            seed=asked.seed,
            rate=asked.rate,
            host=asked.host,
            port=asked.port,
            patient=asked.patient,
        )
        asyncio.run(_serve(simulation))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _serve(simulation: Simulation) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulation.start()
    ready = {
        "simulated": True,
        "port": simulation.port,
        "hosts": {venue: simulation.hosts(venue) for venue in simulation.forms},
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await simulation.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m orderflow.sim", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=5.0, help="trades per second, symbol and venue")
    parser.add_argument("--symbols", default=",".join(SYMBOLS), help="comma-separated")
    parser.add_argument("--venues", default=",".join(FORMS), help="comma-separated")
    parser.add_argument("--patient", action="store_true", help="wait for slow clients, do not drop them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
