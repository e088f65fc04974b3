#!/usr/bin/env python3
"""A corpus as one file, since a thousand inputs of a hundred bytes each are no pleasure in a checkout.

    pack.py pack FOLDER FILE       pack.py unpack FILE FOLDER

The file is each input's length (4 bytes, little-endian) and its bytes, sorted; src/pack.rs reads it.
"""

import hashlib
import sys
from pathlib import Path


def pack(folder, file):
    inputs = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda one: (len(one), one))
    file.write_bytes(b"".join(len(one).to_bytes(4, "little") + one for one in inputs))
    print(f"{file.name}: {len(inputs)} inputs, {file.stat().st_size} bytes")


def unpack(file, folder):
    rest = file.read_bytes() if file.exists() else b""
    while rest:
        length = int.from_bytes(rest[:4], "little")
        one, rest = rest[4 : 4 + length], rest[4 + length :]
        (folder / hashlib.sha1(one).hexdigest()).write_bytes(one)


if __name__ == "__main__":
    {"pack": pack, "unpack": unpack}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
