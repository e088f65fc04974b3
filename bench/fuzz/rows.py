#!/usr/bin/env python3
"""Rows of docs/reliability.md from libFuzzer's logs: rows.py SCRATCH SECONDS TARGET..."""

import json
import re
import sys
from pathlib import Path

RECORD = Path(__file__).resolve().parent.parent / "record/reliability/fuzz.json"
TRIED = {
    "frames": "Bursts of any bytes and of sound packets through one and two filters, with time and "
    "reloads: no panic, both identities, nothing forwarded that the policy denies by a second reader",
    "policy": "Any text as policy.toml: no panic, every problem with its line, failsafe never cut off",
    "geo": "Any bytes as MMDB, CSV and embedded table: taken whole or refused",
    "config": "Any text as gateway.toml: no panic, every problem with its line, values in bounds",
    "control": "Any bytes on the control socket's HTTP server: no panic, and it still answers status",
    "ask": "Any lines as questions of explain --batch: an answer by the workers' tables, or an error",
}


def row(scratch, target):
    log = (scratch / f"{target}.log").read_text(errors="replace")
    executions = int(re.findall(r"stat::number_of_executed_units:\s*(\d+)", log)[-1])
    edges = int(re.findall(r"cov: (\d+)", log)[-1])
    done = re.findall(r"Done \d+ runs in (\d+) second", log)
    spent = f" in {int(done[-1])} s" if done else ""
    crashes = len(re.findall(r"Test unit written to", log))
    found = "no crash" if crashes == 0 else f"{crashes} crash(es)"
    folder = RECORD.parents[2] / "fuzz/crashers" / target
    if kept := len(list(folder.iterdir())) if folder.exists() else 0:
        found += f"; {kept} kept from before, replayed in every test run"
    return {
        "area": "Fuzz",
        "tried": TRIED[target],
        "times": f"{executions:,} executions{spent}",
        "result": f"{found}; {edges:,} edges covered",
        "held": crashes == 0,
        "command": f"scripts/fuzz {target}",
    }


def main():
    scratch, targets = Path(sys.argv[1]), sys.argv[3:]
    rows = json.loads(RECORD.read_text()) if RECORD.exists() else []
    for target in targets:
        new = row(scratch, target)
        rows = [old for old in rows if old["command"] != new["command"]] + [new]
        print(f"{target}: {new['times']}, {new['result']}")
    order = [f"scripts/fuzz {target}" for target in TRIED]
    rows.sort(key=lambda one: order.index(one["command"]))
    RECORD.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
