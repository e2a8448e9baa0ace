"""`harmonia require`: the least bandwidth, lanes, decoder rate or buffer with which a scenario reaches a target.

Models: each free key alone, and all of them together; every answer is a simulated point. Values are the scenario's, doubled and halved; up until
  one reaches the target, or down while they do, and without those that bounds exclude; then it is bisected to the least whole number that
  reaches it and that the program takes. Unless told otherwise a sample of layers and steps is simulated.
Checks: that the figure never got worse as a key grew; where it did, the answer is the least of the values tried, and that is said.
Does not model: what a resource costs. "Cheapest together" is the smallest product of the keys' factors over the scenario's values, found by
  lowering one key after the other, beginning with each of them once.
"""
import argparse
import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .program import HarmoniaError
from .runs import bounds, run, run_points

LARGEST_FACTOR = 64
TOLERANCE = 0.005  # by which a figure may get worse from one value to the next without being called not monotonic


class Target(NamedTuple):
    figure: str
    value: float
    at_least: bool

    def met_by(self, found: float) -> bool:
        return found >= self.value if self.at_least else found <= self.value

    def worse(self, a: float, b: float) -> bool:
        """Whether b is worse than a, by more than the tolerance."""
        return b < a * (1 - TOLERANCE) if self.at_least else b > a * (1 + TOLERANCE)

    def __str__(self) -> str:
        return f"{self.figure} {'>=' if self.at_least else '<='} {self.value:g}"


def is_gain(figure: str) -> bool:
    return figure in ("tokens_per_s", "utilisation")


def target_of(text: str) -> Target:
    figure, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not equals or not figure or not 0 < number < float("inf"):
        raise HarmoniaError(2, f"--target {text}: expected FIGURE=NUMBER with a positive number, such as tokens_per_s=20")
    return Target(figure, number, is_gain(figure))


class Search:
    """Simulates points and remembers them. What bounds exclude is not simulated."""

    def __init__(self, scenario: str, settings: Dict[str, str], target: Target, jobs: int) -> None:
        self.scenario, self.settings, self.target, self.jobs = scenario, settings, target, jobs
        self.width = jobs or len(os.sched_getaffinity(0))  # values that are tried at a time
        self.known: Dict[Tuple[Tuple[str, float], ...], Optional[float]] = {}
        self.bounds: Dict[Tuple[Tuple[str, float], ...], Optional[bool]] = {}
        self.reasons: List[str] = []

    def out_of_reach(self, points: Sequence[Dict[str, float]]) -> List[bool]:
        """Whether no run of the point can reach the target, by formulas (`harmonia sweep --bounds`). Points that the program refuses are
        known to be refused then."""
        keys = [tuple(sorted(p.items())) for p in points]
        new = [dict(k) for k in dict.fromkeys(keys) if k not in self.bounds]
        if new:
            for point, row in zip(new, bounds(self.scenario, new, settings=self.settings)):
                key = tuple(sorted(point.items()))
                figure = row.get(self.target.figure)
                self.bounds[key] = isinstance(figure, float) and not self.target.met_by(figure)
                if row["status"] != "ok" and key not in self.known:
                    self.known[key] = None
                    self.reasons.append(str(row["reason"]))
        return [bool(self.bounds[k]) for k in keys]

    def figures(self, points: Sequence[Dict[str, float]]) -> List[Optional[float]]:
        """The target's figure of each point; None where the program refuses it."""
        keys = [tuple(sorted(p.items())) for p in points]
        new = [dict(k) for k in dict.fromkeys(keys) if k not in self.known]
        if new:
            rows = run_points(self.scenario, new, self.settings, jobs=self.jobs)
            for point, row in zip(new, rows):
                figure: Optional[float] = None
                if row["status"] == "ok":
                    if self.target.figure not in row or not isinstance(row[self.target.figure], float):
                        known = ", ".join(k for k, v in row.items() if isinstance(v, float) and k != "point" and k not in point)
                        raise HarmoniaError(2, f"--target {self.target.figure}: is no figure of this scenario, expected one of {known}")
                    figure = float(row[self.target.figure])
                else:
                    self.reasons.append(str(row["reason"]))
                self.known[tuple(sorted(point.items()))] = figure
        return [self.known[k] for k in keys]

    def meets(self, point: Dict[str, float]) -> bool:
        if self.out_of_reach([point])[0]:
            return False
        found = self.figures([point])[0]
        return found is not None and self.target.met_by(found)


