"""Runs the official MCP conformance suite against our HTTP door, and fails where we do not expect it.

    python tests/servers/conformance.py PATH/TO/node_modules/.bin/conformance

The suite is the npm package `@modelcontextprotocol/conformance` (0.2.0-alpha.12, Node 22 or newer).
Most of its scenarios call tools, prompts and resources of its own reference server, which no other
server has: each that fails for that is listed with what it asks for. Every other must pass. A few pass
on any answer, so that they show little of ours: `tools-call-simple-text` takes any text,
`tools-call-error` any error, and three of `input-required-result-*` no more.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import orderflow

HERE = Path(__file__).parent
REVISIONS = ("2026-07-28", "2025-11-25")

TASKS = "the extension io.modelcontextprotocol/tasks and tools"
FIXTURES = {
    "tools-call-image": "tool test_image_content",
    "tools-call-audio": "tool test_audio_content",
    "tools-call-embedded-resource": "tool test_embedded_resource",
    "tools-call-mixed-content": "tool test_multiple_content_types",
    "tools-call-with-progress": "tool test_tool_with_progress",
    "tools-call-with-logging": "tool test_tool_with_logging",
    "tools-call-sampling": "tool test_sampling",
    "tools-call-elicitation": "tool test_elicitation",
    "elicitation-sep1034-defaults": "tool test_elicitation_sep1034_defaults",
    "elicitation-sep1330-enums": "tool test_elicitation_sep1330_enums",
    "resources-read-text": "resource test://static-text",
    "resources-read-binary": "resource test://static-binary",
    "resources-templates-read": "resource test://template/123/data",
    "resources-subscribe": "resource test://watched-resource",
    "resources-unsubscribe": "resource test://watched-resource",
    "prompts-get-simple": "prompt test_simple_prompt",
    "prompts-get-with-args": "prompt test_prompt_with_arguments",
    "prompts-get-embedded-resource": "prompt test_prompt_with_embedded_resource",
    "prompts-get-with-image": "prompt test_prompt_with_image",
    "input-required-result-basic-elicitation": "tool test_input_required_result_elicitation",
    "input-required-result-basic-sampling": "tool test_input_required_result_sampling",
    "input-required-result-basic-list-roots": "tool test_input_required_result_list_roots",
    "input-required-result-request-state": "tool test_input_required_result_request_state",
    "input-required-result-multiple-input-requests": "tool test_input_required_result_multiple_inputs",
    "input-required-result-multi-round": "tool test_input_required_result_multi_round",
    "input-required-result-non-tool-request": "prompt test_input_required_result_prompt",
    "input-required-result-result-type": "tool test_input_required_result_elicitation",
    "input-required-result-tampered-state": "tool test_input_required_result_tampered_state",
    "input-required-result-capability-check": "tool test_input_required_result_capabilities",
    "server-stateless": "tool test_missing_capability",
    # What a revision does not count: drafts of the suite, and an extension that we do not offer.
    "json-schema-2020-12": "tool json_schema_2020_12_tool",
    "http-custom-header-server-validation": "a tool with a parameter marked x-mcp-header",
    "server-sse-polling": "tool test_reconnection",
    "tasks-lifecycle": f"{TASKS} slow_compute, failing_job, protocol_error_job",
    "tasks-capability-negotiation": f"{TASKS} slow_compute",
    "tasks-wire-fields": f"{TASKS} slow_compute",
    "tasks-request-state-removal": f"{TASKS} slow_compute",
    "tasks-mrtr-input": f"{TASKS} confirm_delete, multi_input",
    "tasks-request-headers": f"{TASKS} greet, slow_compute",
    "tasks-dispatch-and-envelope": f"{TASKS} greet, slow_compute",
    "tasks-required-task-error": f"{TASKS} failing_job",
    "tasks-mrtr-composition": f"{TASKS} test_tool_with_task",
}


CHECKS = {"server-stateless": 2}  # of the failing ones, where others of the scenario concern us


def run(suite: str, url: str, revision: str) -> tuple[set[str], dict[str, int]]:
    """Return the scenarios that pass, and how many checks fail of each that does not."""
    command = [suite, "server", "--url", f"{url}/mcp", "--requirements", revision]
    said = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False).stdout
    summary = said.partition("=== SUMMARY ===")[2]
    failed = re.findall(r"✗ ([\w-]+): \d+ passed, (\d+) failed", summary)
    return set(re.findall(r"✓ ([\w-]+):", summary)), {name: int(count) for name, count in failed}


def surprises(passed: set[str], failed: dict[str, int]) -> list[str]:
    """Return what is not as listed: what fails, what fails in more than was known, what passes."""
    found = [f"{name} fails" for name in sorted(set(failed) - set(FIXTURES))]
    found += [f"{name} passes: take it off the list" for name in sorted(passed & set(FIXTURES))]
    found += [
        f"{name} fails in {failed[name]} checks, not {known}"
        for name, known in CHECKS.items()
        if failed.get(name, known) != known
    ]
    return found if passed else [*found, "nothing passes: did the suite run?"]


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
    unexpected: list[str] = []
    try:
        for revision in REVISIONS:
            passed, failed = run(suite, url, revision)
            found = surprises(passed, failed)
            unexpected += found
            print(f"{revision}: {len(passed)} scenarios pass, {len(failed)} fail")
            for name in sorted(set(failed) & set(FIXTURES)):
                print(f"  {name}: asks for {FIXTURES[name]}")
            for one in found:
                print(f"  unexpected: {one}")
    finally:
        served.terminate()
        served.wait(timeout=30)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
