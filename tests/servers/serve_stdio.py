"""An MCP server over stdio with a fixed market, run as a process of its own by the tests."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from fixed_market import context

from orderflow.servers import mcp
from orderflow.servers.callers import Local

asyncio.run(mcp.stdio(Local(context()), *sys.argv[1:]))
