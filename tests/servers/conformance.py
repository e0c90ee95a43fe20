"""Runs the official MCP conformance suite against our HTTP door, and fails where we do not expect it.

    python tests/servers/conformance.py PATH/TO/node_modules/.bin/conformance

The suite is the npm package `@modelcontextprotocol/conformance` (0.2.0-alpha.12, Node 22 or newer).
Most of its scenarios call tools, prompts and resources of its own reference server
(`test_image_content`, `test://static-text`, …), which no other server has; they and the optional
parts of the protocol that we do not offer are listed here with the reason.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import orderflow

HERE = Path(__file__).parent
REVISIONS = ("2026-07-28", "2025-11-25")

FIXTURES = (
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-with-progress",
    "tools-call-with-logging",
    "tools-call-sampling",
    "tools-call-elicitation",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "resources-read-text",
    "resources-read-binary",
    "resources-templates-read",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
    "input-required-result-basic-elicitation",
    "input-required-result-basic-sampling",
    "input-required-result-basic-list-roots",
    "input-required-result-request-state",
    "input-required-result-multiple-input-requests",
    "input-required-result-multi-round",
    "input-required-result-non-tool-request",
    "input-required-result-result-type",
    "input-required-result-tampered-state",
    "input-required-result-capability-check",
    "server-stateless",  # two of its 25 checks call a tool test_missing_capability
)
NOT_OFFERED = ("completion-complete", "logging-set-level", "resources-subscribe", "resources-unsubscribe")


def failing(suite: str, url: str, revision: str) -> tuple[set[str], int]:
    """Return the scenarios that fail and count, and how many passed."""
    command = [suite, "server", "--url", f"{url}/mcp", "--requirements", revision]
    said = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False).stdout
    counted, _, unscored = said.partition("=== SUMMARY ===")[2].partition("Not scored")
    outside = set(re.findall(r"[✓✗] ([\w-]+)", unscored))
    failed = set(re.findall(r"✗ ([\w-]+):", counted)) - outside
    passed = set(re.findall(r"✓ ([\w-]+):", counted)) - outside
    return failed, len(passed)


def main(suite: str) -> int:
    source = str(Path(orderflow.__file__).parents[1])
    served = subprocess.Popen(
        [sys.executable, str(HERE / "serve_http.py")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    surprises = 0
    try:
        for revision in REVISIONS:
            failed, passed = failing(suite, url, revision)
            unexpected = sorted(failed - set(FIXTURES) - set(NOT_OFFERED))
            surprises += len(unexpected) + (passed == 0)
            print(f"{revision}: {passed} scenarios pass, {len(failed)} need what we do not have")
            for name in unexpected:
                print(f"  unexpected: {name}")
    finally:
        served.terminate()
        served.wait(timeout=30)
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
