"""Exit code 0 where the collector in this container is not unhealthy; needs nothing but Python."""

import os
import sys
import urllib.error
import urllib.request

port = os.environ.get("ORDERFLOW_PORT") or "8022"
token = os.environ.get("ORDERFLOW_TOKEN")
asked = urllib.request.Request(f"http://127.0.0.1:{port}/healthz")
if token:
    asked.add_header("Authorization", f"Bearer {token}")
try:
    with urllib.request.urlopen(asked, timeout=8) as reply:  # noqa: S310
        print(reply.read().decode())
except urllib.error.HTTPError as error:
    sys.exit(f"{error.code}: {error.read().decode(errors='replace')}")
except OSError as error:
    sys.exit(f"no answer: {error}")
