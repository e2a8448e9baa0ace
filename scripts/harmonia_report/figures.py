"""Titles, units and cells of the figures of a result, from the program's own description of them (figures.json)."""
import json
import os

from .text import percent, si, words

with open(os.path.join(os.path.dirname(__file__), "figures.json"), encoding="utf-8") as _file:
    _described = json.load(_file)
RESULT = {f["path"]: f for f in _described["result"]}
COLUMNS = {f["column"]: f for f in _described["columns"]}
PERCENTILES = ("mean", "min", "p50", "p95", "p99", "max")


def title(path):
    return RESULT[path]["title"]


def keys(path):
    """The keys directly inside an object or a list: keys("bandwidth.bytes_by_class.")."""
    return [p[len(path):] for p in RESULT if p.startswith(path) and "." not in p[len(path):]]


def columns_of(begin, end):
    """{name: column} of the columns that state the same figure of each item: columns_of("operations[", "].simulated_s")."""
    found = {}
    for column, figure in COLUMNS.items():
        path = figure["path"]
        if path.startswith(begin) and path.endswith(end) and len(path) > len(begin) + len(end):
            found[path[len(begin):len(path) - len(end)]] = column
    return found


def shown(figure, value, digits=3):
    """A value as its unit is read: SI prefixes, percent, decimals; texts with spaces for underscores."""
    unit = figure["unit"]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return words(value)
    if unit == "share":
        return percent(value)
    if unit in ("s", "B", "B/s", "J"):
        return si(value, unit, digits)
    if unit in ("MACs", "token/s"):
        return si(value, "", digits)
    if figure.get("decimals", -1) >= 0:
        return f"{value:.{figure['decimals']}f}"
    if unit == "mm2":
        return f"{value:.3f}"
    return f"{value:.2f}" if isinstance(value, float) else value


def cell(path, value, digits=3):
    return shown(RESULT[path], value, digits)


def head(path, names):
    return [title(path + name) for name in names]


def cells(path, names, item, digits=3):
    return [cell(path + name, item[name], digits) for name in names]


def column_title(column):
    return COLUMNS[column]["title"].replace("mm2", "mm²")


def column_cell(column, row):
    """Of a row of sweep.csv, where everything is text, or of a variant's figures."""
    value = row[column]
    if COLUMNS[column]["unit"] == "" and isinstance(value, str):
        return value
    return shown(COLUMNS[column], float(value))
