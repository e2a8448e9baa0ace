"""The page of one run."""
import csv
import os

from matplotlib.ticker import MaxNLocator

from . import figures
from .page import Page
from .plots import COLOURS, MARKERS, plt, scaled, stacked_bars, style
from .text import percent, si, words, yaml_of

TRAFFIC = figures.keys("bandwidth.bytes_by_class.")
RESOURCES = ("memory", "decode", "compute", "vector", "buffer", "interconnect")


def bandwidth_series(folder, r):
    """(edges of the intervals in seconds, {begin: {class: bytes/s}}), or None when fewer than two intervals were recorded."""
    file = os.path.join(folder, "bandwidth.csv")
    series = {}
    if os.path.exists(file):
        with open(file, newline="", encoding="utf-8") as f:
            for row in csv.DictReader(f):
                t = float(row["start_s"])
                by = series.setdefault(t, dict.fromkeys(TRAFFIC, 0.0))
                by[row["class"]] = by.get(row["class"], 0.0) + float(row["bytes_per_s"])
    if len(series) < 2:
        return None
    times = sorted(series)
    width = times[1] - times[0]
    # The run ends within the last interval.
    left = r["simulated_seconds"] - times[-1]
    return times + [times[-1] + (min(left, width) if left > 0.01 * width else width)], series


def bandwidth_plot(page, folder, r):
    found = bandwidth_series(folder, r)
    if not found:
        page.text("No time series of the bandwidth was recorded in this run.")
        return
    edges, series = found
    times = edges[:-1]
    width = times[1] - times[0]
    unit, prefix = scaled(edges[-1])
    figure, axes = plt.subplots(figsize=(9, 4))
    base = [0.0] * len(times)
    for i, c in enumerate(TRAFFIC):
        top = [b + series[t][c] / 1e9 for b, t in zip(base, times)]
        if top != base:
            axes.fill_between([e / unit for e in edges], base + base[-1:], top + top[-1:], step="post", label=words(c), **style(i))
        base = top
    axes.axhline(r["bandwidth"]["peak_bytes_per_s"] / 1e9, color="#000", linestyle="--", linewidth=1.2, label="peak")
    axes.set_xlabel(f"simulated time ({prefix}s)")
    axes.set_ylabel("DRAM bandwidth (GB/s)")
    axes.set_ylim(0)
    axes.set_xlim(edges[0] / unit, edges[-1] / unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4, fontsize=9)
    there = [c for c in TRAFFIC if any(series[t][c] for t in times)]
    chart = {"x": {"label": f"simulated time ({prefix}s)", "values": [e / unit for e in edges]}, "y": {"label": "DRAM bandwidth (GB/s)"}, "stepped": True, "stacked": True,
             "series": [{"label": words(c), "values": [series[t][c] / 1e9 for t in times] + [series[times[-1]][c] / 1e9]} for c in there]
             + [{"label": "peak", "plain": True, "values": [r["bandwidth"]["peak_bytes_per_s"] / 1e9] * len(edges)}]}
    page.plot(figure, "DRAM bandwidth over simulated time, stacked by traffic class, with the peak as a dashed line",
              f"Sum over all channels, averaged over intervals of {si(width, 's')}."
              + (" The bytes of a step are spread evenly over its time." if r["fidelity"]["mode"] == "sampled" or r.get("requests") else ""), chart)
    if os.path.exists(os.path.join(folder, "timeline.pftrace")):
        page.items(['The activity of each unit over time: open https://ui.perfetto.dev, choose "Open trace file" and select timeline.pftrace in this folder. '
                    "The file is not uploaded."])


