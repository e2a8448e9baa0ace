"""`harmonia explore`: the points of a design space that no other one beats, under constraints (docs/explore.md).

The program has read and checked the study. Everything grows in DIR.partial, round by round, and DIR appears at the end. A study that was
stopped is gone on with by doing the same again: finished rounds are sweeps that are there.
"""
import argparse
import csv
import fcntl
import json
import os
import shutil
import sys
import tempfile
from typing import Any, Dict, List, Optional

from . import analyse
from .evaluate import Evaluator
from .program import HarmoniaError, call
from .space import Point, Study, number

MARKER, RESULT_MARKER = ".harmonia-study", ".harmonia-result"


def say(text: str) -> None:
    print(text, flush=True)


def write_file(path: str, text: str) -> None:
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".new", path)


def read_json(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except OSError as error:
        raise HarmoniaError(1, f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise HarmoniaError(1, f"{path}: is no JSON: {error}") from error


class Folder:
    """DIR.partial, and DIR at the end. Folders that no study made are refused."""

    def __init__(self, target: str, study: Study, resume: bool) -> None:
        self.target = os.path.normpath(os.path.abspath(target))
        self.partial = self.target + ".partial"
        self.study, self.made, self.lock = study, False, -1
        if os.path.exists(self.target) and not os.path.exists(os.path.join(self.target, RESULT_MARKER)) and \
                not (os.path.isdir(self.target) and not os.listdir(self.target)):
            raise HarmoniaError(2, f"{self.target}: is no result of harmonia and is left as it is, expected another -o")
        if os.path.exists(self.partial):
            if not os.path.exists(os.path.join(self.partial, MARKER)):
                raise HarmoniaError(2, f"{self.partial}: no study has made it, and it is left as it is; expected another -o")
            if not resume:
                raise HarmoniaError(2, f"{self.partial}: is an unfinished study, expected --resume to go on with it, or another -o")
            if read_json(os.path.join(self.partial, MARKER)) != self.manifest():
                raise HarmoniaError(2, f"{self.partial}: is of another study than this file says, expected its own file, or another -o")

    def manifest(self) -> Any:
        return self.study.document

    def finished(self) -> Optional[Dict[str, Any]]:
        """What is in DIR, when it is this very study."""
        file = os.path.join(self.target, "study.json")
        if os.path.exists(self.partial) or not os.path.exists(file):
            return None
        document = read_json(file)
        return document if document.get("study") == self.manifest() else None

    def begin(self) -> str:
        """Makes the folder and returns that of the rounds."""
        self.made = not os.path.exists(self.partial)
        os.makedirs(os.path.join(self.partial, "rounds"), exist_ok=True)
        self.lock = os.open(os.path.join(self.partial, ".lock"), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise HarmoniaError(2, f"{self.partial}: another process is at work in it") from None
        write_file(os.path.join(self.partial, MARKER), json.dumps(self.manifest(), indent=1) + "\n")
        return os.path.join(self.partial, "rounds")

    def discard_if_new(self) -> None:
        """Nothing has been simulated, so that nothing is lost."""
        rounds = os.path.join(self.partial, "rounds")
        done = any(os.path.exists(os.path.join(rounds, r, "points")) or os.path.exists(os.path.join(rounds, r, "points.partial"))
                   for r in (os.listdir(rounds) if os.path.isdir(rounds) else []))
        if self.made and not done:
            shutil.rmtree(self.partial, ignore_errors=True)

    def commit(self) -> None:
        for name in (".lock",):
            os.unlink(os.path.join(self.partial, name))
        write_file(os.path.join(self.partial, RESULT_MARKER), "")
        if os.path.exists(self.target):
            old = tempfile.mkdtemp(prefix=os.path.basename(self.target) + ".old-", dir=os.path.dirname(self.target))
            os.rename(self.target, os.path.join(old, "result"))
            os.rename(self.partial, self.target)
            shutil.rmtree(old)
        else:
            os.rename(self.partial, self.target)


def require_possible(study: Study, e: Evaluator, looked_at: List[Point]) -> None:
    """Says so when bounds show that no point that was looked at can be accepted."""
    open_points = [p for p in looked_at if p not in e.refused]
    if not open_points:
        raise HarmoniaError(2, f"the program refuses every point of the study, the first one because: {e.refused[looked_at[0]]}")
    if any(not study.impossible(e.best[p]) for p in open_points):
        return
    reasons = []
    for c in study.constraints:
        known = [e.best[p][c.figure] for p in open_points if c.figure in e.best[p]]
        if known and all(c.excess(v) > 0 for v in known):
            reasons.append(f"{c}: the best that any point can have by its bounds is {max(known) if c.kind == 'at_least' else min(known):.4g}")
    # A speed that cannot be reached makes the least power of its energy, which says nothing more.
    reasons = [r for r in reasons if not r.startswith("power_w")] or reasons
    what = "; ".join(reasons) or "the constraints exclude each other: each can be met, and no point can meet all of them"
    exact = "no point of the space" if len(looked_at) == study.size else f"none of {len(looked_at)} points that were looked at"
    raise HarmoniaError(1, f"{exact} can meet the constraints. {what}. Nothing was simulated")


def point_json(study: Study, e: Evaluator, point: Point) -> Dict[str, Any]:
    figures = e.simulated[point]
    return {"values": study.values(point), "figures": {n: number(figures.get(n)) for n in study.figures}, "bound": figures["bound"]}


def document_of(study: Study, e: Evaluator, extra: Dict[str, Any]) -> Dict[str, Any]:
    front = []
    for point in sorted(e.front, key=lambda p: (e.front[p], p)):
        changes = analyse.changes_of(study, e, point)
        front.append({**point_json(study, e, point), "all_figures": e.simulated[point], "help": analyse.helpful(study, changes),
                      "binding": analyse.binding(study, e, point, changes), "sensitivity": analyse.sensitivity(study, changes), "changes": changes})
    points = [{**point_json(study, e, p), "accepted": e.accepted(p), "front": p in e.front,
               "breaks": [str(c) for c in e.broken(p)]} for p in sorted(e.simulated)]
    return {"schema": 1, "kind": "study", "study": study.document, "space": study.size, "simulated": len(e.simulated), "refused": len(e.refused),
            **extra, "front": front, "points": points}


def csv_text(study: Study, e: Evaluator, points: List[Point]) -> str:
    names = [p.name for p in study.parameters]
    others = [k for k in (e.simulated[points[0]] if points else {}) if k not in names and k not in study.figures]
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(names + ["accepted", "front"] + study.figures + others)
        for p in points:
            row = e.simulated[p]
            out.writerow(list(study.values(p).values()) + [int(e.accepted(p)), int(p in e.front)] +
                         [row.get(k, "") for k in study.figures + others])
        f.seek(0)
        return f.read()


def summary(document: Dict[str, Any]) -> str:
    study = Study(document["study"])
    lines = [f"Study {study.name}: {document['space']} points in the design space, {document['simulated']} simulated, {len(document['front'])} on the Pareto front"
             + (" (exact: bounds exclude all others)" if document["exact"] else "")]
    for i, p in enumerate(document["front"]):
        figures = ", ".join(f"{n} {p['figures'][n]:.4g}" for n in study.figures)
        mark = "*" if i == document["recommended"] else " "
        lines.append(f"{mark} {', '.join(f'{k}={v}' for k, v in p['values'].items())}: {figures}; bound by {p['bound']}")
        h = p["help"]
        if h:
            lines.append(f"    most useful change: {h['parameter']} {h['from']} -> {h['to']}, {h['figure']} {100 * h['gain']:.1f} % better"
                         + (f", but violates {', '.join(h['breaks'])}" if h["breaks"] else ""))
    if document["front"]:
        lines.append("* recommended: closest to the best value of all objectives")
    return "\n".join(lines)


def finish(study: Study, e: Evaluator, folder: Folder, extra: Dict[str, Any], options: argparse.Namespace) -> Dict[str, Any]:
    document = document_of(study, e, extra)
    document["recommended"] = None
    if e.front:
        best = analyse.recommended(study, e)
        order = sorted(e.front, key=lambda p: (e.front[p], p))
        document["recommended"] = order.index(best)
        words = ["run", study.scenario, "-o", os.path.join(folder.partial, "recommended"), *options.folder_option]
        for key, value in sorted({**study.set, **study.settings(best)}.items(), key=lambda kv: kv[0].count(".")):
            words += ["--set", f"{key}={value}"]
        call(words)
    write_file(os.path.join(folder.partial, "points.csv"), csv_text(study, e, sorted(e.simulated)))
    write_file(os.path.join(folder.partial, "front.csv"), csv_text(study, e, sorted(e.front, key=lambda p: (e.front[p], p))))
    write_file(os.path.join(folder.partial, "study.json"), json.dumps(document, indent=1) + "\n")
    folder.commit()
    return document


def explore(study: Study, folder: Folder, options: argparse.Namespace) -> Dict[str, Any]:
    from .search import Search  # needs DEAP
    with tempfile.TemporaryDirectory(prefix="harmonia-explore-") as scratch:
        e = Evaluator(study, os.path.join(folder.partial, "rounds"), scratch, options.sweep_option, options.folder_option)
        search = Search(study, e)
        search.evolve()
        require_possible(study, e, sorted(search.seen))
        folder.begin()
        try:
            search.run(lambda s: say(f"round {e.rounds}: {len(s.asked)} points simulated, {len(e.front)} on the front"))
            missing = [n for n in study.figures if e.simulated and all(n in e.lacking(f) for f in e.simulated.values())]
            if missing and not (missing == ["time_to_first_token_s"] and study.first_token is not None):
                raise HarmoniaError(2, f"{', '.join(missing)}: no point of this study has such a figure"
                                    + (", expected `first_token` with the settings of a prefill" if "time_to_first_token_s" in missing else ""))
            searched = sorted(e.front)
            extra: Dict[str, Any] = {"searched": {"simulated": len(search.asked), "front": [study.values(p) for p in searched]},
                                     "exact": search.exhausted, "map": None}
            if e.front and study.document["search"]["analyse"]:
                extra["settled"] = analyse.close_front(study, e)
            if e.front and study.document["map"]:
                around = analyse.recommended(study, e)
                wanted = analyse.map_points(study, around)
                e.bound(wanted)
                e.simulate(p for p in wanted if p not in e.refused)
                extra["map"] = analyse.winner_map(study, e, around)
            return finish(study, e, folder, extra, options)
        except BaseException:
            folder.discard_if_new()
            raise


def main(arguments: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="harmonia explore", allow_abbrev=False)
    parser.add_argument("--study", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--resume", action="store_true")
    for name in ("sweep", "folder"):
        parser.add_argument(f"--{name}-option", action="append", default=[])
    options = parser.parse_args(arguments)
    study = Study(json.loads(options.study))
    try:
        folder = Folder(options.output, study, options.resume)
        document = folder.finished() if options.resume else None
        if document is None:
            document = explore(study, folder, options)
    except ImportError as error:
        raise HarmoniaError(1, f"{error}; the search needs DEAP (Debian's python3-deap, which scripts/setup installs)") from error
    except OSError as error:
        raise HarmoniaError(1, f"{error.filename or options.output}: {error.strerror}") from error
    say(summary(document))
    say(f"written to {folder.target} (study.json, front.csv, points.csv)")
    if not document["front"]:
        nearest = min(document["points"], key=lambda p: len(p["breaks"]), default=None)
        text = f"; nearest: {', '.join(f'{k}={v}' for k, v in nearest['values'].items())}, which breaks {', '.join(nearest['breaks'])}" if nearest else ""
        print(f"harmonia: none of {document['simulated']} simulated points meets the constraints{text}", file=sys.stderr)
        return 1
    return 0
