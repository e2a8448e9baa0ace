"""The page of a sweep."""
import csv
import os

from matplotlib.ticker import FuncFormatter, NullFormatter

from . import figures
from .page import Page
from .plots import COLOURS, LINES, MARKERS, plt, scaled, style
from .text import number, percent, si, words, yaml_of


SWEEP_PANELS = [("tokens_per_s", "throughput", "tokens/s"), ("time_per_token_s", "time per token", "s"),
                ("utilisation", "DRAM utilisation", "%"), ("all_energy_per_token_j", "energy per token", "J")]


def sweep_axis(rows, key, name, unit):
    """Divisor and label of an axis of this figure."""
    if unit == "%":
        return 0.01, f"{name} (%)"
    scale, prefix = scaled(max(float(r[key]) for r in rows))
    return scale, f"{name} ({prefix}{unit})" if unit != "tokens/s" or not prefix else f"{name} ({prefix} tokens/s)"


def sweep_page(folder, s):
    with open(os.path.join(folder, "sweep.csv"), newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    keys = s["keys"]
    good = [r for r in rows if r["status"] == "ok"]
    page = Page(f"Sweep {s['name']}", s.get("description") or "over " + ", ".join(keys))
    page.section("Summary")
    sentences = [f"{len(rows)} points over {', '.join(keys)}; {len(rows) - len(good)} failed."]
    if good:
        fast = max(good, key=lambda r: float(r["tokens_per_s"]))
        frugal = min(good, key=lambda r: float(r["all_energy_per_token_j"]))
        at = lambda r: ", ".join(f"{k}={r[k]}" for k in keys)
        sentences += [f"Highest throughput: {si(float(fast['tokens_per_s']), 'token/s')} at {at(fast)}, bound by {fast['bound']}.",
                      f"Lowest energy per token: {si(float(frugal['all_energy_per_token_j']), 'J')} at {at(frugal)}."]
        limits = {}
        for r in good:
            limits[r["bound"]] = limits.get(r["bound"], 0) + 1
        sentences.append("Points by bound: " + ", ".join(f"{b} {n}" for b, n in sorted(limits.items(), key=lambda x: -x[1])) + ".")
    page.items(sentences)
    for r in rows:
        if r["status"] != "ok":
            page.failed(f"point {r['point']}", r["reason"])
    if good:
        page.section("Figures over the swept keys")
        sweep_plots(page, keys, good)
    page.section("Points")
    page.table("All points; sweep.csv has further columns", ["point"] + keys + ["tokens/s", "time/token", "bandwidth", "bits/weight", "energy/token", "area mm²", "SNR dB", "limit"],
               [[r["point"]] + [r[k] for k in keys] + ([si(float(r["tokens_per_s"]), ""), si(float(r["time_per_token_s"]), "s"), percent(float(r["utilisation"])),
                 f"{float(r['bits_per_weight']):.3f}", si(float(r["all_energy_per_token_j"]), "J"), f"{float(r['area_mm2']):.2f}", f"{float(r['snr_db']):.1f}", r["bound"]]
                 if r["status"] == "ok" else ["-"] * 7 + ["failed"]) for r in rows], mark=lambda row: "bad" if row[-1] == "failed" else "")
    page.section("Definition of the sweep")
    page.pre(yaml_of({"scenario": os.path.basename(s["scenario"]), "set": s["set"], "keys": keys}))
    return page


def sweep_plots(page, keys, rows):
    values = {k: list(dict.fromkeys(r[k] for r in rows)) for k in keys}
    numeric = [k for k in keys if len(values[k]) > 1 and all(number(v) is not None for v in values[k])]
    x = max(numeric, key=lambda k: len(values[k])) if numeric else None
    varying = [k for k in keys if k != x and len(values[k]) > 1]
    if x is None:
        for key, name, unit in SWEEP_PANELS:
            scale, name = sweep_axis(rows, key, name, unit)
            figure, axes = plt.subplots(figsize=(9, 1.2 + 0.35 * min(len(rows), 60)))
            shown = rows[:60]
            axes.barh(range(len(shown)), [float(r[key]) / scale for r in shown], height=0.7, **style(0))
            axes.set_yticks(range(len(shown)))
            axes.set_yticklabels([", ".join(r[k] for k in varying) for r in shown])
            axes.invert_yaxis()
            axes.set_xlabel(name)
            axes.set_ylabel(", ".join(varying))
            page.plot(figure, f"{name} of every point", "" if len(rows) <= 60 else "The first 60 points.")
        return
    series_of = lambda r, ks: ", ".join(r[k] for k in ks)
    facet = None
    if len({series_of(r, varying) for r in rows}) > 8:
        facet = min((k for k in varying), key=lambda k: abs(len(values[k]) - 3))
    inner = [k for k in varying if k != facet]
    facets = values[facet] if facet else [None]
    names = list(dict.fromkeys(series_of(r, inner) for r in rows))[:18]
    xs_all = [float(v) for v in values[x]]
    log = min(xs_all) > 0 and max(xs_all) / min(xs_all) >= 8
    for key, name, unit in SWEEP_PANELS:
        scale, name = sweep_axis(rows, key, name, unit)
        heights = [float(r[key]) for r in rows if float(r[key]) > 0]
        tall = bool(heights) and max(heights) / min(heights) >= 8
        columns = min(3, len(facets))
        lines = -(-len(facets) // columns)
        figure, axes = plt.subplots(lines, columns, figsize=(9, 0.9 + 2.9 * lines), sharex=True, sharey=True, squeeze=False)
        for i, f in enumerate(facets):
            a = axes[i // columns][i % columns]
            for j, n in enumerate(names):
                line = sorted((float(r[x]), float(r[key]) / scale) for r in rows if (f is None or r[facet] == f) and series_of(r, inner) == n)
                if line:
                    a.plot(*zip(*line), color=COLOURS[j % 9], marker=MARKERS[j % 9], linestyle=LINES[j % 9], markersize=5, label=n or words(name))
            if log:
                a.set_xscale("log", base=2)
                a.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            if key != "utilisation" and tall:
                a.set_yscale("log")
                a.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
                a.yaxis.set_minor_formatter(NullFormatter())
            elif key != "utilisation":
                a.set_ylim(0, 1.08 * max(heights, default=1) / scale)
            elif key == "utilisation":
                a.set_ylim(0, 105)
            if f is not None:
                a.set_title(f"{facet}={f}", fontsize=10)
            if i // columns == lines - 1 or i + columns >= len(facets):
                a.set_xlabel(x + {"workload.batch": " (sequences)", "workload.context": " (tokens)"}.get(x, ""))
                a.tick_params(labelbottom=True)
            if i % columns == 0:
                a.set_ylabel(name)
        for i in range(len(facets), lines * columns):
            axes[i // columns][i % columns].set_visible(False)
        handles, labels = axes[0][0].get_legend_handles_labels()
        if len(names) > 1:
            figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=max(1, min(4, 90 // max(8, max(map(len, labels)) + 6))), fontsize=9)
        page.plot(figure, f"{name} against {x}" + (f", a panel for each {facet}" if facet else ""),
                  f"Series: {', '.join(inner)}." if inner else "")
