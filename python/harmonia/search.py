"""The search of a study: which points to simulate next.

Models: NSGA-II (DEAP) over figures that are predicted: a point's bound times how far the simulated points near it are above theirs, the nearer
  the more it counts. The best predicted points that bounds do not drop are simulated, a population at a time, one in six of them at random;
  then predictions are better. In a space of up to ENUMERABLE points the candidates are all of it. The search ends when its simulations are
  spent, or when bounds drop every point that is left: then the front is the space's.
Does not model: anything random beside the seed: the order in which points end does not matter.
"""
import random
from typing import Dict, List, Sequence, Set, Tuple

from deap import base, tools

from .evaluate import Evaluator
from .space import BOUND_KINDS, Point, Study, number

ENUMERABLE = 4096
GENERATIONS = 12
INFEASIBLE = 1e9  # cost of what breaks a constraint, times one and the violation: worse than any accepted point


class Individual(list):  # type: ignore[type-arg]
    """A point with a fitness, as DEAP wants it."""

    def __init__(self, point: Point, costs: Sequence[float]) -> None:
        super().__init__(point)
        self.fitness = type("Fitness", (base.Fitness,), {"weights": (-1.0,) * len(costs)})(tuple(costs))

    @property
    def point(self) -> Point:
        return tuple(self)


class Predictor:
    """Figures of points that were not simulated."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.e, self.study = evaluator, evaluator.study

    def figures(self, point: Point) -> Dict[str, float]:
        if point in self.e.simulated:
            return {n: v for n in self.study.figures if (v := number(self.e.simulated[point].get(n))) is not None}
        weights = [(1.0 / (1e-3 + self.study.distance(point, q)) ** 2, q) for q in self.e.simulated]
        out: Dict[str, float] = {}
        for name in self.study.figures:
            best = self.e.best[point].get(name)
            if best is not None and BOUND_KINDS[name] == "exact":
                out[name] = best
                continue
            total = mass = 0.0
            for weight, q in weights:
                found, bound = number(self.e.simulated[q].get(name)), self.e.best[q].get(name)
                if found is None or best is not None and not bound:
                    continue
                total += weight * (found / bound if best is not None and bound else found)
                mass += weight
            if best is not None:
                out[name] = best * (total / mass if mass else 1.0)
            elif mass:
                out[name] = total / mass
        return out

    def individual(self, point: Point) -> Individual:
        n = len(self.study.objectives)
        if point in self.e.refused:
            return Individual(point, (10 * INFEASIBLE,) * n)
        figures = self.figures(point)
        violation = self.study.violation(figures)
        if violation > 0:
            return Individual(point, (INFEASIBLE * (1 + violation),) * n)
        return Individual(point, tuple(o.cost(figures[o.figure]) if o.figure in figures else 0.0 for o in self.study.objectives))


class Search:
    def __init__(self, study: Study, evaluator: Evaluator) -> None:
        self.study, self.e = study, evaluator
        settings = study.document["search"]
        self.population, self.budget = int(settings["population"]), int(settings["simulations"])
        self.rng = random.Random(int(settings["seed"]))
        self.seen: Set[Point] = set()  # every point that was looked at
        self.asked: Set[Point] = set()  # every point that was simulated, also those that were refused then
        self.exhausted = False         # bounds dropped all that is left of the space

    # ------------------------------------------------------------------------------------------------------------ NSGA-II
    def evolve(self) -> None:
        """Looks at points that are predicted to be good."""
        if self.study.size <= ENUMERABLE:
            if not self.seen:
                self.seen = set(self.study.all_points())
                self.e.bound(sorted(self.seen))
            return
        size = 4 * (-(-2 * self.population // 4))
        predict = Predictor(self.e)
        pool = sorted(self.e.front)[:size // 2]
        while len(pool) < size:
            pool.append(self.study.random_point(self.rng))
        self.e.bound(pool)
        people = tools.selNSGA2([predict.individual(p) for p in pool], size)
        for _ in range(GENERATIONS):
            parents = [self.tournament(people) for _ in range(size)]
            children = [c for a, b in zip(parents[::2], parents[1::2]) for c in self.offspring(a.point, b.point)]
            self.e.bound(children)
            self.seen.update(children)
            people = tools.selNSGA2(people + [predict.individual(p) for p in dict.fromkeys(children)], size)
        self.seen.update(i.point for i in people)

    def tournament(self, people: List[Individual]) -> Individual:
        a, b = self.rng.sample(people, 2)
        if a.fitness.dominates(b.fitness) or not b.fitness.dominates(a.fitness) and a.fitness.crowding_dist >= b.fitness.crowding_dist:
            return a
        return b

    def offspring(self, a: Point, b: Point) -> Tuple[Point, Point]:
        """Uniform crossing, then one parameter in n moves, an ordered one by a step or two as a rule."""
        first, second = list(a), list(b)
        for i in range(len(a)):
            if self.rng.random() < 0.5:
                first[i], second[i] = second[i], first[i]
        for child in (first, second):
            for i, p in enumerate(self.study.parameters):
                if self.rng.random() >= 1 / len(child):
                    continue
                if p.ordered and self.rng.random() < 0.7:
                    child[i] = min(len(p.labels) - 1, max(0, child[i] + self.rng.choice((-2, -1, 1, 2))))
                else:
                    child[i] = self.rng.randrange(len(p.labels))
        return tuple(first), tuple(second)

    # ------------------------------------------------------------------------------------------------------------- rounds
    def next_round(self) -> List[Point]:
        """Points to simulate; none when bounds drop all that were looked at."""
        self.evolve()
        left = [p for p in sorted(self.seen) if p not in self.asked and not self.e.why_dropped(p)]
        count = min(self.population, self.budget - len(self.asked), len(left))
        if count <= 0:
            self.exhausted = not left and self.study.size <= ENUMERABLE
            return []
        # At the beginning, nothing is known of how far figures are above their bounds.
        by_chance = count // 2 if not self.e.simulated else count // 6
        predict = Predictor(self.e)
        chosen = [i.point for i in tools.selNSGA2([predict.individual(p) for p in left], count - by_chance)]
        rest = [p for p in left if p not in set(chosen)]
        return chosen + self.rng.sample(rest, min(by_chance, len(rest)))

    def run(self, progress=lambda search: None) -> None:  # type: ignore[no-untyped-def]
        while len(self.asked) < self.budget:
            points = self.next_round()
            if not points:
                return
            self.asked.update(points)
            self.e.simulate(points)
            progress(self)
