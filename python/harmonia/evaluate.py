"""Figures of the points of a study: bounds first, then simulation, each point once.

Models: rounds of points as sweeps in a folder of the study, so that a study that was stopped is gone on with by asking for the same rounds
  again; a second sweep of a round for the time to the first token, of the points that are not refused by then.
Checks: that no simulated figure is beyond its bound, since points are dropped because of bounds.
"""
import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from .program import HarmoniaError
from .runs import bounds_file, sweep_file
from .space import BOUND_KINDS, Constraint, Figures, Point, Study, dominates, number

# Settings that perplexity does not depend on: sizes, rates and memories.
NOT_OF_QUALITY = ("accelerator.dram.", "accelerator.clock_mhz", "accelerator.pe.rows", "accelerator.pe.cols", "accelerator.decoder.", "accelerator.weight_buffer.",
                  "accelerator.kv_buffer.", "accelerator.activation_buffer.", "accelerator.dma.", "accelerator.interconnect.", "accelerator.vector.", "workload.",
                  "dram.", "devices.", "fidelity")
TOLERANCE = 0.005  # of a simulated figure beyond its bound, before that is an error


def sweep_text(name: str, scenario: str, common: Mapping[str, str], points: Iterable[Mapping[str, str]]) -> str:
    """A sweep file. Values are YAML as they stand in the study."""
    lines = [f"name: {name}", f"scenario: {scenario}"]
    if common:
        lines += ["set:"] + [f"  {k}: {v}" for k, v in common.items()]
    lines.append("points:")
    for settings in points:
        lines += [f"  {'-' if i == 0 else ' '} {k}: {v}" for i, (k, v) in enumerate(settings.items())]
    return "\n".join(lines) + "\n"


