"""The page that compares two results: main figures beside each other, where the time goes, bandwidth over time in one plot, keys that differ."""
import json
import os

from . import figures
from .cli import KINDS, Unreadable, read_document
from .page import Page
from .plots import COLOURS, LINES, plt, scaled, style
from .run import TRAFFIC, bandwidth_series
from .text import si, words

MAIN = ("simulated_seconds", "output_tokens_per_s", "latency.time_to_first_token_s.mean", "latency.time_per_output_token_s.mean", "latency.end_to_end_s.p99",
        "effective_bits_per_weight", "weight_bytes", "bandwidth.bytes", "bandwidth.achieved_bytes_per_s", "bandwidth.utilisation", "energy.total_j",
        "energy.per_token_j", "area.total_mm2", "bound", "fidelity.error_estimate")

# Where a title is short because it stands under a heading in other tables.
TITLES = {"bandwidth.achieved_bytes_per_s": "DRAM bandwidth", "bandwidth.utilisation": "DRAM utilisation", "energy.total_j": "total energy", "area.total_mm2": "area",
          "bound": "bound by", "effective_bits_per_weight": "bits per weight"}


def document(root, name):
    for file, _ in KINDS:
        path = os.path.join(root, name, file)
        if os.path.exists(path):
            d = read_document(path)
            return ("run" if file == "result.json" and "kind" not in d else d.get("kind", file[:-5]) if file == "result.json" else file[:-5]), d
    raise Unreadable(f"{name}: holds no result")


def value(d, path):
    for key in path.split("."):
        if not isinstance(d, dict) or key not in d:
            return None
        d = d[key]
    return d


def flat(d, path=""):
    """{path: value} of every text and number in a document; lists of maps by their place."""
    if isinstance(d, dict):
        items = d.items()
    elif isinstance(d, list):
        items = ((str(i), v) for i, v in enumerate(d))
    else:
        return {path: d}
    found = {}
    for key, v in items:
        found.update(flat(v, f"{path}.{key}" if path else key))
    return found


def ratio(a, b):
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (a, b))
    if not numbers or a == 0:
        return "equal" if a == b else "-" if not numbers else "from 0"
    return "equal" if a == b else f"{b / a:.3f}x ({100 * (b / a - 1):+.1f} %)"


def pair_page(root, a, b):
    (kind_a, da), (kind_b, db) = document(root, a), document(root, b)
    page = Page(f"{a} and {b}", "First and second result side by side; ratios are second over first")
    if kind_a != kind_b:
        page.section("Main figures")
        page.text(f"The first is a result of kind '{kind_a}', the second of kind '{kind_b}': such results have no figures in common.")
        return page
    if kind_a == "run":
        runs(page, root, a, b, da, db)
    else:
        page.section("Figures that differ")
        everything(page, da, db, ("provenance", "assumptions", "wall_seconds"))
    page.section("Configuration that differs")
    before, after = (flat(d.get("provenance", {}).get("config", {})) for d in (da, db))
    changed = [[k, shown(before.get(k)), shown(after.get(k))] for k in dict.fromkeys([*before, *after]) if before.get(k) != after.get(k)]
    if changed:
        page.table("Keys whose values differ", ["key", "first", "second"], changed)
    else:
        page.text("No key differs.")
    return page


def shown(v):
    return "-" if v is None else v if isinstance(v, str) else json.dumps(v)


def everything(page, da, db, without):
    fa, fb = flat(da), flat(db)
    rows = [[k, shown(fa.get(k)), shown(fb.get(k)), ratio(fa.get(k), fb.get(k))] for k in dict.fromkeys([*fa, *fb])
            if fa.get(k) != fb.get(k) and not k.startswith(without)]
    if not rows:
        page.text("No figure differs.")
        return
    page.table(f"Figures that differ{'; the first 300 of ' + str(len(rows)) if len(rows) > 300 else ''}", ["figure", "first", "second", "second / first"], rows[:300])