class Alone(NamedTuple):
    key: str
    base: float
    value: Optional[float]  # None: no value reaches the target
    figure: Optional[float]
    monotonic: str          # empty, or where it is not


def ladder_of(base: float, largest_factor: int) -> List[float]:
    """The base doubled up to the factor, and halved down to 1."""
    values = {base * 2 ** i for i in range(largest_factor.bit_length())}
    for i in range(1, LARGEST_FACTOR.bit_length()):
        if base / 2 ** i >= 1:
            values.add(float(int(base / 2 ** i)))
    return sorted(values)


def try_ladder(search: Search, values: Sequence[float], base: float, point_at: Callable[[float], Dict[str, float]]) -> Dict[float, float]:
    """Figures of values: upwards from the base until one reaches the target and the next one has been looked at, or, when the base reaches it,
    downwards until one does not. Values that are out of reach by their bounds are not simulated."""
    found: Dict[float, float] = {}

    def reaches(value: float) -> Optional[bool]:
        if search.out_of_reach([point_at(value)])[0]:
            return False
        figure = search.figures([point_at(value)])[0]
        if figure is None:
            return None
        found[value] = figure
        return search.target.met_by(figure)

    search.out_of_reach([point_at(v) for v in values])  # of all at once
    if reaches(base):
        for v in sorted((v for v in values if v < base), reverse=True):
            if reaches(v) is False:
                break
        return found
    left = [v for v in values if v > base and not search.out_of_reach([point_at(v)])[0]]
    while left:
        batch, left = left[:search.width], left[search.width:]
        search.figures([point_at(v) for v in batch])
        if any([reaches(v) for v in batch]):
            first = min(v for v, f in found.items() if search.target.met_by(f))
            if max(found) == first and left:
                reaches(left[0])
            break
    return found


def least_alone(search: Search, key: str, base: float, others: Dict[str, float], largest_factor: int = LARGEST_FACTOR) -> Alone:
    """The least value of one key, up to a factor over its base, with the others as given."""
    point_at = lambda v: {**others, key: v}
    values = ladder_of(base, largest_factor)
    found = try_ladder(search, values, base, point_at)
    taken = sorted(found.items())
    not_monotonic = ""
    for (v, f), (w, g) in zip(taken, taken[1:]):
        if search.target.worse(f, g) and not not_monotonic:
            not_monotonic = f"{search.target.figure} gets worse from {key}={v:g} ({f:.4g}) to {w:g} ({g:.4g})"
    reached = [v for v, f in taken if search.target.met_by(f)]
    if not reached:
        return Alone(key, base, None, None, not_monotonic)
    best = min(reached)
    # Values below were tried, or are out of reach, or refused, which says nothing.
    failed = [v for v in values if v < best and (v in found or search.out_of_reach([point_at(v)])[0])]
    low, top = max(failed, default=0.0), best
    while not not_monotonic and top - low > 1:
        middle = float(int((low + top) / 2))
        # A value that the program refuses (a count that has to divide) says nothing: the next one that it takes does.
        tried = [middle + i for i in range(8) if middle + i < top]
        no = dict(zip(tried, search.out_of_reach([point_at(v) for v in tried])))
        usable: Optional[Tuple[float, bool]] = None
        for v in tried:
            figure = None if no[v] else search.figures([point_at(v)])[0]
            if no[v] or figure is not None:
                usable = (v, figure is not None and search.target.met_by(figure))
                break
        if usable is None:
            top = middle
        elif usable[1]:
            best, top = usable[0], middle
        else:
            low = usable[0]
    return Alone(key, base, best, search.figures([point_at(best)])[0], not_monotonic)


