"""Steps with their results and figures: a table on the terminal, a record in bench/record."""

import json
import subprocess
import time
from datetime import datetime, timezone

from machine import ROOT, Refused


class Steps:
    """Runs steps in turn; one that fails is told, and the next ones go on."""

    def __init__(self):
        self.rows = []

    def take(self, name, work):
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        try:
            figures, failed = work() or {}, None
        except (Refused, AssertionError, KeyError, subprocess.TimeoutExpired) as error:
            figures, failed = {}, f"{type(error).__name__}: {error}"
            print(failed, flush=True)
        seconds = round(time.monotonic() - begin, 1)
        result = "FAILED" if failed else "ok"
        self.rows.append({"step": name, "result": result, "seconds": seconds, "figures": figures})
        if failed:
            self.rows[-1]["why"] = failed
        print(f"   {result} in {seconds} s  {shown(figures)}", flush=True)

    def failed(self):
        return [row["step"] for row in self.rows if row["result"] != "ok"]

    def table(self):
        wide = max(len(row["step"]) for row in self.rows)
        for row in self.rows:
            seconds = f"{row['seconds']:6.1f} s"
            print(f"{row['result']:7} {row['step']:{wide}} {seconds}  {shown(row['figures'])}")

    def record(self, machine):
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True
        ).stdout.strip()
        record = {
            "what": "the package on an appliance, by the steps of docs/operations.md",
            "command": "scripts/appliance",
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "commit": commit,
            "machine": machine,
            "steps": self.rows,
        }
        path = ROOT / "bench" / "record" / "appliance.json"
        path.write_text(json.dumps(record, indent=2) + "\n")
        print(f"recorded in {path.relative_to(ROOT)}")


def shown(figures):
    return ", ".join(f"{name} {value}" for name, value in figures.items())
