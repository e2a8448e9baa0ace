"""Running scenarios and sweeps."""
import io
import json
import os
import re
import subprocess
import tempfile
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .program import HarmoniaError, call
from .results import Result, Table, load, read_table, table_of

Settings = Mapping[str, Any]
WAIT_S = 1.0  # between two looks at a queue


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
    document = _document(scenario, points, grid, settings)
    with tempfile.TemporaryDirectory(prefix="harmonia-sweep-") as scratch:
        file = os.path.join(scratch, "sweep.yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write(document)
        folder = output or os.path.join(scratch, "result")
        words = ["-j", str(jobs)] if jobs else []
        return sweep_file(file, folder, [*words, *options], kept=output is not None)


def bounds(scenario: str = "default", points: Optional[Sequence[Settings]] = None, grid: Optional[Mapping[str, Sequence[Any]]] = None,
           settings: Optional[Settings] = None) -> Table:
    """What each point of such a sweep can at best be, by formulas, in milliseconds a point: `harmonia sweep FILE --bounds` (docs/explore.md)."""
    with tempfile.TemporaryDirectory(prefix="harmonia-sweep-") as scratch:
        file = os.path.join(scratch, "sweep.yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write(_document(scenario, points, grid, settings))
        return bounds_file(file)


def bounds_file(file: str, options: Sequence[str] = ()) -> Table:
    """The same of a sweep file."""
    return table_of(io.StringIO(call(["sweep", file, "--bounds", *options])))


def _document(scenario: str, points: Optional[Sequence[Settings]], grid: Optional[Mapping[str, Sequence[Any]]],
              settings: Optional[Settings]) -> str:
    document: Dict[str, Any] = {"name": "python", "scenario": scenario}
    if settings:
        document["set"] = dict(settings)
    if points is not None:
        document["points"] = [dict(p) for p in points]
    if grid:
        document["grid"] = {k: list(v) for k, v in grid.items()}
    return _flow(document)


def sweep_file(file: str, folder: str, options: Sequence[str] = (), kept: bool = True) -> Table:
    """Runs a sweep file into `folder`, or goes on with what is there (`kept`), on whatever engine the options name, and waits for its end."""
    begun = os.path.exists(folder) or os.path.exists(folder + ".partial")
    words = ["sweep", file, "-o", folder] + (["--resume"] if kept and begun else [])
    # Points that failed are rows, and no error.
    try:
        outcome = json.loads(call([*words, "--json", *options]))
    except HarmoniaError as error:
        if error.status != 1 or "points failed; sweep.csv names each" not in str(error):
            raise
    else:
        if "job_array" in outcome:
            _wait_for_slurm(folder, [outcome["job_array"], outcome["job_merge"]])
    return read_table(os.path.join(folder, "sweep.csv"))


def _wait_for_slurm(folder: str, jobs: Sequence[str]) -> None:
    """Until the job that merges has ended. Jobs that the queue lost, or that were cancelled, are said."""
    def queued() -> bool:
        words = ["squeue", "--noheader", "--jobs", ",".join(jobs), "--format", "%T %r"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.strip() and "DependencyNeverSatisfied" not in line]
        return bool(lines)

    while not os.path.exists(os.path.join(folder, "sweep.csv")) or os.path.exists(folder + ".partial"):
        time.sleep(WAIT_S)
        if not queued() and not os.path.exists(os.path.join(folder, "sweep.csv")):
            raise HarmoniaError(1, f"jobs {' and '.join(jobs)} ended and {folder} was not merged; `harmonia sweep status {folder}` says what is missing")


def run_points(scenario: str, points: Sequence[Settings], settings: Optional[Settings] = None, jobs: int = 0) -> List[Dict[str, Any]]:
    """One row for each point, in order."""
    return list(sweep(scenario, points=points, settings=settings, jobs=jobs))
