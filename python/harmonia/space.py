"""The design space of a study: its parameters, what a design has to reach, what makes it good.

Models: points as tuples of value indices; settings of a point; neighbours; constraints and objectives over the figures of a point, and what
  bounds (`harmonia sweep --bounds`) say of both.
Does not model: where figures come from.
"""
import itertools
import random
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

Point = Tuple[int, ...]
Figures = Mapping[str, Any]

# What a bound says of a figure: no run is below it (least), none is above it (most), or it is the figure itself (exact).
BOUND_KINDS = {"time_per_token_s": "least", "time_to_first_token_s": "least", "energy_per_token_j": "least", "power_w": "least",
               "tokens_per_s": "most", "area_mm2": "exact", "bits_per_weight": "exact", "snr_db": "exact",
               "effective_parameters": "exact", "perplexity": "exact"}


def number(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) and value == value else None


class Parameter(NamedTuple):
    name: str
    ordered: bool
    labels: List[str]
    settings: List[Dict[str, str]]

    def neighbours(self, index: int) -> List[int]:
        """One step away: the next values of an ordered parameter, any other value else."""
        if self.ordered:
            return [i for i in (index - 1, index + 1) if 0 <= i < len(self.labels)]
        return [i for i in range(len(self.labels)) if i != index]


class Constraint(NamedTuple):
    figure: str
    kind: str  # at_least, at_most
    value: float

    def excess(self, found: Optional[float]) -> float:
        """By which share of the limit the figure is on the wrong side; 0 within the limit or when the figure is not known."""
        if found is None:
            return 0.0
        over = self.value - found if self.kind == "at_least" else found - self.value
        return max(0.0, over) / (abs(self.value) or 1.0)

    def slack(self, found: float) -> float:
        over = found - self.value if self.kind == "at_least" else self.value - found
        return over / (abs(self.value) or 1.0)

    def __str__(self) -> str:
        return f"{self.figure} {'>=' if self.kind == 'at_least' else '<='} {self.value:g}"


class Objective(NamedTuple):
    figure: str
    goal: str  # most, least

    def cost(self, value: float) -> float:
        return value if self.goal == "least" else -value

    def gain(self, before: float, after: float) -> float:
        """Relative improvement; negative when it gets worse."""
        change = (after - before) / (abs(before) or 1.0)
        return change if self.goal == "most" else -change


class Study:
    """What `harmonia explore --dry-run` prints."""

    def __init__(self, document: Dict[str, Any]) -> None:
        self.document = document
        self.name: str = document["name"]
        self.scenario: str = document["scenario"]
        self.set: Dict[str, str] = document["set"]
        self.first_token: Optional[Dict[str, str]] = document["first_token"]
        self.parameters = [Parameter(p["name"], p["ordered"], [v["label"] for v in p["values"]], [v["settings"] for v in p["values"]])
                           for p in document["parameters"]]
        self.constraints = [Constraint(**c) for c in document["constraints"]]
        self.objectives = [Objective(**o) for o in document["objectives"]]

    # ------------------------------------------------------------------------------------------------------------- space
    @property
    def size(self) -> int:
        n = 1
        for p in self.parameters:
            n *= len(p.labels)
        return n

    def all_points(self) -> Iterator[Point]:
        return itertools.product(*(range(len(p.labels)) for p in self.parameters))

    def random_point(self, rng: random.Random) -> Point:
        return tuple(rng.randrange(len(p.labels)) for p in self.parameters)

    def settings(self, point: Point) -> Dict[str, str]:
        out: Dict[str, str] = {}
        for parameter, index in zip(self.parameters, point):
            out.update(parameter.settings[index])
        return out

    def values(self, point: Point) -> Dict[str, str]:
        return {p.name: p.labels[i] for p, i in zip(self.parameters, point)}

    def text(self, point: Point) -> str:
        return ", ".join(f"{k}={v}" for k, v in self.values(point).items())

    def changes(self, point: Point) -> List[Tuple[int, Point]]:
        """Every point that differs in one parameter by one step, with the parameter's place."""
        return [(i, point[:i] + (j,) + point[i + 1:]) for i, p in enumerate(self.parameters) for j in p.neighbours(point[i])]

    def distance(self, a: Point, b: Point) -> float:
        total = 0.0
        for parameter, i, j in zip(self.parameters, a, b):
            if i != j:
                total += ((i - j) / (len(parameter.labels) - 1)) ** 2 if parameter.ordered else 1.0
        return total

    # ----------------------------------------------------------------------------------------------------------- figures
    @property
    def figures(self) -> List[str]:
        """Those that objectives and constraints name, each once."""
        return list(dict.fromkeys([o.figure for o in self.objectives] + [c.figure for c in self.constraints]))

    def broken(self, figures: Figures) -> List[Constraint]:
        return [c for c in self.constraints if c.excess(number(figures.get(c.figure))) > 0]

    def violation(self, figures: Figures) -> float:
        return sum(c.excess(number(figures.get(c.figure))) for c in self.constraints)

    def costs(self, figures: Figures) -> Tuple[float, ...]:
        """Of each objective, less is better."""
        return tuple(o.cost(float(figures[o.figure])) for o in self.objectives)

    # ------------------------------------------------------------------------------------------------------------ bounds
    def best_case(self, bounds: Figures) -> Dict[str, float]:
        """What bounds say, of points that reach what the study demands: a speed that has to be reached makes a least power of a least
        energy."""
        best = {name: value for name in BOUND_KINDS if (value := number(bounds.get(name))) is not None}
        for c in self.constraints:
            if c.figure == "tokens_per_s" and c.kind == "at_least" and "energy_per_token_j" in best:
                best["power_w"] = max(best.get("power_w", 0.0), best["energy_per_token_j"] * c.value)
        return best

    def impossible(self, best: Figures) -> List[Constraint]:
        """Constraints that no point with these bounds can meet."""
        wrong_side = {"at_most": "most", "at_least": "least"}
        return [c for c in self.constraints
                if c.figure in best and BOUND_KINDS[c.figure] != wrong_side[c.kind] and c.excess(best[c.figure]) > 0]

    def best_costs(self, best: Figures) -> Tuple[float, ...]:
        """No point with these bounds has less; minus infinity where nothing is known."""
        wrong_side = {"least": "most", "most": "least"}
        return tuple(o.cost(best[o.figure]) if o.figure in best and BOUND_KINDS[o.figure] != wrong_side[o.goal] else float("-inf")
                     for o in self.objectives)


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(a, b)) and any(x < y for x, y in zip(a, b))


def front_of(costs: Mapping[Point, Tuple[float, ...]]) -> List[Point]:
    """Points that no other one dominates, by their costs; of points with equal costs the first."""
    out: List[Point] = []
    seen = set()
    for point in sorted(costs, key=lambda p: (costs[p], p)):
        cost = costs[point]
        # Sorted by cost, only those before can dominate it.
        if cost in seen or any(dominates(costs[q], cost) for q in out):
            continue
        seen.add(cost)
        out.append(point)
    return out


def hypervolume(costs: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Volume between the points and the reference, less being better, by slicing along the first objective."""
    inside = sorted(c for c in {tuple(c) for c in costs} if all(x < r for x, r in zip(c, reference)))
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - inside[0][0]
    total = 0.0
    for i, c in enumerate(inside):
        end = inside[i + 1][0] if i + 1 < len(inside) else reference[0]
        if end > c[0]:
            total += (end - c[0]) * hypervolume([d[1:] for d in inside[:i + 1]], reference[1:])
    return total
