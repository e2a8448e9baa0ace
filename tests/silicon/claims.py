#!/usr/bin/env python3
"""The claims page: cells of its committed tables against a run of today, sizes against docs/area.json, and the verdicts.

    claims.py HARMONIA
"""
import pathlib
import re
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
from harmonia_silicon import claims  # noqa: E402

page = (TOP / "docs" / "claims.md").read_text()


def committed(name):
    found = re.search(rf"<!-- table: {re.escape(name)} -->\n(.*?)\n<!-- end of table -->", page, re.S)
    assert found, f"docs/claims.md has no table {name}"
    return found.group(1).splitlines()


def must_be(lines, name):
    for line in lines:
        assert line in committed(name), f"docs/claims.md, table {name}, has no line\n{line}\nrun scripts/make-pages claims"


def fresh(harmonia, folder):
    study = claims.Study.__new__(claims.Study)
    study.figures = claims.Figures()
    get = lambda name, settings=(): claims.corrected(claims.bounds(harmonia, name, list(settings), folder), study.figures)
    study.base, study.simulated, study.decode = get("claims"), None, None  # most simulated cells take minutes
    claims.check_sizes(study.base, study.figures)
    study.cells = {}
    for memory in ("64 GB/s", "HBM2, 300 MHz"):
        points = get("claims-decode", claims.MEMORIES[memory])
        for batch in (1, 8, 32):
            of = [p for p in points if int(p["row"]["workload.batch"]) == batch]
            study.cells[memory, "decode", f"batch {batch}"] = claims.Cell(of, [n + "-area" for n in claims.FOUR])
    return study


def simulated_cells(harmonia, folder, figures):
    """Decode steps of one sequence are simulated again: seconds."""
    sweep = pathlib.Path(folder) / "one-sequence.yaml"
    text = (claims.SWEEPS / "claims-decode.yaml").read_text()
    assert "workload.batch: [1, 8, 32]" in text
    sweep.write_text(text.replace("workload.batch: [1, 8, 32]", "workload.batch: [1]"))
    return claims.Simulated(harmonia, "one-sequence", folder, figures, sweep)


def the_verdicts_are_those_of_the_tables():
    """The means of the table of simulated cells give the committed verdicts again."""
    cells = {}
    for name, key in (("simulated", "mean of the four"), ("decode, simulated", None)):
        for line in committed(name)[2:]:
            words = [w.strip() for w in line.strip("|").split("|")]
            if key is None or words[0] == key:
                of = cells.setdefault(claims.PREFILL if key else f"decode, batch {words[0]}", ([], []))
                of[0].append(float(words[2]))
                of[1].append(float(words[5]))
    said = {words[0]: words[3] for words in ([w.strip() for w in line.strip("|").split("|")] for line in committed("verdicts, simulated")[2:])}
    assert set(said) == set(cells) and len(said) == 4, (said, cells)
    for what, (speed, energy) in cells.items():
        cell = claims.Cell.__new__(claims.Cell)
        cell.mean_speed, cell.mean_energy = speed, energy
        assert len(speed) == 4 and claims.VERDICTS[cell.verdict()] == said[what], (what, speed, energy, said[what])


def ratios_are_of_baseline_over_harmonia():
    points = [{"name": n, "context": c, "time": t * c, "energy": t * c * c, "area": t} for n, t in (("harmonia", 2.0), ("x", 5.0)) for c in claims.CONTEXTS]
    cell = claims.Cell(points, ["x"])
    assert cell.speed["x"] == [2.5] * 4 and cell.energy["x"] == [2.5] * 4 and cell.area["x"] == 2.5


def verdicts_follow_the_published_ends():
    def of(speed, energy):
        cell = claims.Cell.__new__(claims.Cell)
        cell.mean_speed, cell.mean_energy = speed, energy
        return cell.verdict()
    published = [2.50, 3.0, 3.5, 4.14], [1.54, 2.0, 2.5, 3.35]
    assert of(*published) == "both"
    assert of([2.01] + published[0][1:], published[1]) == "both"      # within a fifth
    assert of([1.99] + published[0][1:], published[1]) == "energy"
    assert of(published[0], [2.5] * 4) == "speed"
    assert of([1.1, 1.5, 2.0, 2.6], [9] * 4) == "growth"
    assert of([2.6, 2.5, 2.6, 2.7], [9] * 4) == "no"                  # does not grow
    assert of([1.1, 1.5, 2.0, 2.4], [9] * 4) == "no"


def main():
    ratios_are_of_baseline_over_harmonia()
    verdicts_follow_the_published_ends()
    with tempfile.TemporaryDirectory() as folder:
        study = fresh(sys.argv[1], folder)
        one = simulated_cells(sys.argv[1], folder, study.figures)
    tables = claims.tables(study)
    for name in ("equal lanes", "equal area", "equal power", "attention", "against FP-FP"):
        must_be(tables[name].splitlines(), name)
    must_be(tables["map"].splitlines(), "map")
    assert len(study.cells) == 6 and len(tables["map"].splitlines()) == 8
    must_be(claims.decode_table(one, [n + "-area" for n in claims.FOUR], [1]).splitlines(), "decode, simulated")
    the_verdicts_are_those_of_the_tables()
    print("docs/claims.md is what a run of today gives")


main()
