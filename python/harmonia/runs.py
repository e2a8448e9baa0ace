"""Running scenarios and sweeps."""
import json
import os
import re
import tempfile
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .program import HarmoniaError, call
from .results import Result, Table, load, read_table

Settings = Mapping[str, Any]


def yaml_text(value: Any) -> str:
    """A value as --set and sweep files take it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _flow(value: Any) -> str:
    """YAML in flow style. Text stays plain where it can, since a quoted value is text and nothing else to the program."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_./+@%-][A-Za-z0-9_./+@% -]*", value) and value == value.strip():
        return value
    return json.dumps(value)


def _set(settings: Optional[Settings]) -> List[str]:
    words: List[str] = []
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={yaml_text(value)}"]
    return words


def run(scenario: str = "default", settings: Optional[Settings] = None, output: Optional[str] = None) -> Result:
    """Runs one scenario, a built-in name or a file, with `settings` laid over it. `output`: keeps the result folder there.

    Raises HarmoniaError with the program's own message when it refuses or fails.
    """
    with tempfile.TemporaryDirectory(prefix="harmonia-run-") as scratch:
        folder = output or os.path.join(scratch, "result")
        call(["run", scenario, *_set(settings), "-o", folder])
        result = load(folder)
    assert isinstance(result, Result)
    return result


def sweep(scenario: str = "default", points: Optional[Sequence[Settings]] = None, grid: Optional[Mapping[str, Sequence[Any]]] = None,
          settings: Optional[Settings] = None, output: Optional[str] = None, jobs: int = 0, options: Sequence[str] = ()) -> Table:
    """Runs every combination of `points` and `grid`, each in a process of its own. Rows of points that failed have status `failed`.

    `options` are those of `harmonia sweep`, as in ["--engine", "mpi", "--workers", "8"]. With `output` the folder stays, and an unfinished or
    finished sweep of the same points in it is gone on with.
    """
    document: Dict[str, Any] = {"name": "python", "scenario": scenario}
    if settings:
        document["set"] = dict(settings)
    if points is not None:
        document["points"] = [dict(p) for p in points]
    if grid:
        document["grid"] = {k: list(v) for k, v in grid.items()}
    with tempfile.TemporaryDirectory(prefix="harmonia-sweep-") as scratch:
        file = os.path.join(scratch, "sweep.yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write(_flow(document))
        folder = output or os.path.join(scratch, "result")
        begun = os.path.exists(folder) or os.path.exists(folder + ".partial")
        words = ["sweep", file, "-o", folder] + (["-j", str(jobs)] if jobs else []) + (["--resume"] if output and begun else [])
        # Points that failed are rows, and no error.
        try:
            call([*words, *options])
        except HarmoniaError as error:
            if error.status != 1 or "points failed; sweep.csv names each" not in str(error):
                raise
        return read_table(os.path.join(folder, "sweep.csv"))


def run_points(scenario: str, points: Sequence[Settings], settings: Optional[Settings] = None, jobs: int = 0) -> List[Dict[str, Any]]:
    """One row for each point, in order."""
    return list(sweep(scenario, points=points, settings=settings, jobs=jobs))
