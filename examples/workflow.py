"""A program that reports its own progress: index the files below a directory, with workers side by side.

python examples/workflow.py [--journal DIR] [DIRECTORY]
"""

from __future__ import annotations

import argparse
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_exporter.client import Milestone, Workflow


def main() -> None:
    """Hash every file of a directory, a step a subdirectory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    parts = [arguments.directory, *(p for p in sorted(arguments.directory.iterdir()) if p.is_dir())]
    plan = {"index": [part.name for part in parts], "report": ["summary"]}
    milestones = [Milestone("indexed", phase="index")]
    with Workflow("photo-index", plan, milestones=milestones, journal=arguments.journal) as workflow:

        def index(part: Path) -> int:
            with workflow.step("index", part.name) as progress:
                files = [file for file in part.iterdir() if file.is_file()]
                for number, file in enumerate(files, 1):
                    hashlib.sha256(file.read_bytes()).hexdigest()
                    progress(done=number, total=len(files))
                return len(files)

        with ThreadPoolExecutor(2) as workers:
            counts = list(workers.map(index, parts))
        with workflow.step("report", "summary"):
            print(f"{sum(counts)} files in {len(parts)} directories")


if __name__ == "__main__":
    main()
