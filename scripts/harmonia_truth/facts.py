"""Figures that others measured or published, from workloads/published/outside.json.

A group names its kind (how ours is computed: measure.py), unit, source, the inputs that were fitted to it, and the tolerance in percent of the
measured figure. A row gives the inputs of one figure and what was measured; it may have a tolerance or a source of its own. Rows of DRAM
channels have the figures of several simulators instead; the middle one is the figure that ours is held against, and the tolerance counts from the
lowest and the highest. A miss says which rows are known to lie outside their tolerance, and why.
"""
import csv
import json
import os
import statistics
from collections import namedtuple

# name: the row within its group. low, high: the allowed error in percent. long: not part of a quick run. reason: why a miss is known, or None.
Row = namedtuple("Row", "group name inputs measured low high long reason")


class Facts:
    def __init__(self, groups, rows):
        self.groups, self.rows = groups, rows


def load(path, data=None):
    """Every row; those that need the outside data only when `data` names its folder, and then also what it has beyond the committed rows."""
    with open(path, encoding="utf-8") as f:
        text = json.load(f)
    groups, rows = {}, []
    for group in text["groups"]:
        groups[group["name"]] = group
        for inputs in group["rows"] + (beyond(group, data) if data else []):
            if not group.get("needs_data") or data:
                rows.append(make_row(group, inputs))
    names = [(r.group, r.name) for r in rows]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError(f"{path}: {sorted(twice)[0]} stands there twice")
    return Facts(groups, rows)


def make_row(group, inputs):
    measured, low, high = figure(group, inputs)
    miss = next((m["reason"] for m in group.get("misses", []) if matches(m["where"], inputs)), None)
    return Row(group["name"], row_name(inputs), inputs, measured, low, high, bool(inputs.get("long", group.get("long"))), miss)


def figure(group, inputs):
    """The figure that ours is held against, and the allowed error below and above it in percent."""
    tolerance = inputs.get("tolerance", group["tolerance"])
    if "peers" not in inputs:
        return inputs["measured"], -tolerance, tolerance
    peers = inputs["peers"].values()
    middle = statistics.median(peers)
    low = 100 * (min(peers) * (1 - tolerance["below_lowest"] / 100) / middle - 1)
    high = 100 * (max(peers) * (1 + tolerance["above_highest"] / 100) / middle - 1)
    return middle, low, high


def matches(where, inputs):
    """`where` gives values, or lists of values, of inputs."""
    return all(inputs.get(k) in (v if isinstance(v, list) else [v]) for k, v in where.items())


NOT_IN_A_NAME = {"measured", "peers", "tolerance", "long", "source", "requests", "gap", "rows", "cols", "other_file", "note"}


def row_name(inputs):
    return ", ".join(v if k in ("config", "traffic", "weights", "model", "layer", "format", "figure", "component", "accelerator") else
                     os.path.basename(v) if k == "file" else f"{k} {v}" for k, v in inputs.items() if k not in NOT_IN_A_NAME)


def scaling(times, at):
    """Of times by their key, whose part number `at` counts devices: percent of what so many devices would give if each added as much as the first."""
    one = lambda key: key[:at] + ("1",) + key[at + 1:]
    return {k: round(100 * times[one(k)] / times[k] / int(k[at]), 2) for k in times if k[at] != "1" and one(k) in times}


def beyond(group, data):
    """Rows of the published file that the committed ones leave out; a committed one that the file contradicts is an error."""
    wanted = group.get("data")
    if not wanted:
        return []
    with open(os.path.join(data, wanted["file"]), newline="", encoding="utf-8") as f:
        published = [r for r in csv.DictReader(f) if matches(wanted.get("where", {}), r)]
    found = {}
    for r in published:
        found[tuple(r[c] for c in wanted["columns"].values())] = float(r[wanted["figure"]])
    if "scaling_over" in wanted:
        found = scaling(found, list(wanted["columns"]).index(wanted["scaling_over"]))
    key = lambda inputs: tuple(str(inputs[k]) for k in wanted["columns"])
    committed = set()
    for inputs in group["rows"]:
        if inputs.get("other_file"):
            continue
        committed.add(key(inputs))
        if found.get(key(inputs)) != inputs["measured"]:
            raise ValueError(f"{group['name']}: {row_name(inputs)} is committed as {inputs['measured']}, {wanted['file']} has {found.get(key(inputs))}")
    more = []
    if "rest" in wanted:
        numbers = lambda k: {k: int(v) if v.isdigit() else v for k, v in zip(wanted["columns"], k)}
        more = [dict(wanted["rest"], **numbers(k), measured=v, long=True) for k, v in found.items() if k not in committed]
    return more