def runs(page, root, a, b, da, db):
    page.section("Main figures")
    rows = []
    for path in MAIN:
        x, y = value(da, path), value(db, path)
        if x is None and y is None:
            continue
        cell = lambda v: "-" if v is None else figures.cell(path, v, digits=4)
        unit = figures.RESULT[path]["unit"]
        title = TITLES.get(path, figures.title(path))
        if path.startswith("latency."):
            title = f"{figures.title(path.rsplit('.', 1)[0])}, {path.rsplit('.', 1)[1]}"
        rows.append([f"{title} ({unit})" if unit in ("token/s", "mm2") else title, cell(x), cell(y), ratio(x, y)])
    page.table("Main figures", ["figure", "first", "second", "second / first"], rows)

    page.section("Bandwidth over time")
    series = [bandwidth_series(os.path.join(root, name), d) for name, d in ((a, da), (b, db))]
    if all(series):
        unit, prefix = scaled(max(s[0][-1] for s in series))
        totals = [(edges, [sum(by[t].values()) / 1e9 for t in sorted(by)]) for edges, by in series]
        figure, axes = plt.subplots(figsize=(9, 4))
        for i, ((edges, heights), name) in enumerate(zip(totals, (a, b))):
            axes.step([e / unit for e in edges], heights + heights[-1:], where="post", color=COLOURS[5 * i], linestyle=LINES[i], label=f"{'first' if i == 0 else 'second'}: {name}")
        axes.set_xlabel(f"simulated time ({prefix}s)")
        axes.set_ylabel("DRAM bandwidth (GB/s)")
        axes.set_ylim(0)
        axes.set_xlim(0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2, fontsize=9)
        # On one axis of times, as an interactive plot needs it.
        times = sorted(set(totals[0][0]) | set(totals[1][0]))

        def at(edges, heights, t):
            if t > edges[-1]:
                return None
            k = max(i for i, e in enumerate(edges) if e <= t)
            return heights[min(k, len(heights) - 1)]

        chart = {"x": {"label": f"simulated time ({prefix}s)", "values": [t / unit for t in times]}, "y": {"label": "DRAM bandwidth (GB/s)"}, "stepped": True, "stacked": False,
                 "series": [{"label": f"{which}: {name}", "values": [at(edges, heights, t) for t in times]}
                            for which, name, (edges, heights) in zip(("first", "second"), (a, b), totals)]}
        page.plot(figure, "DRAM bandwidth of both runs over simulated time", "Sum over all channels; the line of the second run is dashed.", chart)
    else:
        page.text("Not both runs recorded a time series of the bandwidth.")

    page.section("Time by class of operations")
    names = list(dict.fromkeys(o["name"] for d in (da, db) for o in d["operations"]))
    of = [{o["name"]: o for o in d["operations"]} for d in (da, db)]
    seconds = [[o.get(n, {}).get("simulated_s", 0) for n in names] for o in of]
    unit, prefix = scaled(max(max(s) for s in seconds))
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.5 * len(names)))
    for i, (s, which) in enumerate(zip(seconds, ("first", "second"))):
        axes.barh([k + 0.2 * (2 * i - 1) for k in range(len(names))], [v / unit for v in s], height=0.38, label=which, **style(5 * i))
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels([words(n) for n in names])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"time ({prefix}s)")
    axes.set_ylabel("class of operations")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=2, fontsize=9)
    page.plot(figure, "Time of each class of operations in both runs", "In each pair the first run is above and the second, hatched, is below.")
    page.table("Time by class of operations", ["operation", "first", "bound by", "second", "bound by", "second / first"],
               [[words(n), si(x, "s"), words(of[0].get(n, {}).get("bound", "-")), si(y, "s"), words(of[1].get(n, {}).get("bound", "-")), ratio(x, y)]
                for n, x, y in zip(names, *seconds)])
    page.section("Bytes and energy")
    by = [d["bandwidth"]["bytes_by_class"] for d in (da, db)]
    page.table("DRAM bytes", ["traffic class", "first", "second", "second / first"],
               [[figures.title("bandwidth.bytes_by_class." + c), si(by[0][c], "B"), si(by[1][c], "B"), ratio(by[0][c], by[1][c])] for c in TRAFFIC if c in by[0] and c in by[1]])
    joules = [{c["component"]: c["joules"] for c in d["energy"]["components"]} for d in (da, db)]
    page.table("Energy", ["component", "first", "second", "second / first"],
               [[words(c), si(joules[0].get(c, 0), "J"), si(joules[1].get(c, 0), "J"), ratio(joules[0].get(c, 0), joules[1].get(c, 0))]
                for c in dict.fromkeys([*joules[0], *joules[1]])])
