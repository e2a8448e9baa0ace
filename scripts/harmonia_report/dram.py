"""The page of a bare DRAM channel under generated or recorded traffic."""
import csv
import gzip
import os

from . import figures
from .page import Page
from .plots import COLOURS, LINES, plt, scaled, style
from .run import assumptions
from .text import percent, si, yaml_of


def requests_of(folder):
    """(op, arrival, end) in clock cycles of each request, from a file that --per-request left in the folder."""
    for name in sorted(os.listdir(folder)):
        opener = gzip.open if name.endswith(".csv.gz") else open if name.endswith(".csv") else None
        if opener is None:
            continue
        with opener(os.path.join(folder, name), "rt", newline="", encoding="utf-8") as f:
            lines = csv.reader(f)
            if next(lines, None) == ["id", "op", "addr_hex", "arrive_cycle", "done_cycle"]:
                return [(r[1], int(r[3]), int(r[4])) for r in lines]
    return []


def thinned(values, most):
    return values if len(values) <= most else [values[i * (len(values) - 1) // (most - 1)] for i in range(most)]


def dram_plots(page, r, requests):
    clock_s = r["clock_ps"] * 1e-12
    page.section("Bandwidth")
    peak = r["bandwidth"]["peak_bytes_per_s"]
    rows = [("peak", peak), ("attainable", peak * r["bandwidth"]["ceiling"]["utilisation"]), ("achieved", r["bandwidth"]["achieved_bytes_per_s"])]
    figure, axes = plt.subplots(figsize=(9, 2.2))
    for i, (name, value) in enumerate(rows):
        axes.barh([i], [value / 1e9], height=0.7, **style(i))
    axes.set_yticks(range(3))
    axes.set_yticklabels([n for n, _ in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("bandwidth (GB/s)")
    axes.set_ylabel("channel")
    page.plot(figure, "Peak bandwidth of the channel, attainable bandwidth with these activates and refreshes, and achieved bandwidth",
              "Attainable: the upper bound for the same number of activates, bursts and refreshes. The difference to the achieved bandwidth is lost to bus "
              "turnarounds, row conflicts within a bank, command-bus conflicts and intervals without requests.")
    page.table("Bandwidth", ["", "bandwidth", "of peak"], [[n, si(v, "B/s", 4), percent(v / peak)] for n, v in rows])
    if len(requests) > 1:
        begin, end = min(q[1] for q in requests), max(q[2] for q in requests)
        bins = min(200, max(1, len(requests) // 20))
        width = (end - begin + 1) / bins
        sums = {"R": [0] * bins, "W": [0] * bins}
        for op, _, done in requests:
            sums.setdefault(op[:1].upper(), [0] * bins)[int((done - begin) / width)] += 1
        each = r["traffic"]["bytes"] / r["traffic"]["requests"] / (width * clock_s) / 1e9
        unit, prefix = scaled((end - begin) * clock_s)
        edges = [i * width * clock_s / unit for i in range(bins + 1)]
        figure, axes = plt.subplots(figsize=(9, 3.4))
        base = [0.0] * bins
        for i, (op, name) in enumerate((("R", "read"), ("W", "written"))):
            top = [b + n * each for b, n in zip(base, sums[op])]
            if top != base:
                axes.fill_between(edges, base + base[-1:], top + top[-1:], step="post", label=name, **style(i))
            base = top
        axes.axhline(peak / 1e9, color="#000", linestyle="--", linewidth=1.2, label="peak")
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0)
        axes.set_xlabel(f"simulated time ({prefix}s)")
        axes.set_ylabel("bandwidth (GB/s)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=3, fontsize=9)
        page.plot(figure, "Bandwidth over simulated time, reads and writes stacked, with the peak as a dashed line",
                  f"A request counts when its last data beat is transferred; intervals of {si(width * clock_s, 's')}.")

    page.section("Latency")
    there = [(k, n) for k, n in (("read_s", "read"), ("write_s", "write")) if r["latency"][k]["count"] > 0]
    if not there:
        page.text("No request was completed in this run.")
    elif len(requests) > 1:
        figure, axes = plt.subplots(figsize=(9, 3.4))
        for i, (k, n) in enumerate(there):
            values = sorted((done - arrive) * clock_s * 1e9 for op, arrive, done in requests if op[:1].lower() == n[:1])
            if values:
                shares = [100 * (j + 1) / len(values) for j in range(len(values))]
                axes.step(thinned(values, 1000), thinned(shares, 1000), where="post", color=COLOURS[i], linestyle=LINES[i], label=n)
        axes.set_xlabel("latency (ns)")
        axes.set_ylabel("requests (%)")
        axes.set_xlim(0)
        axes.set_ylim(0, 102)
        axes.legend(loc="lower right", fontsize=9)
        page.plot(figure, "Cumulative distributions of the latencies of reads and writes", "A point on a line gives the share of requests with at most that latency, "
                  "from the moment a request is offered to its last data beat.")
    else:
        figure, axes = plt.subplots(figsize=(9, 1.2 + 0.6 * len(there)))
        for i, (k, n) in enumerate(there):
            d = r["latency"][k]
            axes.plot([d["min"] * 1e9, d["max"] * 1e9], [i, i], "-", color=COLOURS[i], linewidth=2)
            for p, m in (("min", "|"), ("p50", "o"), ("mean", "x"), ("p95", "s"), ("p99", "^"), ("max", "|")):
                axes.plot([d[p] * 1e9], [i], m, color="#000", markersize=8, fillstyle="none", label=p if i == 0 else None)
        axes.set_yticks(range(len(there)))
        axes.set_yticklabels([n for _, n in there])
        axes.set_ylim(len(there) - 0.5, -0.5)
        axes.set_xlim(0)
        axes.set_xlabel("latency (ns)")
        axes.set_ylabel("request")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=6, fontsize=9)
        page.plot(figure, "Latencies of reads and writes: smallest, median, mean, 95th and 99th percentile, largest",
                  "From the moment a request is offered to its last data beat; percentiles are nearest-rank values.")
    page.table("Latencies", ["requests", "count", "mean", "min", "p50", "p95", "p99", "max"],
               [[n, r["latency"][k]["count"]] + [si(r["latency"][k][p], "s", 4) for p in figures.PERCENTILES] for k, n in there])

    page.section("Row-buffer accesses and commands")
    figure, axes = plt.subplots(1, 2, figsize=(9, 1.4 + 0.26 * max(3, len(r["commands"]))))
    for a, values, name, what in ((axes[0], [(n, r["row_" + n]) for n in ("hits", "misses", "conflicts")], "accesses", "row"),
                                  (axes[1], list(r["commands"].items()), "commands", "command")):
        scale, prefix = scaled(max((v for _, v in values), default=0))
        for i, (n, v) in enumerate(values):
            a.barh([i], [v / scale], height=0.7, **style(i))
        a.set_yticks(range(len(values)))
        a.set_yticklabels([n for n, _ in values])
        a.invert_yaxis()
        a.grid(axis="y", visible=False)
        a.set_xlabel(f"{name} ({ {'k': 'thousands', 'M': 'millions', 'G': 'billions'}.get(prefix, 'count')})")
        a.set_ylabel(what)
    page.plot(figure, "Row hits, misses and conflicts, and the commands of the channel by kind", "A miss activates a row in a bank without an open row; a conflict precharges another open row first.")
    page.table("Accesses", ["row", "accesses"], [[n, r["row_" + n]] for n in ("hits", "misses", "conflicts")])
    page.table("Commands", ["command", "count"], [[k, v] for k, v in r["commands"].items()])
    page.table("Queues, in bursts", ["queue", "mean", "maximum", "entries"],
               [[k, f"{q['mean']:.2f}", q["max"], q["entries"]] for k, q in r["queue_occupancy"].items()])

    page.section("Energy")
    e = r["energy"]
    if not e["modelled"]:
        page.text("Not computed: the configuration states no currents (VDD, IDD0, ..., devices).")
        return
    parts = [(c["component"], c["joules"]) for c in e["components"] if c["joules"] > 0]
    scale, prefix = scaled(max((v for _, v in parts), default=0))
    figure, axes = plt.subplots(figsize=(9, 1.0 + 0.36 * max(1, len(parts))))
    for i, (n, v) in enumerate(parts):
        axes.barh([i], [v / scale], height=0.7, **style(i))
    axes.set_yticks(range(len(parts)))
    axes.set_yticklabels([n for n, _ in parts])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"energy ({prefix}J)")
    axes.set_ylabel("component")
    page.plot(figure, "Energy of the channel by component", f"{si(e['total_j'], 'J')} in total, {si(e['per_bit_j'], 'J')} per bit, mean power {si(e['mean_power_w'], 'W')}.")
    page.table("Energy", ["component", "energy", "share"], [[n, si(v, "J"), percent(v / e["total_j"])] for n, v in parts])


def dram_page(folder, r):
    t, b = r["traffic"], r["bandwidth"]
    page = Page(f"{r['config']} under {t['kind']}", f"{r['description']}; harmonia dram {r['provenance']['version']}")
    page.section("Summary")
    rows = [["Traffic", f"{t['kind']}; {t['requests']} requests ({t['reads']} reads, {t['writes']} writes), {si(t['bytes'], 'B')} in all, at most {t['in_flight']} in flight"]]
    if not r["complete"]:
        rows.append(["Status", "interrupted; the figures cover the requests before"])
    rows += [["Simulated time", f"{si(r['simulated_seconds'], 's')} ({r['simulated_cycles']} cycles of {r['clock_ps']:g} ps)"],
             ["Bandwidth", f"{si(b['achieved_bytes_per_s'], 'B/s', 4)} of {si(b['peak_bytes_per_s'], 'B/s', 4)} ({percent(b['utilisation'])} of peak)"],
             ["Attainable bandwidth", f"{percent(b['ceiling']['utilisation'])} of peak, as far as row activations and refresh allow; {percent(b['ceiling']['achieved_share'])} of that was reached"],
             ["Row-buffer hits", f"{percent(r['row_hit_rate'])} of the accesses"], ["Refresh", f"banks blocked for {percent(r['refresh_share'])} of the time"]]
    if b["pin_bytes"] != t["bytes"]:
        rows.append(["Bytes at the pins", f"{si(b['pin_bytes'], 'B')}, in whole bursts"])
    if r["energy"]["modelled"]:
        rows.append(["Energy", f"{si(r['energy']['total_j'], 'J')} ({si(r['energy']['per_bit_j'], 'J')} per bit, mean power {si(r['energy']['mean_power_w'], 'W')})"])
    rows += [["Checks", f"{sum(c['passed'] for c in r['checks'])} of {len(r['checks'])} passed"], ["Assumptions", f"{len(r['assumptions'])} assumed inputs, listed below"]]
    page.table("Main figures", ["figure", "value"], rows)
    for w in r["warnings"]:
        page.text("Warning: " + w)
    dram_plots(page, r, requests_of(folder))
    assumptions(page, r)
    page.section("Resolved configuration")
    page.text(f"Source: {r['source'] or 'none stated'}.")
    page.pre(yaml_of(r["provenance"]["resolved"]))
    return page