class Evaluator:
    """`folder`: of the study's rounds; `scratch`: for files that nobody needs later. Options are those of `harmonia sweep`."""

    def __init__(self, study: Study, folder: str, scratch: str, sweep_options: Sequence[str] = (), folder_options: Sequence[str] = ()) -> None:
        self.study, self.folder, self.scratch = study, folder, scratch
        self.sweep_options, self.folder_options = list(sweep_options), list(folder_options)
        self.perplexity: Dict[Any, Any] = {}  # measured, by the settings that quality depends on
        self.best: Dict[Point, Dict[str, float]] = {}      # by bounds
        self.refused: Dict[Point, str] = {}                # points that the program refuses, by bounds or when they ran
        self.simulated: Dict[Point, Dict[str, Any]] = {}   # figures
        self.rounds = 0
        # Of what is simulated and accepted, the points that nothing accepted beats: what bounds are compared with.
        self.front: Dict[Point, Any] = {}

    # ------------------------------------------------------------------------------------------------------------ bounds
    def bound(self, points: Iterable[Point]) -> None:
        new = [p for p in dict.fromkeys(points) if p not in self.best and p not in self.refused]
        if not new:
            return
        rows = self._bounds(new, self.study.set, "bounds", ())
        figures: Dict[Point, Dict[str, Any]] = {}
        for point, row in zip(new, rows):
            if row["status"] != "ok":
                self.refused[point] = str(row["reason"])
            else:
                figures[point] = row
        if self.study.first_token is not None and figures:
            rows = self._bounds(list(figures), {**self.study.set, **self.first_token_settings()}, "first-token", ())
            for point, row in zip(list(figures), rows):
                if row["status"] != "ok":
                    self.refused[point] = str(row["reason"])
                    del figures[point]
                else:
                    figures[point]["time_to_first_token_s"] = row["time_to_first_token_s"]
        if self.study.document["quality"] is not None:
            self._measure(figures)
        for point, row in figures.items():
            self.best[point] = self.study.best_case(row)

    def _measure(self, figures: Dict[Point, Dict[str, Any]]) -> None:
        """Perplexity on a real model, once for all points whose formats are the same."""
        def signature(point: Point) -> Any:
            return tuple(sorted((k, v) for k, v in self.study.settings(point).items() if not k.startswith(NOT_OF_QUALITY)))

        new = {signature(p): p for p in sorted(figures) if signature(p) not in self.perplexity}
        if new:
            quality = self.study.document["quality"]
            options = ["--weights", quality["weights"]] + (["--tokenizer", quality["tokenizer"]] if quality["tokenizer"] else [])
            for text in quality["texts"]:
                options += ["--text", text]
            rows = self._bounds(list(new.values()), self.study.set, "quality", options)
            for key, row in zip(new, rows):
                self.perplexity[key] = row["perplexity"] if row["status"] == "ok" else str(row["reason"])
        for point in list(figures):
            found = self.perplexity[signature(point)]
            if isinstance(found, str):
                self.refused[point] = found
                del figures[point]
            else:
                figures[point]["perplexity"] = found

    def _bounds(self, points: List[Point], common: Mapping[str, str], name: str, options: Sequence[str]) -> List[Dict[str, Any]]:
        file = os.path.join(self.scratch, name + ".yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write(sweep_text(name, self.study.scenario, common, [self.study.settings(p) for p in points]))
        return list(bounds_file(file, [*self.folder_options, *options]))

    def first_token_settings(self) -> Dict[str, str]:
        return {"workload.phase": "prefill", **(self.study.first_token or {})}

    def why_dropped(self, point: Point) -> str:
        """Why a point needs no simulation: it cannot run, cannot meet a constraint, or an accepted point is better than it can be. Empty when
        only the simulation can tell. Asks bound() first."""
        self.bound([point])
        if point in self.refused:
            return "refused"
        impossible = self.study.impossible(self.best[point])
        if impossible:
            return str(impossible[0])
        if any(dominates(costs, self.study.best_costs(self.best[point])) for costs in self.front.values()):
            return "dominated"
        return ""

    # -------------------------------------------------------------------------------------------------------- simulation
    def simulate(self, points: Iterable[Point]) -> None:
        """One round. A point that the program refuses after all is in `refused` then."""
        new = [p for p in dict.fromkeys(points) if p not in self.simulated and p not in self.refused]
        if not new:
            return
        self.bound(new)
        new = [p for p in new if p not in self.refused]
        self.rounds += 1
        found = self._round(new, "points", self.study.set)
        if self.study.first_token is not None:
            rest = [p for p in new if p in found and not self.study.broken(found[p])]
            second = self._round(rest, "first-token", {**self.study.set, **self.first_token_settings()}) if rest else {}
            for point in rest:
                if point in second:
                    found[point]["time_to_first_token_s"] = second[point]["time_to_first_token_s"]
                else:
                    del found[point]
        for point, figures in found.items():
            figures.update({k: v for k, v in self.best[point].items() if k == "perplexity"})
            self._check(point, figures)
            self.simulated[point] = figures
            if self.accepted(point):
                self._enter_front(point)

    def _round(self, points: List[Point], name: str, common: Mapping[str, str]) -> Dict[Point, Dict[str, Any]]:
        folder = os.path.join(self.folder, f"{self.rounds:04d}")
        os.makedirs(folder, exist_ok=True)
        file = os.path.join(folder, name + ".yaml")
        text = sweep_text(name, self.study.scenario, common, [self.study.settings(p) for p in points])
        with open(file + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(file + ".new", file)
        table = sweep_file(file, os.path.join(folder, name), [*self.sweep_options, *self.folder_options])
        out: Dict[Point, Dict[str, Any]] = {}
        for point, row in zip(points, table):
            if row["status"] == "ok":
                figures: Dict[str, Any] = {k: v for k, v in row.items() if k not in ("point", "status", "reason")}
                figures["power_w"] = float(row["energy_j"]) / float(row["simulated_s"])
                out[point] = figures
            else:
                self.refused[point] = str(row["reason"])
        return out

    def _check(self, point: Point, figures: Figures) -> None:
        for name, bound in self.best[point].items():
            found = number(figures.get(name))
            if found is None or name == "power_w" and found < bound and self.study.broken(figures):
                continue  # the bound of power is one of points that are fast enough
            kind = BOUND_KINDS[name]
            if kind != "most" and found < bound * (1 - TOLERANCE) or kind != "least" and found > bound * (1 + TOLERANCE):
                raise HarmoniaError(1, f"{self.study.text(point)}: {name} is {found:g} and its bound {bound:g}: bounds dropped points wrongly")

    # ------------------------------------------------------------------------------------------------------------ accepted
    def accepted(self, point: Point) -> bool:
        figures = self.simulated.get(point)
        return figures is not None and not self.study.broken(figures) and self.lacking(figures) == []

    def lacking(self, figures: Figures) -> List[str]:
        return [name for name in self.study.figures if number(figures.get(name)) is None]

    def costs(self, point: Point) -> Any:
        return self.study.costs(self.simulated[point])

    def _enter_front(self, point: Point) -> None:
        costs = self.costs(point)
        if any(dominates(other, costs) for other in self.front.values()):
            return
        for other in [p for p, c in self.front.items() if dominates(costs, c)]:
            del self.front[other]
        self.front[point] = costs

    def nearest_to_accepted(self) -> Optional[Point]:
        """The simulated point that breaks its constraints least."""
        return min(self.simulated, key=lambda p: (self.study.violation(self.simulated[p]), p), default=None)

    def broken(self, point: Point) -> List[Constraint]:
        return self.study.broken(self.simulated[point])
