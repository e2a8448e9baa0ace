"""From a result folder to its page."""
import json
import os
import sys

from .compare import compare_page
from .dram import dram_page
from .run import run_page
from .sweep import sweep_page

KINDS = (("compare.json", compare_page), ("sweep.json", sweep_page), ("result.json", run_page))
USAGE = "usage: scripts/report DIR [FILE.html]   (default: DIR/report.html)"


def main(arguments):
    """Exit status: 0 done, 1 not writable, 2 no result folder."""
    arguments = [a for a in arguments if a != "--"]
    if len(arguments) not in (1, 2):
        print(USAGE, file=sys.stderr)
        return 2
    folder = arguments[0]
    output = arguments[1] if len(arguments) == 2 else os.path.join(folder, "report.html")
    for name, build in KINDS:
        file = os.path.join(folder, name)
        if not os.path.exists(file):
            continue
        try:
            with open(file, encoding="utf-8") as f:
                document = json.load(f)
            if name == "result.json" and document.get("kind") == "dram":
                build = dram_page
            page = build(folder, document)
        except (AttributeError, IndexError, ValueError, KeyError, TypeError, StopIteration) as error:
            print(f"{file}: cannot be understood ({type(error).__name__}: {error}), expected a result of harmonia", file=sys.stderr)
            return 2
        try:
            size = page.write(output)
        except OSError as error:
            print(f"{output}: cannot be written: {error.strerror}", file=sys.stderr)
            return 1
        print(f"written to {output} ({page.plots} plots, {size / 1e6:.2f} MB)")
        return 0
    print(f"{folder}: holds no result.json, compare.json or sweep.json, expected a result folder of harmonia", file=sys.stderr)
    return 2
