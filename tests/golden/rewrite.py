"""Writes the kept answers anew: `python -m tests.golden.rewrite [TOOL …]`. The difference is then the review.

It needs the real recordings beside the repository. Answers of tools that are no more are removed.
"""

import sys
import tempfile
from pathlib import Path

from orderflow.store import access
from tests.conftest import CAPTURES
from tests.golden import recorded
from tests.golden.kept import ANSWERS, answered, path_of, written
from tests.golden.questions import cases


def main(chosen: list[str]) -> None:
    if lacking := recorded.missing(CAPTURES):
        raise SystemExit(f"{CAPTURES} lacks {', '.join(lacking)}")
    every = {path_of(*case): case for case in cases()}
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder, "recorded.duckdb")
        recorded.build(CAPTURES, db)
        with access.open_reader(db) as reader:
            context = recorded.context(reader)
            for path, case in every.items():
                if not chosen or case[0] in chosen:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(written(answered(context, *case)))
                    print(f"{path.relative_to(ANSWERS)}: {path.stat().st_size:,} bytes")
    for path in sorted(ANSWERS.rglob("*.json")):
        if path not in every:
            path.unlink()
            print(f"{path.relative_to(ANSWERS)}: removed")


if __name__ == "__main__":
    main(sys.argv[1:])
