#!/usr/bin/env python3
"""docs/blocks.md names every stream of the machine, and none that is not there.

    tests/tree/blocks_doc.py [ROOT]
"""
import pathlib
import re
import sys


def streams(root):
    """Names of the connections between blocks; those to memory and of commands are of another kind."""
    text = (root / "hw/accelerator/accelerator.cpp").read_text()
    names = set(re.findall(r'\bjoin\([^;]*?"(\w+_to_\w+)"\)', text))
    return {n for n in names if not n.endswith("_to_memory") and not n.startswith("sequencer_to_")}


def named(root):
    text = (root / "docs/blocks.md").read_text()
    table = text.split("## Streams of the machine")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.M))


def files(root):
    return re.findall(r"`((?:hw|tlm)/[\w/]+\.h)`", (root / "docs/blocks.md").read_text())


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    there, said = streams(root), named(root)
    problems = [f"docs/blocks.md does not name the stream {n}" for n in sorted(there - said)]
    problems += [f"docs/blocks.md names the stream {n}, which hw/accelerator does not connect" for n in sorted(said - there)]
    problems += [f"docs/blocks.md names {f}, which does not exist" for f in files(root) if not (root / f).is_file()]
    if len(there) < 10:
        problems.append(f"found {len(there)} streams in hw/accelerator/accelerator.cpp, expected more")
    for p in problems:
        print(p)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
