"""The program `harmonia`: where it is, and calling it."""
import os
import pathlib
import shutil
import subprocess
from typing import Optional, Sequence


class HarmoniaError(Exception):
    """The program refused its input (status 2), or failed (status 1); the text is what it said."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def program() -> str:
    """The path of the program: $HARMONIA, PREFIX/bin of an installed package, build/ of the source tree, PATH."""
    named = os.environ.get("HARMONIA")
    if named:
        return named
    here = pathlib.Path(__file__).resolve()
    for parent in here.parents:
        for place in (parent / "bin" / "harmonia", parent / "build" / "harmonia"):
            if place.is_file() and os.access(place, os.X_OK):
                return str(place)
    found = shutil.which("harmonia")
    if found is None:
        raise HarmoniaError(1, "the program harmonia was not found: neither $HARMONIA nor PATH leads to it")
    return found


def call(words: Sequence[str], accepted: Sequence[int] = (0,), cwd: Optional[str] = None) -> str:
    """Runs `harmonia WORDS...` and returns what it printed. Raises HarmoniaError on any other status than those accepted."""
    done = subprocess.run([program(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode not in accepted:
        raise HarmoniaError(done.returncode, done.stderr.strip() or f"harmonia ended with status {done.returncode}")
    return done.stdout