def units_plot(page, r):
    if not r["units"]:
        return
    causes = []
    for u in r["units"]:
        for c in u["stalled"]:
            if c not in causes:
                causes.append(c)
    series = [("busy", [100 * u["busy"] for u in r["units"]])]
    series += [("stalled: " + words(c), [100 * u["stalled"].get(c, 0) for u in r["units"]]) for c in causes]
    series = [(n, v) for n, v in series if any(x > 0 for x in v)]
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.42 * len(r["units"])))
    stacked_bars(axes, [words(u["name"]) for u in r["units"]], series)
    axes.set_xlabel("share of the simulated time (%)")
    axes.set_ylabel("unit")
    axes.set_xlim(0, 100)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3, fontsize=9)
    page.plot(figure, "Busy and stalled shares of the simulated time of each unit, stacked to 100 percent",
              "The busy share and the stalls of a unit by cause add up to 100 %.")
    page.table("Utilisation and stalls of each unit, shares of the simulated time", ["unit", "busy"] + ["stalled: " + words(c) for c in causes],
               [[words(u["name"]), percent(u["busy"])] + [percent(u["stalled"].get(c, 0)) for c in causes] for u in r["units"]])


def latency_plot(page, r):
    there = [(k, figures.title("latency." + k)) for k in figures.keys("latency.") if r["latency"].get(k, {"count": 0})["count"] > 0]
    if not there:
        page.text("No request was completed in this run.")
        return
    requests = r.get("requests", [])
    keys = [(k, n) for k, n in there if any(q.get(k, 0) > 0 for q in requests)]
    if len(requests) > 1 and keys:
        figure, axes = plt.subplots(1, len(keys), figsize=(9, 3.4), sharey=True, squeeze=False)
        for i, (k, n) in enumerate(keys):
            values = sorted(q[k] for q in requests if q.get(k, 0) > 0)
            unit, prefix = scaled(values[-1])
            a = axes[0][i]
            a.step([v / unit for v in values], [100 * (j + 1) / len(values) for j in range(len(values))], where="post",
                   color=COLOURS[0])
            for p, m in (("p50", "o"), ("p95", "s"), ("p99", "^")):
                a.plot([r["latency"][k][p] / unit], [float(p[1:])], m, color="#000", label=p)
            a.set_xlabel(f"{n} ({prefix}s)")
            a.set_xlim(0)
            a.xaxis.set_major_locator(MaxNLocator(5))
        axes[0][0].set_ylabel("requests (%)")
        axes[0][0].legend(loc="lower right", fontsize=9)
        page.plot(figure, "Cumulative distributions of request latencies", f"{len(requests)} requests. A point on the line gives the share of requests with at most that latency.")
    else:
        figure, axes = plt.subplots(len(there), 1, figsize=(9, 0.7 + 1.05 * len(there)), squeeze=False)
        for i, (k, n) in enumerate(there):
            d, a = r["latency"][k], axes[i][0]
            unit, prefix = scaled(d["max"])
            a.plot([d["min"] / unit, d["max"] / unit], [0, 0], "-", color=COLOURS[0], linewidth=2)
            for p, m in (("min", "|"), ("p50", "o"), ("mean", "x"), ("p95", "s"), ("p99", "^"), ("max", "|")):
                a.plot([d[p] / unit], [0], m, color="#000", markersize=8, fillstyle="none", label=p)
            a.set_yticks([0])
            a.set_yticklabels([n])
            a.set_ylabel("")
            a.set_xlabel(f"{n} ({prefix}s)")
            spread = max(d["max"] - d["min"], 0.02 * d["max"])
            a.set_xlim((d["min"] - 0.1 * spread) / unit, (d["max"] + 0.1 * spread) / unit)
            a.ticklabel_format(axis="x", useOffset=False)
        axes[0][0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=6, fontsize=9)
        page.plot(figure, "Latency distributions: smallest, median, mean, 95th and 99th percentile, largest",
                  "Percentiles are nearest-rank values; a sampled step counts as often as the steps that it represents.")
    columns = ("count",) + figures.PERCENTILES
    page.table("Latencies", ["latency"] + figures.head("latency.end_to_end_s.", columns),
               [[n] + figures.cells(f"latency.{k}.", columns, r["latency"][k], digits=4) for k, n in there])


