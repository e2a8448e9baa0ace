#!/usr/bin/env python3
"""The tests mirror the rooms: each room of the tree has a folder of tests with its name, and each other folder of tests is a purpose named here.

    tests/tree/mirror.py [ROOT]
"""
import pathlib
import sys

# hw/program and testbench/program, hw/dram and testbench/dram share the folder of their name.
TESTED_IN = {"cosim": "rtl"}  # the harness around the RTL is tested with the RTL
PURPOSES = {
    "attack": "mutated files and random settings",
    "breaks": "one wrong fact per room, found by the room's tests",
    "devices": "models that several devices share",
    "docs": "the documentation as a site, its commands, its pages in a browser",
    "extending": "the recipes of docs/extending.md",
    "fuzz": "targets of libFuzzer",
    "install": "the installed package",
    "keys": "every key has an effect",
    "mutation": "small faults in RTL and C++, found by the tests",
    "python": "the Python package and the studies written with it",
    "support": "what test programs share",
    "tree": "include lines, folders and scripts",
    "truth": "figures from outside",
}


def rooms(root):
    names = {"config", "tlm"}
    for level in ("hw", "testbench"):
        names |= {p.name for p in (root / level).iterdir() if p.is_dir() and any(p.rglob("*.cpp"))}
    return names


def problems(root):
    tests = {p.name for p in (root / "tests").iterdir() if p.is_dir() and any(p.iterdir()) and p.name != "__pycache__"}
    for room in sorted(rooms(root)):
        folder = TESTED_IN.get(room, room)
        lists = root / "tests" / folder / "CMakeLists.txt"
        if not lists.is_file() or "harmonia_test(" not in lists.read_text():
            yield f"{room}: no test program in tests/{folder}, expected one"
    for folder in sorted(tests - rooms(root) - set(TESTED_IN.values()) - set(PURPOSES)):
        yield f"tests/{folder}: is named after no room and no purpose, expected one of them"
    for folder in sorted(set(PURPOSES) - tests):
        yield f"tests/{folder}: is listed as a purpose and does not exist"


if __name__ == "__main__":
    top = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    found = list(problems(top.resolve()))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
