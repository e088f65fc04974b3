"""Commands and files of docs/operations.md, so that what is tried is what the page says.

A block in a fence of `sh` is run as it stands, by the machine's shell. A block of `toml` or `ini` whose
first line is a comment with a path is a file. Everything belongs to the heading above it.
"""

import re

from machine import ROOT, run

PAGE = ROOT / "docs" / "operations.md"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)


class Book:
    """The page, and which of its parts were tried."""

    def __init__(self):
        self.parts = dict(parts(PAGE.read_text()))
        self.tried = set()

    def blocks(self, heading):
        if heading not in self.parts:
            raise KeyError(f"{PAGE.name} has no part `{heading}`; it has {', '.join(self.parts)}")
        self.tried.add(heading)
        return self.parts[heading]

    def do(self, heading, limit=120, **other):
        """Writes the files and runs the commands of a part, in order; all that they printed."""
        said = []
        for kind, text in self.blocks(heading):
            for word, value in other.items():
                text = text.replace(word, value)
            path = re.match(r"# (/\S+)", text)
            if kind == "sh":
                said.append(run(f"set -e\n{text}", limit))
            elif path:
                run(f"mkdir -p $(dirname {path[1]})\ncat >{path[1]} <<'PALISADE_END'\n{text}PALISADE_END")
        return "".join(said)

    def left(self):
        """Headings with commands that no step has run."""
        return [name for name, blocks in self.parts.items()
                if name not in self.tried and any(kind == "sh" for kind, _ in blocks)]


def parts(text):
    pieces = re.split(r"^#{2,3} (.*)$", text, flags=re.M)
    for heading, body in zip(pieces[1::2], pieces[2::2]):
        yield heading.strip(), FENCE.findall(body)
