#!/usr/bin/env python3
"""harmonia explore: the front of a space that is enumerated here, screening, workers, resuming, single changes; what cannot be is said."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from harmonia.evaluate import Evaluator
from harmonia.space import Study, dominates, front_of, hypervolume

# Constraints and fronts here are of the search, not of silicon: published figures stand still when blocks are synthesised anew.
STUDY = """name: small
scenario: default
set: {accelerator.energy.source: published, model: stories260k, workload: {tokens: 1, context: 16}}
parameters:
  weights: [fp16, kmeans4, kmeans1]
  accelerator.pe.rows: {from: 1, to: 16, factor: 4}
  accelerator.dram.channels: [1, 2, 4, 8]
  accelerator.decoder.weights_per_cycle: [4, 32, 256]
  accelerator.clock_mhz: [50, 200, 800]
  sram:
    choices:
      small: {accelerator.activation_buffer.capacity_bytes: 64 KiB, accelerator.weight_buffer.capacity_bytes: 16 KiB}
      large: {accelerator.activation_buffer.capacity_bytes: 256 KiB, accelerator.weight_buffer.capacity_bytes: 256 KiB}
constraints: {area_mm2: {at_most: 2.5}, power_w: {at_most: 1.2}, tokens_per_s: {at_least: 10000}}
objectives: {tokens_per_s: most, area_mm2: least, energy_per_token_j: least}
search: {seed: SEED, population: 18, simulations: 129, analyse: false}
"""


def study_text(seed=1, **replaced):
    text = STUDY.replace("SEED", str(seed))
    for key, line in replaced.items():
        text = "\n".join(f"{key}: {line}" if old.startswith(f"{key}:") else old for old in text.splitlines()) + "\n"
    return text


def program(folder, *words, environment=None):
    done = subprocess.run([os.environ["HARMONIA"], "explore", *words], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          env={**os.environ, **(environment or {})}, timeout=500)
    return done.returncode, done.stdout, done.stderr


def read(folder, text):
    (pathlib.Path(folder) / "study.yaml").write_text(text)
    status, out, err = program(folder, "study.yaml", "--dry-run")
    assert status == 0, err
    return Study(json.loads(out))


def setUpModule():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import deap"], capture_output=True, check=False).returncode == 0:
            return
    print("SKIPPED: no DEAP for the search (python3-deap)")
    sys.exit(77)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="harmonia-explore-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def explore(self, text, *words, **options):
        (self.folder / "study.yaml").write_text(text)
        return program(self.folder, "study.yaml", *words, **options)

    def front(self, name):
        return json.loads((self.folder / name / "study.json").read_text())["front"]


class EnumeratedSpace(Scratch):
    def test_the_front_is_found_with_a_fifth_of_the_points_and_screening_drops_nothing_that_counts(self):
        study = read(self.folder, study_text())
        self.assertGreaterEqual(study.size, 500)
        self.assertLessEqual(study.document["search"]["simulations"], study.size / 5)
        every = list(study.all_points())
        whole = Evaluator(study, str(self.folder / "rounds"), str(self.folder))
        whole.simulate(every)  # refuses figures beyond their bounds
        kept = {p: whole.costs(p) for p in every if whole.accepted(p)}
        truth = front_of(kept)
        self.assertEqual(sorted(c for c in (kept[p] for p in truth)), sorted(whole.front.values()))

        # Screening against the whole front drops most, and nothing that the simulation keeps.
        dropped = {p: why for p in every if (why := whole.why_dropped(p))}
        self.assertGreater(len(dropped), len(every) / 2)
        self.assertIn("dominated", dropped.values())
        self.assertTrue(any(why.startswith("tokens_per_s") for why in dropped.values()))
        for point, why in dropped.items():
            if why == "dominated":
                self.assertTrue(point not in kept or any(dominates(kept[q], kept[point]) for q in truth), study.text(point))
            else:
                self.assertNotIn(point, kept, f"{study.text(point)}: {why}")

        low, high = ([f(c[i] for c in kept.values()) for i in range(3)] for f in (min, max))
        scaled = lambda costs: [[(x - a) / (b - a) for x, a, b in zip(c, low, high)] for c in costs]
        volume = lambda costs: hypervolume(scaled(costs), [1.1] * 3)
        status, out, err = self.explore(study_text(), "-o", "out", "-j", "4")
        self.assertEqual(status, 0, out + err)
        document = json.loads((self.folder / "out" / "study.json").read_text())
        self.assertLessEqual(document["simulated"], study.size / 5)
        found = [study.costs(p["figures"]) for p in document["front"]]
        self.assertGreaterEqual(volume(found), 0.98 * volume(kept[p] for p in truth))
        if document["exact"]:
            self.assertEqual(sorted(found), sorted(kept[p] for p in truth))


class Explore(Scratch):
    def setUp(self):
        super().setUp()
        self.tiny = study_text(parameters="{weights: [kmeans4, kmeans1], accelerator.dram.channels: [1, 2, 4], accelerator.pe.rows: [1, 4, 16]}",
                               search="{seed: 3, population: 4, simulations: 9}", constraints="{area_mm2: {at_most: 4}, power_w: {at_most: 0.9}}")
        self.tiny = "\n".join(line for line in self.tiny.splitlines() if not line.startswith(" ")) + "\n"

    def test_each_point_of_the_front_has_its_limit_and_the_change_that_helps(self):
        status, out, err = self.explore(self.tiny + "map: {of: weights, over: [accelerator.dram.channels, accelerator.pe.rows]}\n", "-o", "out")
        self.assertEqual(status, 0, err)
        study = read(self.folder, self.tiny)
        document = json.loads((self.folder / "out" / "study.json").read_text())
        self.assertTrue(document["settled"])
        for p in document["front"]:
            self.assertIn(p["bound"], ("memory", "compute", "decode", "vector", "buffer", "interconnect"))
            for c in p["changes"]:
                # What is said of a change is what its own run says.
                there = next(q for q in document["points"] if q["values"] == {**p["values"], c["parameter"]: c["to"]})
                for o in study.objectives:
                    before, after = p["figures"][o.figure], there["figures"][o.figure]
                    self.assertAlmostEqual(c["gains"][o.figure], (after / before - 1) * (1 if o.goal == "most" else -1))
                self.assertEqual(c["breaks"], there["breaks"])
            if p["help"]:
                self.assertEqual(p["help"]["gain"], max(c["gains"][p["help"]["figure"]] for c in p["changes"] if bool(c["breaks"]) == bool(p["help"]["breaks"])))
            self.assertEqual(set(p["sensitivity"]), {q.name for q in study.parameters})
        self.assertTrue(any("power_w <= 0.9" in p["binding"] for p in document["front"]))
        cells = document["map"]["cells"]
        self.assertEqual(len(cells), 9)
        self.assertIn("kmeans1", [c["winner"] for c in cells])
        self.assertTrue((self.folder / "out" / "recommended" / "result.json").exists())
        self.assertFalse((self.folder / "out.partial").exists())

    def test_a_study_has_a_page(self):
        self.assertEqual(self.explore(self.tiny + "map: {of: weights, over: [accelerator.dram.channels, accelerator.pe.rows]}\n", "-o", "out")[0], 0)
        done = subprocess.run([os.environ["HARMONIA"], "report", "out"], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode == 1 and "scripts/setup installs" in done.stderr:
            self.skipTest("SKIPPED: no matplotlib or no Jinja2")
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.folder / "out" / "report.html").read_text()
        self.assertNotIn("<script src", page)
        self.assertEqual(page.count("<svg "), 5)
        for section in ("Pareto front", "Parallel coordinates", "Binding constraints", "Best value over two parameters", "Most useful change of each point", "Sensitivity", "Assumptions"):
            self.assertIn(f">{section}</h2>", page)
        document = json.loads((self.folder / "out" / "study.json").read_text())
        for p in document["front"]:
            self.assertTrue(not p["help"] or f'{p["help"]["from"]} to {p["help"]["to"]}' in page)
        del document["front"][0]["bound"]
        (self.folder / "out" / "study.json").write_text(json.dumps(document))
        done = subprocess.run([os.environ["HARMONIA"], "report", "out"], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, "the key 'bound' is missing" in done.stderr), (2, True), done.stderr)

    def test_results_name_inputs_by_built_in_names_and_relative_paths(self):
        (self.folder / "mine.yaml").write_text("base: default\nmodel: stories260k\n")
        text = self.tiny.replace("simulations: 9", "simulations: 4, analyse: false")
        for scenario, named in (("default", "default"), (f"{self.folder}/mine.yaml", "./mine.yaml")):
            status, _, err = self.explore(text.replace("scenario: default", f"scenario: {scenario}"), "-o", "out")
            self.assertEqual(status, 0, err)
            self.assertEqual(json.loads((self.folder / "out" / "study.json").read_text())["study"]["scenario"], named)
            files = [f for f in (self.folder / "out").rglob("*") if f.is_file()]
            self.assertGreater(len(files), 8)
            for file in files:
                for place in (str(self.folder), str(pathlib.Path(__file__).resolve().parents[2])):
                    self.assertNotIn(place.encode() + b"/", file.read_bytes(), file)

    def test_the_first_token_has_a_run_of_its_own(self):
        text = self.tiny.replace("area_mm2: {at_most: 4}", "time_to_first_token_s: {at_most: 6e-5}") + "first_token: {workload: {context: 24}}\n"
        status, out, err = self.explore(text, "-o", "out")
        self.assertEqual(status, 0, err)
        times = [p["figures"]["time_to_first_token_s"] for p in json.loads((self.folder / "out" / "study.json").read_text())["points"]]
        known = [t for t in times if t is not None]
        self.assertTrue(min(known) < 6e-5 < max(known), times)
        self.assertTrue(all(p["figures"]["time_to_first_token_s"] <= 6e-5 for p in self.front("out")))

    def test_a_floor_of_quality_is_measured_on_a_real_model(self):
        data = os.environ.get("HARMONIA_DATA")
        if not data:
            self.skipTest("SKIPPED: no HARMONIA_DATA, where a real model is")
        models = pathlib.Path(data) / "data" / "models"
        text = pathlib.Path(__file__).parents[2] / "workloads" / "texts" / "story-kite.txt"
        (self.folder / "text.txt").write_text(text.read_text()[:400])
        quality = f"quality: {{weights: {models}/stories260K.bin, tokenizer: {models}/tok512.bin, texts: [text.txt]}}\n"
        status, out, err = self.explore(self.tiny.replace("area_mm2: {at_most: 4}", "perplexity: {at_most: 20}") + quality, "-o", "out")
        self.assertEqual(status, 0, out + err)
        front = self.front("out")
        self.assertEqual({p["values"]["weights"] for p in front}, {"kmeans4"})  # one bit without training says nothing
        words = ["compare", "default", "--set", "model=stories260k", "--set", "workload.tokens=1", "--over", "weights=kmeans4,kmeans1",
                 "--weights", f"{models}/stories260K.bin", "--tokenizer", f"{models}/tok512.bin", "--text", "text.txt", "-o", "compared"]
        subprocess.run([os.environ["HARMONIA"], *words], cwd=self.folder, capture_output=True, check=True)
        self.assertIn(repr(front[0]["figures"]["perplexity"]), (self.folder / "compared" / "compare.json").read_text())

    def test_whoever_works_the_files_are_the_same(self):
        words = {"one": ["-j", "1"], "four": ["-j", "4"]}
        if shutil.which("parallel") is not None:
            words["engine"] = ["--engine", "parallel", "--workers", "4"]
        for name, how in words.items():
            status, out, err = self.explore(self.tiny, "-o", name, *how)
            self.assertEqual(status, 0, out + err)
            for file in ("front.csv", "points.csv"):
                self.assertEqual((self.folder / name / file).read_bytes(), (self.folder / "one" / file).read_bytes())

    def test_killed_and_gone_on_with_it_is_that_of_one_go(self):
        self.assertEqual(self.explore(self.tiny, "-o", "whole", "-j", "2")[0], 0)
        child = subprocess.Popen([os.environ["HARMONIA"], "explore", "study.yaml", "-o", "cut", "-j", "1"], cwd=self.folder, stdout=subprocess.DEVNULL,
                                 start_new_session=True)
        while not (self.folder / "cut.partial/rounds/0002").exists():
            self.assertIsNone(child.poll(), "ended before it could be killed")
            time.sleep(0.002)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.assertFalse((self.folder / "cut").exists())
        status, _, err = self.explore(self.tiny, "-o", "cut")
        self.assertEqual((status, "expected --resume" in err), (2, True), err)
        status, _, err = self.explore(self.tiny.replace("seed: 3", "seed: 4"), "-o", "cut", "--resume")
        self.assertEqual((status, "of another study" in err), (2, True), err)
        status, _, err = self.explore(self.tiny, "-o", "cut", "--resume")
        self.assertEqual(status, 0, err)
        for name in ("front.csv", "points.csv", "study.json"):
            self.assertEqual((self.folder / "cut" / name).read_bytes(), (self.folder / "whole" / name).read_bytes())
        status, out, _ = self.explore(self.tiny, "-o", "cut", "--resume")
        self.assertEqual(status, 0)
        self.assertNotIn("round", out)  # nothing was left to do

    # --------------------------------------------------------------------------------------------------------- bad input
    def nothing_is_left(self):
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("out")], [])

    def test_a_constraint_that_no_point_can_meet_is_said_before_anything_runs(self):
        status, out, err = self.explore(self.tiny.replace("area_mm2: {at_most: 4}", "tokens_per_s: {at_least: 1e7}"), "-o", "out")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"no point of the space can meet the constraints. tokens_per_s >= 1e\+07: the best that any point can have by its bounds "
                              r"is [0-9.e+]+. Nothing was simulated")
        self.nothing_is_left()

    def test_constraints_that_no_simulated_point_meets_are_said_with_the_nearest_one(self):
        # Between what bounds promise and what is reached.
        status, out, err = self.explore(self.tiny.replace("power_w: {at_most: 0.9}", "time_per_token_s: {at_most: 5e-6}"), "-o", "out")
        self.assertEqual(status, 1, out + err)
        self.assertRegex(err, "simulated points meets the constraints; nearest: weights=.*, which breaks time_per_token_s <= 5e-06")
        self.assertEqual(self.front("out"), [])

    def test_a_space_that_the_program_refuses(self):
        status, _, err = self.explore(self.tiny.replace("tokens: 1,", "tokens: 1, batch: 4096,").replace("set: {", "set: {accelerator.dram.channel.rows: 64, "), "-o", "out")
        self.assertEqual(status, 2)
        self.assertIn("the program refuses every point of the study, the first one because: ", err)
        self.assertIn("does not fit", err)
        self.nothing_is_left()

    def test_a_figure_without_its_run(self):
        status, _, err = self.explore(self.tiny.replace("area_mm2: {at_most: 4}", "time_to_first_token_s: {at_most: 1}"), "-o", "out")
        self.assertEqual(status, 2)
        self.assertIn("time_to_first_token_s: no point of this study has such a figure, expected `first_token`", err)

    def test_an_engine_that_is_missing_or_refuses_leaves_nothing(self):
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "python3").symlink_to(os.path.realpath(sys.executable))
        (tools / "sh").symlink_to(shutil.which("sh"))
        status, _, err = self.explore(self.tiny, "-o", "out", "--engine", "slurm", environment={"PATH": str(tools)})
        self.assertEqual((status, "sbatch is missing" in err), (1, True), err)
        self.nothing_is_left()
        (tools / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
        (tools / "sbatch").chmod(0o755)
        status, _, err = self.explore(self.tiny, "-o", "out", "--engine", "slurm", environment={"PATH": str(tools)})
        self.assertEqual((status, "sbatch refused: sbatch: error: invalid partition" in err), (1, True), err)
        self.nothing_is_left()
        status, _, err = self.explore(self.tiny, "-o", "out", "--engine", "slumr")
        self.assertEqual((status, "nearest known engine is 'slurm'" in err), (2, True), err)
        self.nothing_is_left()

    def test_folders_that_are_in_the_way_are_left_as_they_are(self):
        for name in ("out", "out.partial"):
            (self.folder / name).mkdir()
            (self.folder / name / "mine").write_text("x")
            status, _, err = self.explore(self.tiny, "-o", "out", "--resume")
            self.assertEqual((status, "left as it is" in err), (2, True), err)
            self.assertEqual(sorted(os.listdir(self.folder / name)), ["mine"])
            shutil.rmtree(self.folder / name)

    def test_a_result_that_cannot_be_read_is_named_so(self):
        out = self.folder / "out"
        (out / "study.json").mkdir(parents=True)
        (out / ".harmonia-result").touch()
        status, _, err = self.explore(self.tiny, "-o", "out", "--resume")
        self.assertEqual((status, err), (1, f"harmonia: cannot read {out}/study.json: Is a directory\n"))
        (out / "study.json").rmdir()
        (out / "study.json").write_text("{")
        status, _, err = self.explore(self.tiny, "-o", "out", "--resume")
        self.assertEqual((status, f"{out}/study.json: is no JSON" in err), (1, True), err)

    def test_a_folder_that_is_full_or_read_only(self):
        (self.folder / "study.yaml").write_text(self.tiny)
        (self.folder / "d").mkdir()

        def mounted(options, script):
            words = ["unshare", "--mount", "--map-root-user", "sh", "-c", f"mount -t tmpfs {options} none d || exit 77; {script}"]
            return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)

        harmonia = os.environ["HARMONIA"]
        if shutil.which("unshare") is None or mounted("", "true").returncode != 0:
            self.skipTest("SKIPPED: this user may not mount a file system of its own")
        done = mounted("-o ro", f"'{harmonia}' explore study.yaml -o d/out; echo status $?; ls -A d")
        self.assertEqual(done.stdout.split("\n")[-2:], ["status 1", ""], done.stdout + done.stderr)
        self.assertIn("Read-only file system", done.stderr)
        done = mounted("-o size=48k", f"'{harmonia}' explore study.yaml -o d/out; echo status $?; ls d; mount -o remount,size=64m d; "
                                      f"'{harmonia}' explore study.yaml -o d/out --resume; echo status $?; ls d")
        self.assertIn("No space left on device", done.stderr)
        said = [line for line in done.stdout.splitlines() if line.startswith(("status", "out"))]
        self.assertNotEqual(said[0], "status 0")
        self.assertEqual(said[1:], ["out.partial", "status 0", "out"], done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
