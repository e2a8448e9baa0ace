"""docs/claims.md: the Harmonia paper's claims beside a study in one flow. scripts/make-pages runs it and puts the tables into the page.

Times and energies are those of `harmonia sweep --bounds`: the least that each step's bytes, products and decoded weights allow at
measured rates and energies, without simulating; a prefill and decode steps of the four baselines are simulated too, at every length.
"""
import csv
import io
import json
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
SWEEPS = TOP / "workloads" / "sweeps"
PICTURE = TOP / "docs" / "claims.svg"

# What the paper claims, by secondary accounts for the growth: at 2048 and at 16384 tokens.
SPEED, ENERGY, AREA_EFFICIENCY = (2.50, 4.14), (1.54, 3.35), 3.84
TOLERANCE = 0.2

MEMORIES = {
    "32 GB/s": ["accelerator.dram={preset: LPDDR4-3200, channels: 5, channel: {ranks: 4}}"],
    "64 GB/s": [],
    "128 GB/s": ["accelerator.dram.channels=10"],
    "256 GB/s": ["accelerator.dram.channels=20"],
    "HBM2, 300 MHz": ["accelerator.dram={preset: HBM2-2000, channels: 16, channel: {ranks: 2}}", "accelerator.clock_mhz=300"],
}
BASE = "64 GB/s"
CONTEXTS = [2048, 4096, 8192, 16384]
FOUR = ["fp-fp", "fp-int", "figna", "anda"]  # the map's baselines, at equal area
PREFILL = "prefill"
ALL = ["fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "anda"]
KINDS = {"fp-fp": "fp16", "fp-int": "fp_int", "ifpu": "ifpu", "figna": "figna", "figna-m11": "figna_m11", "figna-m8": "figna_m8", "anda": "anda"}
BATCHES = [1, 8, 32]
BUFFERS = {"128 KiB": 131072, "512 KiB": 524288, "4 MiB": 4194304}
ATTENTION = ["online", "fused", "unfused"]


def environment():
    return dict(os.environ, HARMONIA_WORKLOADS=str(TOP / "workloads"))


def bounds(harmonia, name, settings, folder, sweep=None):
    """Rows of `harmonia sweep --bounds`; what `folder` holds already is taken as it is, so that a killed run goes on."""
    label = name + "".join("-" + "".join(c if c.isalnum() else "_" for c in s) for s in settings)
    kept = pathlib.Path(folder) / (label + ".csv")
    if not kept.is_file():
        command = [harmonia, "sweep", str(sweep or SWEEPS / (name + ".yaml")), "--bounds"]
        for s in settings:
            command += ["--set", s]
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        if done.returncode:
            raise SystemExit(f"make-pages: {name}: {done.stderr.strip()}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".new").write_text(done.stdout)
        os.replace(kept.with_suffix(".new"), kept)
    rows = list(csv.DictReader(io.StringIO(kept.read_text())))
    for r in rows:
        if r["status"] != "ok":
            raise SystemExit(f"make-pages: {name}, point {r['point']}: {r['reason']}")
    return rows


class Figures:
    """Laws of docs/area.json that say what an array that is smaller or larger than 16 x 8 PEs takes."""

    def __init__(self):
        cells = json.loads((TOP / "docs" / "area.json").read_text())["cells"]
        self.laws, self.node = cells["laws"]["pe"], cells["nodes"]["28"]
        self.static_w_per_mm2 = cells["static_mw_per_mm2"] * 1e-3

    def pe_mm2(self, design):
        law = self.laws[KINDS[design]]
        return (law["fixed_um2"] + 32 * law["lane_um2"]) * self.node["area"] * 1e-6

    def power(self, design):
        """Of a PE at full rate, beside Harmonia's. Anda's finishes two groups a cycle."""
        return self.laws[KINDS[design]]["mac_pj"] / self.laws["harmonia"]["mac_pj"] * (2 if design == "anda" else 1)


def corrected(rows, figures):
    """Numbers of a point: the PEs that a smaller array does not have take neither area nor static power. A larger array's the program counts."""
    out = []
    for r in rows:
        p = {"name": r["accelerator.name"], "context": int(r["workload.context"]), "time": float(r["time_per_token_s"]),
             "energy": float(r["energy_per_token_j"]), "area": float(r["area_mm2"]), "row": r}
        if r["accelerator"] != "harmonia":
            surplus = 128 * max(0, 1 - 1 / float(r["accelerator.pe.cycles_per_group"])) * figures.pe_mm2(r["accelerator"])
            p["area"] -= surplus
            p["energy"] -= surplus * figures.static_w_per_mm2 * p["time"]
        out.append(p)
    return out


def check_sizes(points, figures):
    """The committed sizes are those of the committed figures."""
    ours = next(p["area"] for p in points if p["name"] == "harmonia")
    for p in points:
        kind = p["name"].rsplit("-", 1)[-1]
        if kind == "area" and abs(p["area"] / ours - 1) > 0.005:
            raise SystemExit(f"make-pages: {p['name']} takes {p['area']:.3f} mm2, Harmonia {ours:.3f}: workloads/sweeps/claims*.yaml are of other figures than docs/area.json")
        if kind == "power":
            wanted = figures.power(p["row"]["accelerator"])
            if abs(float(p["row"]["accelerator.pe.cycles_per_group"]) / wanted - 1) > 0.005:
                raise SystemExit(f"make-pages: {p['name']} is entered with {p['row']['accelerator.pe.cycles_per_group']} cycles a group, docs/area.json gives {wanted:.3f}")


class Cell:
    """Ratios of baselines to Harmonia in one place of the study, at the four lengths."""

    def __init__(self, points, names):
        at = {(p["name"], p["context"]): p for p in points}
        ratio = lambda n, c, k: at[n, c][k] / at["harmonia", c][k]
        self.speed = {n: [ratio(n, c, "time") for c in CONTEXTS] for n in names}
        self.energy = {n: [ratio(n, c, "energy") for c in CONTEXTS] for n in names}
        self.area = {n: ratio(n, CONTEXTS[0], "area") for n in names}
        mean = lambda of: [sum(of[n][i] for n in names) / len(names) for i in range(len(CONTEXTS))]
        self.mean_speed, self.mean_energy = mean(self.speed), mean(self.energy)

    def verdict(self):
        """both, energy, speed, growth or no: which published ends are met within a fifth, else whether it grows to 2.5 at 16k."""
        met = lambda found, published: all(abs(f / p - 1) <= TOLERANCE for f, p in zip((found[0], found[-1]), published))
        speed, energy = met(self.mean_speed, SPEED), met(self.mean_energy, ENERGY)
        if speed and energy:
            return "both"
        if energy:
            return "energy"
        if speed:
            return "speed"
        grows = all(b > a for a, b in zip(self.mean_speed, self.mean_speed[1:]))
        return "growth" if grows and self.mean_speed[-1] >= SPEED[0] else "no"


class Study:
    def __init__(self, harmonia, folder):
        self.figures = Figures()
        get = lambda name, settings=(): corrected(bounds(harmonia, name, list(settings), folder), self.figures)
        self.base = get("claims")
        check_sizes(self.base, self.figures)
        self.cells = {}     # (memory, phase, what) of the map
        four = [n + "-area" for n in FOUR]
        for memory, settings in MEMORIES.items():
            points = get("claims-map", settings)
            for attention in ATTENTION:
                for title, size in BUFFERS.items():
                    of = [p for p in points if p["row"]["accelerator.sequencer.attention"] == attention and kib(p["row"]) == size]
                    self.cells[memory, "prefill", f"{attention}, {title}"] = Cell(of, four)
            points = get("claims-decode", settings)
            for batch in BATCHES:
                of = [p for p in points if int(p["row"]["workload.batch"]) == batch]
                self.cells[memory, "decode", f"batch {batch}"] = Cell(of, four)
        self.simulated = Simulated(harmonia, "claims-simulated", folder, self.figures)
        self.decode = Simulated(harmonia, "claims-decode", folder, self.figures)
        self.attention = Simulated(harmonia, "claims-attention", folder, self.figures)


class Simulated:
    """Points of a sweep as simulated, and the least that formulas say of the same points."""

    def __init__(self, harmonia, name, folder, figures, sweep=None):
        sweep = sweep or SWEEPS / (name + ".yaml")
        out = pathlib.Path(folder) / (name + "-simulated")
        if not (out / "sweep.csv").is_file():
            done = subprocess.run([harmonia, "sweep", str(sweep), "-o", str(out), "--resume"], stdout=subprocess.DEVNULL, env=environment())
            if done.returncode:
                raise SystemExit(f"make-pages: {name} did not run")
        rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
        self.points, self.least = corrected(rows, figures), corrected(bounds(harmonia, name, [], folder, sweep), figures)
        # An eighth of a layer at full rate is the whole point of a formula: no run may be below it.
        for p, q in zip(self.points, self.least):
            if (p["name"], p["context"]) != (q["name"], q["context"]) or p["time"] < q["time"] * (1 - 1e-9):
                raise SystemExit(f"make-pages: {name}: {p['name']} at {p['context']} tokens took {p['time']:.3g} s, the formulas say {q['time']:.3g} s at least")

    def sampling_error(self):
        return max(float(p["row"]["error_estimate"]) for p in self.points)

    def only(self, key, value):
        """Simulated and least points of one value of a key."""
        return ([p for p in of if p["row"][key] == str(value)] for of in (self.points, self.least))


def attention_share(context):
    """Products of attention over products of the linears of a Llama-2-7B layer, mean over a prompt."""
    hidden, feed_forward = 4096, 11008
    return 2 * hidden * context / 2 / (4 * hidden**2 + 3 * hidden * feed_forward)


def slower_attention(rate, times, context):
    """Time over Harmonia's where the array is the limit: `rate` cycles a group of the linears, `times` as many for attention."""
    share = attention_share(context)
    return rate * (1 + times * share) / (1 + share)


def kib(row):
    text = row["accelerator.activation_buffer.capacity_bytes"]
    number, _, unit = text.partition(" ")
    return int(float(number) * {"": 1, "KiB": 1024, "MiB": 1 << 20}[unit])


def table(head, rows):
    line = lambda cells: "| " + " | ".join(str(c) for c in cells) + " |"
    return "\n".join([line(head), "|" + "---|" * len(head)] + [line(r) for r in rows])


def numbers(values):
    return [f"{v:.2f}" for v in values]


def off(simulated, formula):
    return f"{100 * (simulated / formula - 1):+.0f} %"


def pairs(speed, least_speed, energy, least_energy):
    """Simulated and by formulas, and how far the first is from the second."""
    return [*numbers([speed, least_speed]), off(speed, least_speed), *numbers([energy, least_energy]), off(energy, least_energy)]


PAIRS = ["speed, simulated", "by formulas", "off", "energy, simulated", "by formulas", "off"]


def simulated_table(simulated, names):
    """Each baseline at each length, the means, and what of the time formulas do not know."""
    cell, least = Cell(simulated.points, names), Cell(simulated.least, names)
    time, bound = ({(p["name"], p["context"]): p["time"] for p in of} for of in (simulated.points, simulated.least))
    above = lambda n, c: f"{100 * (time[n, c] / bound[n, c] - 1):.0f} %"
    rows = [[n, f"{c // 1024}k", *pairs(cell.speed[n][i], least.speed[n][i], cell.energy[n][i], least.energy[n][i]), above(n, c), above("harmonia", c)]
            for n in names for i, c in enumerate(CONTEXTS)]
    rows += [["mean of the four", f"{c // 1024}k", *pairs(cell.mean_speed[i], least.mean_speed[i], cell.mean_energy[i], least.mean_energy[i]), "-", "-"] for i, c in enumerate(CONTEXTS)]
    return table(["Harmonia against", "tokens", *PAIRS, "its time above the least", "Harmonia's"], rows)


def decode_table(simulated, names, batches):
    """The means of a decode step over batch and length, and the baseline whose speed formulas are farthest off at."""
    rows = []
    for batch in batches:
        cell, least = (Cell(points, names) for points in simulated.only("workload.batch", batch))
        for i, c in enumerate(CONTEXTS):
            worst = max(names, key=lambda n: abs(cell.speed[n][i] / least.speed[n][i] - 1))
            rows.append([batch, f"{c // 1024}k", *pairs(cell.mean_speed[i], least.mean_speed[i], cell.mean_energy[i], least.mean_energy[i]),
                         f"{off(cell.speed[worst][i], least.speed[worst][i])} ({worst.removesuffix('-area')})"])
    return table(["batch", "tokens", *PAIRS, "farthest off in speed"], rows)


def attention_table(simulated):
    rows, at = [], lambda of, n, c: next(p for p in of if (p["name"], p["context"]) == (n, c))
    for p in simulated.points:
        if p["name"] == "harmonia-attention":
            continue
        ours, least, our_least = at(simulated.points, "harmonia-attention", p["context"]), at(simulated.least, p["name"], p["context"]), at(simulated.least, "harmonia-attention", p["context"])
        rows.append([p["name"], f"{p['context'] // 1024}k", *pairs(p["time"] / ours["time"], least["time"] / our_least["time"], p["energy"] / ours["energy"], least["energy"] / our_least["energy"])])
    return table(["Harmonia against", "tokens", *PAIRS], rows)


def verdict_table(study):
    """The claim in the cells that were simulated, by simulation and by formulas."""
    cells = [(PREFILL, study.simulated.points, study.simulated.least)]
    cells += [(f"decode, batch {batch}", *study.decode.only("workload.batch", batch)) for batch in BATCHES]
    rows = []
    names = [n + "-area" for n in FOUR]
    for what, points, least in cells:
        cell, formula = Cell(points, names), Cell(least, names)
        rows.append([what, f"{cell.mean_speed[0]:.2f} to {cell.mean_speed[-1]:.2f}", f"{cell.mean_energy[0]:.2f} to {cell.mean_energy[-1]:.2f}", VERDICTS[cell.verdict()], VERDICTS[formula.verdict()]])
    return table(["at 64 GB/s", "mean speed, 2k to 16k", "mean energy", "simulated, the claim", "by formulas"], rows)


VERDICTS = {"both": "speed and energy as published", "energy": "energy as published", "speed": "speed as published", "growth": "grows, at 16k above 2.5",
            "no": "no"}


def tables(study):
    lengths = [f"{c // 1024}k" for c in CONTEXTS]
    out = {}
    for size in ("lanes", "area", "power"):
        names = [f"{n}-{size}" for n in ALL]
        cell = Cell(study.base, names)
        ours = next(p["area"] for p in study.base if p["name"] == "harmonia")
        rows = [[n, f"{cell.area[m] * ours:.2f}"] + numbers(cell.speed[m]) + numbers(cell.energy[m]) + numbers([cell.area[m] * cell.speed[m][0], cell.area[m] * cell.speed[m][-1]])
                for n, m in zip(ALL, names)]
        four = Cell(study.base, [f"{n}-{size}" for n in FOUR])
        efficiency = [sum(four.area[n] * four.speed[n][i] for n in four.speed) / len(FOUR) for i in (0, -1)]
        rows.append(["mean of " + ", ".join(FOUR), "-"] + numbers(four.mean_speed) + numbers(four.mean_energy) + numbers(efficiency))
        out[f"equal {size}"] = table(["Harmonia against", "its mm2"] + [f"speed {c}" for c in lengths] + [f"energy {c}" for c in lengths] + ["area efficiency 2k", "16k"], rows)
    published = json.loads((TOP / "workloads" / "published" / "harmonia-baselines.json").read_text())["relative_to_fp_fp"]
    at = {p["name"]: p for p in study.base if p["context"] == CONTEXTS[0]}
    base, rows = at["fp-fp-lanes"], []
    for name in ALL + ["harmonia"]:
        p, of = at.get(name + "-lanes", at[name] if name in at else None), published.get(name, {})
        speed, area, energy = base["time"] / p["time"], base["area"] / p["area"], base["energy"] / p["energy"]
        rows.append([name, f"{speed:.2f}", of.get("speed", "-"), f"{speed * area:.2f}", of.get("area_efficiency", "-"), f"{energy:.2f}", of.get("energy_efficiency", "-")])
    out["against FP-FP"] = table(["design", "speed", "published", "area efficiency", "published", "energy efficiency", "published"], rows)
    rows = [[phase, what, memory] + numbers(c.mean_speed) + numbers(c.mean_energy) + [VERDICTS[c.verdict()]] for (memory, phase, what), c in
            sorted(study.cells.items(), key=lambda i: (i[0][1] != "prefill", list(dict.fromkeys(k[2] for k in study.cells)).index(i[0][2]), list(MEMORIES).index(i[0][0])))]
    out["map"] = table(["phase", "attention and activation buffer, or batch", "memory"] + [f"speed {c}" for c in lengths] + [f"energy {c}" for c in lengths] + ["the claim"], rows)
    count = {v: sum(c.verdict() == v for c in study.cells.values()) for v in VERDICTS}
    out["count"] = table(["of the cells of the map", "number of " + str(len(study.cells))], [[VERDICTS[v], n] for v, n in count.items()])
    rates = {p["name"]: float(p["row"]["accelerator.pe.cycles_per_group"]) * (0.5 if "anda" in p["name"] else 1) for p in study.base if p["name"] in [f"{n}-area" for n in FOUR]}
    out["attention"] = table(["attention, times the cycles of the linears"] + [f"mean speed {c}" for c in lengths],
                             [[k] + numbers([sum(slower_attention(r, k, c) for r in rates.values()) / len(rates) for c in CONTEXTS]) for k in (1, 2, 4, 8)])
    four = [n + "-area" for n in FOUR]
    if study.simulated:
        out["simulated"] = simulated_table(study.simulated, four)
        out["slower attention, simulated"] = attention_table(study.attention)
        out["verdicts, simulated"] = verdict_table(study)
    if study.decode:
        out["decode, simulated"] = decode_table(study.decode, four, BATCHES)
    return out


COLOURS = {"both": "#1b7837", "energy": "#7fbf7b", "speed": "#80b1d3", "growth": "#fee08b", "no": "#e0e0e0"}


def picture(study, file=PICTURE):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "harmonia", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot
    from matplotlib.patches import Patch
    rows = list(dict.fromkeys((p, w) for _, p, w in study.cells))
    figure, axes = pyplot.subplots(figsize=(10.5, 7.2))
    for y, (phase, what) in enumerate(rows):
        for x, memory in enumerate(MEMORIES):
            c = study.cells[memory, phase, what]
            axes.add_patch(pyplot.Rectangle((x, y), 1, 1, facecolor=COLOURS[c.verdict()], edgecolor="white", linewidth=2))
            axes.text(x + 0.5, y + 0.36, f"speed {c.mean_speed[0]:.1f} to {c.mean_speed[-1]:.1f}", ha="center", va="center")
            axes.text(x + 0.5, y + 0.70, f"energy {c.mean_energy[0]:.1f} to {c.mean_energy[-1]:.1f}", ha="center", va="center")
    axes.set_xlim(0, len(MEMORIES))
    axes.set_ylim(len(rows), 0)
    axes.set_xticks([i + 0.5 for i in range(len(MEMORIES))], list(MEMORIES))
    axes.set_yticks([i + 0.5 for i in range(len(rows))], [f"{p}, {w}" for p, w in rows])
    axes.tick_params(length=0)
    axes.set_title(f"Mean of {', '.join(FOUR)} over Harmonia at equal area, 2k to 16k tokens\n(published: speed {SPEED[0]} to {SPEED[1]}, energy {ENERGY[0]} to {ENERGY[1]})")
    axes.legend(handles=[Patch(facecolor=COLOURS[v], label=VERDICTS[v]) for v in VERDICTS], loc="upper center", bbox_to_anchor=(0.5, -0.05), ncol=3, frameon=False)
    for side in axes.spines.values():
        side.set_visible(False)
    figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
