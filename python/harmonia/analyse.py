"""What a finished search says beside its front: bottleneck, single changes, sensitivities, binding constraints, the map.

Models: every one-step change of every point of the front, simulated; those that are better enter the front and are looked at too. A change
  helps when it improves an objective by more than LEAST_GAIN; the nearest one that helps is the one that improves the first objective most,
  one that keeps the constraints before one that does not. A constraint binds where it leaves less than TIGHT of its limit, or where it alone
  forbids a change that would improve the first objective.
Does not model: two changes at a time.
"""
from typing import Any, Dict, List, Optional

from .evaluate import Evaluator
from .space import Point, Study, number

LEAST_GAIN = 0.005
TIGHT = 0.02
MOST_ROUNDS = 5  # of changes that enter the front and are looked at in turn


def close_front(study: Study, e: Evaluator) -> bool:
    """Simulates the changes of all points of the front until it stays. False when it still moves after MOST_ROUNDS."""
    for _ in range(MOST_ROUNDS):
        before = sorted(e.front)
        wanted = [q for p in before for _, q in study.changes(p)]
        e.bound(wanted)
        e.simulate(q for q in wanted if q not in e.refused)
        if sorted(e.front) == before:
            return True
    return False


def recommended(study: Study, e: Evaluator) -> Point:
    """The point of the front that is nearest to the best of every objective at once, each scaled to its range over the front."""
    points = sorted(e.front)
    low = [min(e.front[p][i] for p in points) for i in range(len(study.objectives))]
    high = [max(e.front[p][i] for p in points) for i in range(len(study.objectives))]
    return min(points, key=lambda p: (sum(((c - a) / (b - a or 1.0)) ** 2 for c, a, b in zip(e.front[p], low, high)), p))


def changes_of(study: Study, e: Evaluator, point: Point) -> List[Dict[str, Any]]:
    """Each one-step change with the gain in each objective and the constraints that it breaks; refused ones with their reason."""
    out = []
    here = e.simulated[point]
    for i, other in study.changes(point):
        p = study.parameters[i]
        change: Dict[str, Any] = {"parameter": p.name, "from": p.labels[point[i]], "to": p.labels[other[i]]}
        if other in e.refused:
            out.append({**change, "refused": e.refused[other]})
        elif other in e.simulated:
            there = e.simulated[other]
            gains = {o.figure: o.gain(a, b) for o in study.objectives
                     if (a := number(here.get(o.figure))) is not None and (b := number(there.get(o.figure))) is not None}
            out.append({**change, "gains": gains, "breaks": [str(c) for c in study.broken(there)]})
    return out


def helpful(study: Study, changes: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    for o in study.objectives:
        found = [c for c in changes if "gains" in c and c["gains"].get(o.figure, 0.0) > LEAST_GAIN]
        if found:
            best = min(found, key=lambda c: (bool(c["breaks"]), -c["gains"][o.figure], c["parameter"], c["to"]))
            return {**best, "figure": o.figure, "gain": best["gains"][o.figure]}
    return None


def binding(study: Study, e: Evaluator, point: Point, changes: List[Dict[str, Any]]) -> List[str]:
    first = study.objectives[0].figure
    here = e.simulated[point]
    tight = [str(c) for c in study.constraints if (v := number(here.get(c.figure))) is not None and c.slack(v) < TIGHT]
    forbidding = [c["breaks"][0] for c in changes if "gains" in c and len(c["breaks"]) == 1 and c["gains"].get(first, 0.0) > LEAST_GAIN]
    return [str(c) for c in study.constraints if str(c) in tight or str(c) in forbidding]


def sensitivity(study: Study, changes: List[Dict[str, Any]]) -> Dict[str, Dict[str, float]]:
    """Of each parameter: the largest relative change of each objective by one step, without sign."""
    out: Dict[str, Dict[str, float]] = {p.name: {} for p in study.parameters}
    for c in changes:
        for figure, gain in c.get("gains", {}).items():
            out[c["parameter"]][figure] = max(out[c["parameter"]].get(figure, 0.0), abs(gain))
    return out


def map_points(study: Study, around: Point) -> List[Point]:
    names = [p.name for p in study.parameters]
    moving = [names.index(study.document["map"]["of"])] + [names.index(n) for n in study.document["map"]["over"]]
    points = [around]
    for i in moving:
        points = [p[:i] + (j,) + p[i + 1:] for p in points for j in range(len(study.parameters[i].labels))]
    return points


def winner_map(study: Study, e: Evaluator, around: Point) -> Dict[str, Any]:
    """In each cell the accepted value with the best first objective; within the margin of it, the one with the higher SNR."""
    settings = study.document["map"]
    names = [p.name for p in study.parameters]
    of, x, y = (names.index(n) for n in [settings["of"], *settings["over"]])
    objective, margin = study.objectives[0], float(settings["margin"])
    cells: Dict[Any, List[Point]] = {}
    for p in map_points(study, around):
        cells.setdefault((p[x], p[y]), []).append(p)
    out = []
    for (i, j), points in sorted(cells.items()):
        good = [p for p in points if e.accepted(p)]
        cell: Dict[str, Any] = {"x": study.parameters[x].labels[i], "y": study.parameters[y].labels[j], "winner": None}
        if good:
            best = min(good, key=lambda p: (e.costs(p)[0], p))
            figure = float(e.simulated[best][objective.figure])
            near = [p for p in good if objective.gain(float(e.simulated[p][objective.figure]), figure) <= margin]
            won = max(near, key=lambda p: (float(e.simulated[p]["snr_db"]), p))
            cell.update(winner=study.parameters[of].labels[won[of]], figure=float(e.simulated[won][objective.figure]), bound=e.simulated[won]["bound"])
        else:
            known = [p for p in points if p in e.simulated]
            cell["breaks"] = sorted({str(c) for p in known for c in e.broken(p)}) or ["refused"]
        out.append(cell)
    return {"of": settings["of"], "over": settings["over"], "margin": margin, "figure": objective.figure,
            "at": {n: v for n, v in study.values(around).items() if n != settings["of"] and n not in settings["over"]},
            "values": study.parameters[of].labels, "x": study.parameters[x].labels, "y": study.parameters[y].labels, "cells": out}
