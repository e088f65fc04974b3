#!/usr/bin/env python3
"""Rows of docs/reliability.md from the logs of scripts/models: rows.py SCRATCH"""

import json
import re
import sys
from pathlib import Path

RECORD = Path(__file__).resolve().parent.parent / "record/reliability/models.json"
PARTS = {
    "stamps": "The table that workers share, in every order of two of them: a key is found with what "
    "was written for it or not at all, no change is lost or lands in another's place",
    "pinholes": "Connections of the inside, in every order of two workers: a close is never lost behind "
    "a renewal, both directions count, one opened twice closes as one",
    "rings": "The rings of AF_XDP, in every order of both sides: in order, nothing lost or doubled, no "
    "slot touched by both, no packet left behind a sleeping kernel",
    "publication": "Reloads while workers take the ruleset, in every order: never an older one after a "
    "newer, and no worker ever frees one",
}


def loom(log):
    times = dict.fromkeys(PARTS, 0)
    held = dict.fromkeys(PARTS, True)
    part = None
    for line in log.splitlines():
        if named := re.search(r"(PASS|FAIL|SIGABRT) .*models::models (\w+?)_", line):
            part = named[2]
            held[part] &= named[1] == "PASS"
        elif (runs := re.match(r"\s*(\d+) runs$", line)) and part:
            times[part] += int(runs[1])
    for part, tried in PARTS.items():
        yield tried, f"{times[part]:,} orders", held[part] and times[part] > 0


def nextest(log, tried, times):
    summary = re.search(r"Summary .*?(\d+) tests? run: (\d+) passed", log)
    held = bool(summary) and summary[1] == summary[2] and summary[1] != "0"
    yield tried, times.format(summary[1] if summary else 0), held


def main():
    scratch = Path(sys.argv[1])
    read = lambda name: (scratch / name).read_text(errors="replace")
    found = list(loom(read("loom")))
    tried = (
        "Frame ownership: random operations on a pair of sockets over a kernel that is slow, out of "
        "order and sometimes wrong; after each, every frame is in one place and counted there"
    )
    found += nextest(read("sockets"), tried, "20,000 lives of up to 400 operations")
    if (scratch / "miri").exists():
        tried = "The filter's small unit tests under Miri: no undefined behaviour"
        found += nextest(read("miri"), tried, "{} tests")
    rows = [
        {
            "area": "Models",
            "tried": tried,
            "times": times,
            "result": "held" if held else "FAILED",
            "held": held,
            "command": "scripts/models",
        }
        for tried, times, held in found
    ]
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