def cheapest_together(search: Search, bases: Dict[str, float], alone: Sequence[Alone]) -> Optional[Dict[str, float]]:
    """The point with the smallest product of factors that reaches the target; None when none does."""
    tops = ({k: b * f for k, b in bases.items()} for f in (1, 2, 4, 8, 16, 32, 64))
    top = next((t for t in tops if search.meets(t)), None)
    candidates = [{**bases, a.key: a.value} for a in alone if a.value is not None]
    if top is not None:
        keys = list(bases)
        for order in (keys[i:] + keys[:i] for i in range(len(keys))):
            point = dict(top)
            for key in order:
                least = least_alone(search, key, point[key], {k: v for k, v in point.items() if k != key}, 1)
                if least.value is not None:
                    point[key] = least.value
            candidates.append(point)
    candidates = [c for c in candidates if search.meets(c)]

    def product(point: Dict[str, float]) -> float:
        cost = 1.0
        for key, value in point.items():
            cost *= value / bases[key]
        return cost

    return min(candidates, key=product, default=None)


def number_at(config: Dict[str, Any], key: str) -> float:
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            raise HarmoniaError(2, f"--free {key}: is no key of this scenario, expected one of `harmonia list keys`")
        node = node[part]
    if isinstance(node, bool) or not isinstance(node, (int, float)) or node <= 0:
        raise HarmoniaError(2, f"--free {key}: is {node!r} in this scenario, expected a key whose value is a positive number")
    return float(node)


def main(arguments: List[str]) -> int:
    """What the program's command passes on; its description of the options is the one that people read."""
    parser = argparse.ArgumentParser(prog="harmonia require", allow_abbrev=False)
    for name in ("scenario", "target", "free"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args(arguments)
    target = target_of(options.target)
    keys = [k for k in options.free.split(",") if k]
    if not 1 <= len(keys) <= 4 or len(set(keys)) != len(keys):
        raise HarmoniaError(2, f"--free {options.free}: expected one to four different keys")
    settings = {}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise HarmoniaError(2, f"--set {text}: expected path.to.key=value")
        settings[key] = value
    if options.full:
        settings["fidelity"] = "full"
    elif not any(key == "fidelity" or key.startswith("fidelity.") for key in settings):
        settings["fidelity"] = "sampled"
    base_run = run(options.scenario, settings)
    bases = {key: number_at(base_run["provenance"]["config"], key) for key in keys}
    search = Search(options.scenario, settings, target, options.jobs)
    base = search.figures([dict(bases)])[0]
    print(f"Target: {target}; the scenario as given reaches {base:.4g}" if base is not None else f"Target: {target}")
    alone = [least_alone(search, key, bases[key], {k: v for k, v in bases.items() if k != key}) for key in keys]
    for a in alone:
        if a.value is None:
            print(f"  {a.key} alone: no value up to {a.base * LARGEST_FACTOR:g} reaches it")
        else:
            print(f"  {a.key} alone: {a.value:g} instead of {a.base:g} ({a.value / a.base:.3g} times), {target.figure} = {a.figure:.4g}")
        if a.monotonic:
            print(f"    not monotonic: {a.monotonic}; the value is the least of those tried")
    together = cheapest_together(search, bases, alone) if len(keys) > 1 else None
    if together is not None:
        print("  cheapest together: " + ", ".join(f"{k}={v:g}" for k, v in together.items())
              + f": {target.figure} {search.figures([together])[0]:.4g}")
    reached = together is not None or any(a.value is not None for a in alone)
    excluded = sum(1 for key, no in search.bounds.items() if no and key not in search.known)
    print(f"{sum(1 for f in search.known.values() if f is not None)} points simulated, {excluded} excluded by bounds, "
          f"{len(search.reasons)} refused by the program")
    if not reached:
        print(f"harmonia: no value of {', '.join(keys)} up to {LARGEST_FACTOR} times the scenario's reaches {target}", file=sys.stderr)
        return 1
    return 0
