#!/usr/bin/env python3
"""harmonia require: the value found reaches the target, the one before it does not; what cannot be is said."""
import os
import subprocess
import unittest

import harmonia
from harmonia import require

SMALL = {"model": "stories260k", "workload.tokens": "1", "workload.context": "64"}
SET = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def program(*words):
    done = subprocess.run([os.environ["HARMONIA"], "require", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout, done.stderr


def tokens_per_s(**values):
    return harmonia.sweep("default", points=[{k.replace("__", "."): v for k, v in values.items()}], settings=SMALL).rows[0]["tokens_per_s"]


class Searching(require.Search):
    """A search over a function instead of simulations."""

    def __init__(self, function, target):
        super().__init__("", {}, target, 1)
        self.function = function

    def figures(self, points):
        return [self.function(p) for p in points]

    def out_of_reach(self, points):
        return [False for _ in points]


class RequireTest(unittest.TestCase):
    def test_the_least_value_reaches_the_target_and_the_one_before_does_not(self):
        base = tokens_per_s(accelerator__decoder__weights_per_cycle=64)
        target = 1.1 * base
        status, out, err = program("default", *SET, "--set", "accelerator.decoder.weights_per_cycle=64", "--target", f"tokens_per_s={target}",
                                   "--full", "--free", "accelerator.decoder.weights_per_cycle")
        self.assertEqual(status, 0, err)
        value = int(float(out.split("weights_per_cycle alone: ")[1].split()[0]))
        self.assertGreaterEqual(tokens_per_s(accelerator__decoder__weights_per_cycle=value), target)
        self.assertLess(tokens_per_s(accelerator__decoder__weights_per_cycle=value - 1), target)

    def test_says_when_no_value_can(self):
        status, out, err = program("default", *SET, "--target", "tokens_per_s=1e9", "--free", "accelerator.dram.channels")
        self.assertEqual(status, 1)
        self.assertIn("accelerator.dram.channels alone: no value up to 320 reaches it", out)
        self.assertIn("no value of accelerator.dram.channels up to 64 times the scenario's reaches tokens_per_s >= 1e+09", err)

    def test_refuses_by_name(self):
        for words, why in ((["--target", "tokens_per_s"], "--target tokens_per_s: expected FIGURE=NUMBER"),
                           (["--target", "speed=3"], "--target speed: is no figure of this scenario, expected one of"),
                           (["--target", "tokens_per_s=3", "--free", "accelerator.dram.chanels"], "--free accelerator.dram.chanels: is no key"),
                           (["--target", "tokens_per_s=3", "--free", "model"], "expected a key whose value is a positive number"),
                           (["--target", "tokens_per_s=3", "--set", "nothing"], "--set nothing: expected path.to.key=value")):
            status, _, err = program("default", *SET, *words)
            self.assertEqual((status, why in err), (2, True), err)
        status, _, err = program("no-such-scenario", "--target", "tokens_per_s=3")
        self.assertEqual(status, 2)
        self.assertIn("no-such-scenario", err)

    def test_a_figure_that_gets_worse_is_said_and_not_bisected(self):
        target = require.target_of("tokens_per_s=30")
        found = require.least_alone(Searching(lambda p: {2: 10.0, 4: 35.0, 8: 20.0}.get(p["k"], 40.0 if p["k"] > 8 else 5.0), target), "k", 2.0, {})
        self.assertEqual(found.value, 4)
        self.assertIn("gets worse from k=4 (35) to 8 (20)", found.monotonic)

    def test_values_that_the_program_refuses_are_passed_over(self):
        target = require.target_of("tokens_per_s=30")
        found = require.least_alone(Searching(lambda p: p["k"] if p["k"] % 4 == 0 else None, target), "k", 4.0, {})
        self.assertEqual(found.value, 32)

    def test_together_is_cheaper_than_one_alone(self):
        # min(a, b) has to reach 10: neither alone can.
        search = Searching(lambda p: min(p["a"], p["b"]), require.target_of("tokens_per_s=10"))
        bases = {"a": 2.0, "b": 4.0}
        alone = [require.least_alone(search, k, bases[k], {j: v for j, v in bases.items() if j != k}) for k in bases]
        self.assertEqual([a.value for a in alone], [None, None])
        self.assertEqual(require.cheapest_together(search, bases, alone), {"a": 10.0, "b": 10.0})

    def test_what_bounds_exclude_is_not_simulated(self):
        asked = []

        class Bounded(Searching):
            def figures(self, points):
                asked.extend(p["k"] for p in points)
                return super().figures(points)

            def out_of_reach(self, points):
                return [p["k"] < 45 for p in points]

        search = Bounded(lambda p: p["k"], require.target_of("tokens_per_s=50"))
        self.assertEqual(require.least_alone(search, "k", 4.0, {}).value, 50)
        self.assertGreaterEqual(min(asked), 45)
        self.assertLess(len(set(asked)), 10)

    def test_the_default_keys_take_few_simulations(self):
        status, out, err = program("default", *SET, "--target", f"tokens_per_s={1.2 * tokens_per_s(seed=1)}")
        self.assertEqual(status, 0, err)
        simulated, excluded = (int(out.split(text)[0].split()[-1]) for text in (" points simulated", " excluded by bounds"))
        self.assertLess(simulated, 200, out)
        self.assertGreater(excluded, 0, out)
        self.assertIn("cheapest together", out)

    def test_times_are_at_most(self):
        target = require.target_of("time_per_token_s=0.5")
        self.assertTrue(target.met_by(0.4) and not target.met_by(0.6))


if __name__ == "__main__":
    unittest.main()
