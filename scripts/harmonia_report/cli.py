"""From a result folder to its page."""
import json
import os
import sys

from .compare import compare_page
from .coverage import coverage_page
from .dram import dram_page
from .run import run_page
from .study import study_page
from .sweep import sweep_page

KINDS = (("compare.json", compare_page), ("study.json", study_page), ("sweep.json", sweep_page), ("result.json", run_page))
USAGE = "usage: scripts/report [--static] DIR [FILE.html]   (default: DIR/report.html)"


class Unreadable(Exception):
    """A file that is no JSON; the text begins with the place."""


def read_document(file):
    """The map that a JSON file holds. Numbers that JSON does not have (NaN, Infinity) and keys that are there twice are refused."""
    def refuse(word):
        raise Unreadable(f"{file}: the number {word} is not JSON")

    def once(pairs):
        members = {}
        for key, value in pairs:
            if key in members:
                raise Unreadable(f"{file}: the key {json.dumps(key)} is there twice")
            members[key] = value
        return members

    try:
        with open(file, "rb") as f:
            text = f.read().decode("utf-8")
        document = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise Unreadable(f"{file}: byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise Unreadable(f"{file}: is nested too deeply") from error
    if not isinstance(document, dict):
        raise Unreadable(f"{file}:1:1: holds no map")
    return document


def page_of(folder):
    """The page of a result folder, or None when it holds no result. Throws Unreadable."""
    for name, build in KINDS:
        file = os.path.join(folder, name)
        if not os.path.exists(file):
            continue
        try:
            document = read_document(file)
            if name == "result.json":
                build = {"dram": dram_page, "coverage": coverage_page}.get(document.get("kind"), build)
            return build(folder, document)
        except Unreadable as error:
            raise Unreadable(f"{error}, expected a result of harmonia") from error
        except KeyError as error:
            raise Unreadable(f"{file}: the key {error} is missing, expected a result of harmonia") from error
        except (AttributeError, IndexError, ValueError, TypeError, ArithmeticError, StopIteration) as error:
            raise Unreadable(f"{file}: a value is of another kind than a result of harmonia has ({type(error).__name__}: {error})") from error
    return None


def main(arguments):
    """Exit status: 0 done, 1 not writable, 2 no result folder."""
    arguments = [a for a in arguments if a != "--"]
    static = "--static" in arguments
    arguments = [a for a in arguments if a != "--static"]
    if len(arguments) not in (1, 2):
        print(USAGE, file=sys.stderr)
        return 2
    folder = arguments[0]
    output = arguments[1] if len(arguments) == 2 else os.path.join(folder, "report.html")
    try:
        page = page_of(folder)
    except Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    if page is None:
        print(f"{folder}: holds no result.json, compare.json, sweep.json or study.json, expected a result folder of harmonia", file=sys.stderr)
        return 2
    page.static = static
    try:
        size = page.write(output)
    except OSError as error:
        print(f"{output}: cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    if output not in ("-", "/dev/stdout"):  # which then hold the page and nothing else
        print(f"written to {output} ({page.plots} plots, {size / 1e6:.2f} MB)")
    return 0
