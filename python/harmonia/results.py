"""Results of the program, read back: documents of single runs, tables of many points."""
import csv
import json
import os
from typing import Any, Dict, Iterable, Iterator, List, Union

from .program import HarmoniaError

Value = Union[str, float]


class Result(Dict[str, Any]):
    """result.json of a run, as docs/result-schema.md describes it."""

    @property
    def tokens_per_s(self) -> float:
        """Tokens (output tokens, of a prefill prompt tokens) per simulated second."""
        return float((self["output_tokens"] or self["prompt_tokens"]) / self["simulated_seconds"])


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text


class Table:
    """Rows of a sweep (sweep.csv) or a comparison (compare.csv): a dictionary each; numbers are floats."""

    def __init__(self, rows: List[Dict[str, Value]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Dict[str, Value]]:
        return iter(self.rows)

    def column(self, name: str) -> List[Value]:
        """One column, in the order of the rows. Raises KeyError when there is none of this name."""
        return [row[name] for row in self.rows]

    def failed(self) -> "Table":
        """The rows of points that failed; each has its `reason`."""
        return Table([row for row in self.rows if row.get("status", "ok") != "ok"])

    def frame(self) -> Any:
        """A pandas.DataFrame. Raises ImportError without pandas."""
        import pandas
        return pandas.DataFrame(self.rows)


def table_of(lines: Iterable[str]) -> Table:
    return Table([{k: _value(v) for k, v in row.items()} for row in csv.DictReader(lines)])


def read_table(file: str) -> Table:
    with open(file, newline="", encoding="utf-8") as f:
        return table_of(f)


def load(folder: str) -> Union[Result, Table]:
    """A result folder of `harmonia run` (a Result), of `sweep` or `compare` (a Table)."""
    for name in ("sweep.csv", "compare.csv"):
        if os.path.exists(os.path.join(folder, name)):
            return read_table(os.path.join(folder, name))
    file = os.path.join(folder, "result.json")
    if not os.path.exists(file):
        raise HarmoniaError(2, f"{folder}: holds no result.json, sweep.csv or compare.csv, expected a result folder of harmonia")
    with open(file, encoding="utf-8") as f:
        return Result(json.load(f))
