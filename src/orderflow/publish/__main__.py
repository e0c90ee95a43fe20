"""The sender's process: `python -m orderflow.publish FOLDER`, started by the collector."""

import sys
from pathlib import Path

import uvloop

from orderflow.publish.sender import work

uvloop.run(work(Path(sys.argv[1])))