def roofline_plot(page, r):
    peak_bytes = r["bandwidth"]["peak_bytes_per_s"]
    a = r["provenance"]["config"].get("accelerator", {})
    pe = a.get("pe", {})
    peak = 2 * a.get("clock_mhz", 0) * 1e6 * pe.get("rows", 0) * pe.get("cols", 0) * pe.get("lanes", 0)
    placed = [o for o in r["operations"] if o["macs"] > 0 and o["bytes"] > 0 and o["simulated_s"] > 0]
    left_out = [words(o["name"]) for o in r["operations"] if o not in placed]
    if not placed or peak <= 0:
        page.text("No class of operations has both multiply-accumulates and DRAM bytes.")
        return
    xs = [2 * o["macs"] / o["bytes"] for o in placed]
    ys = [2 * o["macs"] / o["simulated_s"] for o in placed]
    low, high = min(xs + [1]) / 3, max(xs + [peak / peak_bytes]) * 5
    figure, axes = plt.subplots(figsize=(9, 5))
    ridge = peak / peak_bytes
    axes.plot([low, ridge, high], [low * peak_bytes / 1e9, peak / 1e9, peak / 1e9], "-", color="#000", linewidth=1.6,
              label=f"roof: {peak_bytes / 1e9:.4g} GB/s and {peak / 1e9:.4g} Gop/s (one-pass modes)")
    for i, o in enumerate(placed):
        own = max(o[resource + "_s"] for resource in RESOURCES)
        if own > 0:
            axes.plot([xs[i], xs[i]], [ys[i] / 1e9, 2 * o["macs"] / own / 1e9], "-", color=COLOURS[i % 9], linewidth=0.9)
            axes.plot([xs[i]], [2 * o["macs"] / own / 1e9], "_", color=COLOURS[i % 9], markersize=11)
        axes.plot([xs[i]], [ys[i] / 1e9], MARKERS[i % 9], color=COLOURS[i % 9], markeredgecolor="#000", markersize=8,
                  linestyle="none", label=f"{words(o['name'])}: {o['bound']}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_xlabel("arithmetic intensity (operations per DRAM byte; 2 per multiply-accumulate)")
    axes.set_ylabel("performance (Gop/s)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    page.plot(figure, "Roofline of the machine with every class of operations at its intensity and simulated performance",
              "Marker: simulated performance. Bar: the performance at which the slowest resource of the operation alone (memory, decoder, PE array, "
              "vector unit) would be saturated. A marker can lie above its bar if weights were prefetched during the operation before. The legend names the bound."
              + (f" Not shown, because they have no multiply-accumulates or no DRAM bytes: {', '.join(left_out)}." if left_out else ""))


def per_token_plots(page, r):
    tokens = r["output_tokens"] or r["prompt_tokens"]
    if not tokens:
        return
    by = r["bandwidth"]["bytes_by_class"]
    parts = [("bytes per token by traffic class", "B", [(c, by[c] / tokens) for c in TRAFFIC]),
             ("energy per token by component", "J", [(c["component"], c["joules"] / tokens) for c in r["energy"]["components"]])]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    for a, (title, unit, values) in zip(axes, parts):
        values = [(n, v) for n, v in values]
        scale, prefix = scaled(max((v for _, v in values), default=0))
        for i, (n, v) in enumerate(values):
            a.barh([i], [v / scale], height=0.7, **style(i))
        a.set_yticks(range(len(values)))
        a.set_yticklabels([words(n) for n, _ in values])
        a.invert_yaxis()
        a.grid(axis="y", visible=False)
        a.set_xlabel(f"{title.split(' by ')[0]} ({prefix}{unit})")
        a.set_ylabel(title.split(" by ")[1])
    page.plot(figure, "DRAM bytes per token by traffic class and energy per token by component",
              f"Averages over {tokens} {'output' if r['output_tokens'] else 'prompt'} tokens.")
    all_bytes, all_j = sum(by.values()), r["energy"]["total_j"]
    page.table("DRAM bytes", ["traffic class", "bytes", "share", "per token"],
               [[figures.title("bandwidth.bytes_by_class." + c), si(by[c], "B"), percent(by[c] / all_bytes if all_bytes else 0), si(by[c] / tokens, "B")] for c in TRAFFIC])
    page.table("Energy", ["component", "energy", "share", "per token"],
               [[words(c["component"]), si(c["joules"], "J"), percent(c["joules"] / all_j if all_j else 0), si(c["joules"] / tokens, "J")]
                for c in r["energy"]["components"]])
    page.table("Area without DRAM", ["component", "mm²"],
               [[words(c["component"]), f"{c['mm2']:.3f}"] for c in r["area"]["components"]] + [["total", f"{r['area']['total_mm2']:.3f}"]])
    by_source(page, "Energy by source of its figures", r["energy"], "joules", lambda v: si(v, "J"))
    by_source(page, "Area by source of its figures, mm²", r["area"], "mm2", lambda v: f"{v:.3f}")


def by_source(page, title, part, value, show):
    """Both accounts side by side; results of programs before there were two have none."""
    if not part.get("source"):
        return
    accounts = {source: {c["component"]: c[value] for c in part[source]} for source in ("published", "measured")}
    names = list(dict.fromkeys([*accounts["published"], *accounts["measured"]]))
    head = ["component", *(f"{source}, counted" if source == part["source"] else source for source in accounts)]
    rows = [[words(n), *(show(a[n]) if n in a else "-" for a in accounts.values())] for n in names]
    page.table(title, head, rows + [["total", *(show(sum(a.values())) for a in accounts.values())]])


def what_helps(bound):
    return {"memory": "Fewer bytes per token or a higher DRAM bandwidth would reduce the time.",
            "decode": "Weights arrive faster than the decoder expands them: more decoder lanes would reduce the time.",
            "compute": "The PE array is saturated: a larger array or fewer passes per value would reduce the time.",
            "vector": "The vector unit is saturated: more vector lanes would reduce the time.",
            "buffer": "A port of the weight or KV buffer is slower than the DRAM: more or wider banks would reduce the time.",
            "interconnect": "The DMA engines request less than the DRAM can deliver: larger transactions, more of them in flight or coarser "
                            "interleaving would reduce the time."}.get(bound, "")


def largest_error(fidelity):
    """The largest estimated error, and the figure of result.json that it is of."""
    worst = [e["figure"] for e in fidelity.get("estimated_errors", []) if e["error"] == fidelity["error_estimate"]]
    return percent(fidelity["error_estimate"]) + (f" in {worst[0]}" if worst else "")


def run_page(folder, r):
    page = Page(f"{r['model']} on {r['accelerator']}",
                f"Scenario {r['provenance']['scenario']}, harmonia {r['provenance']['version']}, seed {r['provenance']['seed']}")
    page.section("Summary")
    tokens = r["output_tokens"] or r["prompt_tokens"]
    operations = sorted(r["operations"], key=lambda o: -o["simulated_s"])
    total = sum(o["simulated_s"] for o in operations) or 1
    kind = "output" if r["output_tokens"] else "prompt"
    bandwidth, f = r["bandwidth"], r["fidelity"]
    passed = sum(c["passed"] for c in r["checks"])
    rows = []
    if not r["complete"]:
        rows.append(["Status", "interrupted; the figures cover what was complete"])
    rows.append(["Simulated time", si(r["simulated_seconds"], "s")])
    if tokens and r["simulated_seconds"]:
        rows += [[f"Tokens ({kind})", str(tokens)], [f"Throughput ({kind} tokens)", si(tokens / r["simulated_seconds"], "token/s")]]
    for k in figures.keys("latency."):
        d = r["latency"].get(k, {"count": 0})
        if d["count"] > 0:
            rows.append([figures.title("latency." + k).capitalize(),
                         f"mean {si(d['mean'], 's')}; p50 {si(d['p50'], 's')}, p95 {si(d['p95'], 's')}, p99 {si(d['p99'], 's')}"])
    if r["bound"] == "none":
        rows.append(["Bound by", "none: no step was complete"])
    else:
        rows.append(["Bound by", r["bound"]])
        rows.append(["Time by bound", ", ".join(f"{l['limit']} {percent(l['share'])}" for l in r["limits"])])
    rows += [["DRAM utilisation", f"{percent(bandwidth['utilisation'])} ({si(bandwidth['achieved_bytes_per_s'], 'B/s')} of {si(bandwidth['peak_bytes_per_s'], 'B/s')})"],
             ["Bits per weight", f"{r['effective_bits_per_weight']:.4g} in the quantised linear layers, with scales and codebooks"],
             ["Energy", f"{si(r['energy']['total_j'], 'J')}, {si(r['energy']['per_token_j'], 'J')} per {kind} token"],
             ["Area without DRAM", f"{r['area']['total_mm2']:.3f} mm²"],
             ["Fidelity", ("full: every transaction simulated" if f["mode"] == "full" else
                           f"sampled: {f['layers_simulated']} of {f['layers_total']} layers and {f['steps_simulated']} of {f['steps_total']} steps simulated; "
                           f"largest estimated error {largest_error(f)}") + f" (timing: {f['timing']}, data: {f['data']})"],
             ["Checks", f"{passed} of {len(r['checks'])} passed"],
             ["Assumptions", f"{len(r['assumptions'])} assumed inputs, listed below"]]
    page.table("Main figures", ["figure", "value"], rows)
    sentences = []
    if r["bound"] != "none":
        least = sum(o[r["bound"] + "_s"] for o in operations) / r["simulated_seconds"]
        sentences.append(f"The bound of most of the time is {r['bound']}. On that resource alone all work would take {percent(least)} of the simulated time. "
                         f"{what_helps(r['bound'])}")
    if operations:
        sentences.append("Operations with the largest share of the time: " + ", ".join(f"{words(o['name'])} ({percent(o['simulated_s'] / total)})" for o in operations[:3]) + ".")
    page.items(sentences)
    for n in r["notices"]:
        page.text("Note: " + n)

    page.section("Bandwidth over time")
    bandwidth_plot(page, folder, r)
    page.section("Time by unit and operation")
    units_plot(page, r)
    before, after = ("name", "count", "bytes", "macs", "simulated_s"), tuple(k + "_s" for k in RESOURCES) + ("bound",)
    page.table("Time by class of operations; the columns memory to interconnect give the minimum time on that resource alone",
               figures.head("operations[].", before) + ["share"] + figures.head("operations[].", after),
               [figures.cells("operations[].", before, o) + [percent(o["simulated_s"] / total)] + figures.cells("operations[].", after, o)
                for o in r["operations"]])
    page.section("Latency")
    latency_plot(page, r)
    page.section("Roofline")
    roofline_plot(page, r)
    page.section("Bytes, energy and area")
    per_token_plots(page, r)
    page.section("DRAM channels")
    columns = ("bytes_read", "bytes_written", "utilisation", "row_hits", "row_misses", "row_conflicts", "refresh_share", "queue_occupancy_mean",
               "queue_occupancy_max")
    page.table("Per channel", ["channel"] + figures.head("channels[].", columns) + ["read p50", "read p99"],
               [[i] + figures.cells("channels[].", columns, c) + figures.cells("channels[].read_latency_s.", ("p50", "p99"), c["read_latency_s"])
                for i, c in enumerate(r["channels"])])
    page.section("Checks")
    page.table("Checks of this run", figures.head("checks[].", ("name", "passed", "actual", "rule", "expected", "unit")),
               [[c["name"], "yes" if c["passed"] else "NO", f"{c['actual']:.9g}", c["rule"], f"{c['expected']:.9g}", c["unit"]] for c in r["checks"]],
               mark=lambda row: "bad" if row[1] == "NO" else "")
    assumptions(page, r)
    page.section("Resolved configuration")
    page.text("Every key with its value. It can be used as a scenario file.")
    page.pre(yaml_of(r["provenance"]["config"]))
    return page


def assumptions(page, r):
    page.section("Assumptions")
    page.text("Values that this result depends on and for which there is no published source.")
    columns = figures.keys("assumptions[].")
    page.table("Assumed inputs", figures.head("assumptions[].", columns), [[a[c] for c in columns] for a in r["assumptions"]])
