"""The HTTP door with a fixed market, run as a process of its own: prints its address, then serves."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from fixed_market import context

from orderflow.servers import http
from orderflow.servers.callers import Local

port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
asyncio.run(http.serve(http.app(Local(context())), port=port, ready=lambda url: print(url, flush=True)))
