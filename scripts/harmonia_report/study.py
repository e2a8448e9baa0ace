"""The page of a study: the front, parallel coordinates, which constraint binds where, which value wins where, sensitivities."""
import json
import os

from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from . import figures
from .page import Page
from .plots import COLOURS, HATCHES, LINES, MARKERS, plt, scaled
from .run import assumptions
from .text import percent, si, yaml_of

UNITS = {"snr_db": ("SNR of the weights", "dB"), "effective_parameters": ("effective parameters", ""), "power_w": ("power", "W"), "perplexity": ("perplexity", "")}


def title(figure):
    return UNITS[figure][0] if figure in UNITS else figures.column_title(figure).replace(" mm²", "")


def unit(figure):
    u = UNITS[figure][1] if figure in UNITS else figures.COLUMNS[figure]["unit"]
    return {"mm2": "mm²", "token/s": "tokens/s"}.get(u, u)


def shown(figure, value):
    if value is None:
        return "-"
    if figure in UNITS:
        return si(value, unit(figure)) if figure == "power_w" else f"{value:.3g}"
    return str(figures.shown(figures.COLUMNS[figure], float(value)))


def axis(figure, values):
    """Divisor and label of an axis that shows these values of the figure."""
    u = unit(figure)
    if u in ("mm²", "", "dB", "share"):
        return 1.0, f"{title(figure)} ({u})" if u else title(figure)
    scale, prefix = scaled(max(abs(v) for v in values))
    if title(figure) == "token/s":
        return scale, f"{prefix} tokens/s".strip()
    return scale, f"{title(figure)} ({prefix}{' ' if prefix and u == 'tokens/s' else ''}{u})"


def short(name):
    return name.replace("accelerator.", "")


def gain(share):
    """A relative change with its sign; no sign when it rounds to nothing."""
    return "0.0 %" if abs(share) < 0.0005 else f"{100 * share:+.1f} %"


def as_values(p):
    return ", ".join(f"{short(k)}={v}" for k, v in p["values"].items())


def groups_of(study):
    """The parameter by which points are coloured: that of the map, or the first that is not ordered, or the first."""
    parameters = study["parameters"]
    if study["map"]:
        return next(p for p in parameters if p["name"] == study["map"]["of"])
    return next((p for p in parameters if not p["ordered"]), parameters[0])


def study_page(folder, d):
    study, front = d["study"], d["front"]
    page = Page(f"Study {study['name']}", study["description"] or "over " + ", ".join(short(p["name"]) for p in study["parameters"]))
    page.section("Summary")
    limits = "; ".join(f"{title(c['figure'])} {'at least' if c['kind'] == 'at_least' else 'at most'} {shown(c['figure'], c['value'])}" for c in study["constraints"])
    page.items([f"{d['space']} points in the design space, {d['simulated']} simulated, {len(front)} on the Pareto front"
                + (", which is exact: analytical bounds exclude all points that were not simulated." if d["exact"] else "."),
                "Objectives: " + ", ".join(f"{o['goal']} {title(o['figure'])}" for o in study["objectives"]) + ".",
                f"Constraints: {limits or 'none'}."]
               + ([f"Recommended point, closest to the best value of all objectives: {as_values(front[d['recommended']])}."] if front else ["No simulated point meets the constraints."]))
    if front:
        page.section("Pareto front")
        front_plots(page, d)
        front_table(page, d)
        page.section("Parallel coordinates")
        parallel(page, d)
        page.section("Binding constraints")
        binding(page, d)
        if d["map"]:
            page.section("Best value over two parameters")
            winners(page, d["map"])
        if any(p["changes"] for p in front):
            page.section("Most useful change of each point")
            changes(page, d)
            page.section("Sensitivity")
            sensitivity(page, d)
    page.section("Definition of the study")
    page.pre(yaml_of({"scenario": os.path.basename(study["scenario"]), "set": study["set"], **({"first_token": study["first_token"]} if study["first_token"] else {}),
                      "parameters": {p["name"]: [v["label"] for v in p["values"]] for p in study["parameters"]},
                      "search": study["search"]}))
    file = os.path.join(folder, "recommended", "result.json")
    if os.path.exists(file):
        with open(file, encoding="utf-8") as f:
            result = json.load(f)
        assumptions(page, result)
    return page


def spread(values):
    return min(values) > 0 and max(values) / min(values) >= 8


def use_log(a, which):
    getattr(a, f"set_{which}scale")("log")
    along = getattr(a, f"{which}axis")
    along.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    along.set_minor_formatter(NullFormatter())


def scatter(a, d, x, y, group_of, names, legend):
    """Accepted points, those that break a constraint, the front by group; constraints on the axes as lines."""
    points = [p for p in d["points"] if p["figures"][x] is not None and p["figures"][y] is not None]
    xs, ys = [p["figures"][x] for p in points], [p["figures"][y] for p in points]
    (sx, lx), (sy, ly) = axis(x, xs), axis(y, ys)
    place = lambda ps: ([p["figures"][x] / sx for p in ps], [p["figures"][y] / sy for p in ps])
    a.scatter(*place([p for p in points if not p["accepted"]]), marker="x", s=14, color="#bbb", linewidths=0.8, label="violates a constraint" if legend else None)
    a.scatter(*place([p for p in points if p["accepted"] and not p["front"]]), marker="o", s=12, facecolors="none", edgecolors="#777", label="accepted" if legend else None)
    for i, name in enumerate(names):
        there = [p for p in d["front"] if group_of(p) == name]
        if there:
            a.scatter(*place(there), marker=MARKERS[i % 9], s=52, color=COLOURS[i % 9], edgecolors="#222", linewidths=0.6, zorder=3, label=name if legend else None)
    for c in d["study"]["constraints"]:
        for figure, line, s in ((x, a.axvline, sx), (y, a.axhline, sy)):
            if c["figure"] == figure:
                line(c["value"] / s, color="#444", linestyle="--", linewidth=1)
    for which, values in (("x", xs), ("y", ys)):
        if spread(values):
            use_log(a, which)
    a.set_xlabel(lx)
    a.set_ylabel(ly)


def legend_above(figure, columns=4):
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns, fontsize=9)


def front_plots(page, d):
    objectives = [o["figure"] for o in d["study"]["objectives"]]
    first, others = objectives[0], objectives[1:] or [c["figure"] for c in d["study"]["constraints"] if c["figure"] != objectives[0]][:1]
    group = groups_of(d["study"])
    if others:
        figure, axes = plt.subplots(1, len(others), figsize=(9, 4.2), squeeze=False)
        for i, other in enumerate(others):
            scatter(axes[0][i], d, other, first, lambda p: p["values"][group["name"]], [v["label"] for v in group["values"]], i == 0)
        legend_above(figure, 5)
        page.plot(figure, f"Pareto front: {title(first)} against {' and '.join(title(o) for o in others)}, by {short(group['name'])}",
                  f"Large markers: points on the front, by {short(group['name'])}. Dashed lines: constraints.")


def front_table(page, d):
    study = d["study"]
    names = list(dict.fromkeys([o["figure"] for o in study["objectives"]] + [c["figure"] for c in study["constraints"]]))
    page.table("Points on the front, ordered by the first objective; the marked row is the recommended point",
               ["point"] + [short(p["name"]) for p in study["parameters"]] + [title(n) for n in names] + ["limit", "binding constraints"],
               [[i + 1] + list(p["values"].values()) + [shown(n, p["figures"][n]) for n in names] + [p["bound"], ", ".join(p["binding"]) or "none"]
                for i, p in enumerate(d["front"])], mark=lambda row: "best" if row[0] == d["recommended"] + 1 else "")


def parallel(page, d):
    """An axis for each parameter and figure; the front's points as lines by group, what else was accepted behind them."""
    study, group = d["study"], groups_of(d["study"])
    names = list(dict.fromkeys([o["figure"] for o in study["objectives"]] + [c["figure"] for c in study["constraints"]]))
    shown_points = [p for p in d["points"] if p["accepted"]]
    columns = []
    for p in study["parameters"]:
        labels = [v["label"] for v in p["values"]]
        columns.append((short(p["name"]), lambda q, p=p, labels=labels: labels.index(q["values"][p["name"]]) / max(1, len(labels) - 1),
                        [(i / max(1, len(labels) - 1), text) for i, text in enumerate(labels)]))
    for n in names:
        values = [p["figures"][n] for p in shown_points if p["figures"][n] is not None]
        low, high = min(values), max(values)
        width = high - low or 1.0
        columns.append((title(n), lambda q, n=n, low=low, width=width: (q["figures"][n] - low) / width, [(0, shown(n, low)), (1, shown(n, high))]))
    figure, a = plt.subplots(figsize=(max(9, 1.25 * len(columns)), 4.6))
    step = lambda p: [at(p) for _, at, _ in columns]
    for p in [p for p in shown_points if not p["front"]][:400]:
        a.plot(range(len(columns)), step(p), color="#ccc", linewidth=0.5, zorder=1)
    for i, value in enumerate(v["label"] for v in group["values"]):
        there = [p for p in d["front"] if p["values"][group["name"]] == value]
        for j, p in enumerate(there):
            a.plot(range(len(columns)), step(p), color=COLOURS[i % 9], linestyle=LINES[i % 9], linewidth=1.3, zorder=2, label=value if j == 0 else None)
    for x, (_, _, ticks) in enumerate(columns):
        a.axvline(x, color="#222", linewidth=0.8, zorder=3)
        crowded = len(ticks) > 9
        for i, (y, text) in enumerate(ticks):
            if not crowded or i % 2 == 0 or i == len(ticks) - 1:
                a.annotate(text[:14], (x, y), xytext=(3, 0), textcoords="offset points", fontsize=7, va="center", zorder=4,
                           bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75})
    a.set_xticks(range(len(columns)))
    a.set_xticklabels([n.replace(".", ".\n").replace(" ", "\n") for n, _, _ in columns], fontsize=8)
    a.set_yticks([])
    a.set_xlim(-0.2, len(columns) - 0.4)
    a.set_xlabel("parameters, then figures")
    a.set_ylabel("position between minimum and maximum")
    a.grid(False)
    legend_above(figure, 6)
    page.plot(figure, f"Parallel coordinates of the front, by {short(group['name'])}", "Grey: other simulated points that meet all constraints. On each axis the values increase from bottom to top.")


def binding(page, d):
    front, names = d["front"], [f"{c['figure']} {'>=' if c['kind'] == 'at_least' else '<='} {c['value']:g}" for c in d["study"]["constraints"]]
    found = [n for n in names if any(n in p["binding"] for p in front)]
    sets = sorted({", ".join(p["binding"]) or "none" for p in front}, key=lambda s: (s == "none", s))
    objectives = [o["figure"] for o in d["study"]["objectives"]]
    other = (objectives[1:] or [c["figure"] for c in d["study"]["constraints"] if c["figure"] != objectives[0]] or [objectives[0]])[0]
    figure, a = plt.subplots(figsize=(9, 4.2))
    scatter(a, d, other, objectives[0], lambda p: ", ".join(p["binding"]) or "none", sets, True)
    legend_above(figure, 3)
    page.plot(figure, "Binding constraints of the points of the front",
              "A constraint is binding at a point if its margin is below 2 %, or if it alone excludes a single change that would improve the first objective.")
    page.table("Points on the front at which each constraint is binding, and simulated points that violate it", ["constraint", "binding on the front", "violated by simulated points"],
               [[n, sum(n in p["binding"] for p in front), sum(n in p["breaks"] for p in d["points"])] for n in names])
    if not found:
        page.text("No constraint is binding on the front: the objectives alone determine it.")


def winners(page, m):
    figure, a = plt.subplots(figsize=(max(9, 1.6 + 0.62 * len(m["x"])), max(2.8, 1.3 + 0.45 * len(m["y"]))))
    at = {(c["x"], c["y"]): c for c in m["cells"]}
    for i, x in enumerate(m["x"]):
        for j, y in enumerate(m["y"]):
            c = at[x, y]
            k = m["values"].index(c["winner"]) if c["winner"] is not None else None
            face = COLOURS[k % 9] if k is not None else "#f2f2f2"
            a.bar(i, 1, bottom=j - 0.5, width=1, color=face, hatch=HATCHES[k % 9] if k is not None else "", edgecolor="white", linewidth=1, alpha=0.85)
            a.text(i, j, c["winner"] if k is not None else "-", ha="center", va="center", fontsize=7.5,
                   bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85})
    a.set_xticks(range(len(m["x"])))
    a.set_xticklabels(m["x"])
    a.set_yticks(range(len(m["y"])))
    a.set_yticklabels(m["y"])
    a.set_xlim(-0.5, len(m["x"]) - 0.5)
    a.set_ylim(-0.5, len(m["y"]) - 0.5)
    a.set_xlabel(short(m["over"][0]))
    a.set_ylabel(short(m["over"][1]))
    a.grid(False)
    won = [v for v in m["values"] if any(c["winner"] == v for c in m["cells"])]
    handles = [Patch(facecolor=COLOURS[m["values"].index(v) % 9], hatch=HATCHES[m["values"].index(v) % 9], edgecolor="white", label=v) for v in won]
    figure.legend(handles=handles + [Patch(facecolor="#f2f2f2", label="no value meets the constraints")], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4, fontsize=9)
    page.plot(figure, f"Best value of {short(m['of'])} over {short(m['over'][0])} and {short(m['over'][1])}",
              f"The value with the best {title(m['figure'])} that meets the constraints; among values within {percent(m['margin'])} of it, the one with the highest SNR. "
              "Other parameters as in the recommended point: " + ", ".join(f"{short(k)}={v}" for k, v in m["at"].items()) + ".")
    page.table("Best value and its figure", [short(m["over"][0]), short(m["over"][1]), "best value", title(m["figure"]), "limit", "constraints violated by all"],
               [[c["x"], c["y"], c["winner"] or "none", shown(m["figure"], c.get("figure")), c.get("bound", "-"), ", ".join(c.get("breaks", [])) or "none"] for c in m["cells"]])


def changes(page, d):
    rows = []
    for i, p in enumerate(d["front"]):
        h = p["help"]
        others = [o["figure"] for o in d["study"]["objectives"]]
        rows.append([i + 1, p["bound"]] + ([f"{short(h['parameter'])} {h['from']} to {h['to']}", title(h["figure"]), gain(h["gain"]),
                                            ", ".join(f"{title(o)} {gain(h['gains'][o])}" for o in others if o != h["figure"] and o in h["gains"]) or "-",
                                            ", ".join(h["breaks"]) or "none"] if h else ["none", "-", "-", "-", "-"]))
    page.table("For each point, the change of one parameter by one step that improves the first objective most (positive: better)",
               ["point", "limit", "change", "objective", "gain", "gain of other objectives", "violated constraints"], rows)


def sensitivity(page, d):
    objectives = [o["figure"] for o in d["study"]["objectives"]]
    names = [p["name"] for p in d["study"]["parameters"]]
    mean = {n: {o: sum(p["sensitivity"][n].get(o, 0.0) for p in d["front"]) / len(d["front"]) for o in objectives} for n in names}
    figure, axes = plt.subplots(1, len(objectives), figsize=(9, 1.2 + 0.34 * len(names)), sharey=True, squeeze=False)
    for i, o in enumerate(objectives):
        a = axes[0][i]
        a.barh(range(len(names)), [100 * mean[n][o] for n in names], height=0.7, color=COLOURS[i % 9], hatch=HATCHES[i % 9], edgecolor="#222", linewidth=0.5)
        a.set_yticks(range(len(names)))
        a.set_yticklabels([short(n) for n in names], fontsize=8)
        a.set_xlabel(f"{title(o)} (% a step)")
        a.grid(axis="y", visible=False)
        if i == 0:
            a.invert_yaxis()
            a.set_ylabel("parameter")
    page.plot(figure, "Sensitivity: the change of each objective by one step of each parameter, mean over the front", "Largest relative change in either direction, averaged over the points on the front.")
    page.table("Sensitivity of each point: the first objective's largest relative change by one step", ["point"] + [short(n) for n in names],
               [[i + 1] + [percent(p["sensitivity"][n][objectives[0]]) if objectives[0] in p["sensitivity"][n] else "-" for n in names] for i, p in enumerate(d["front"])])
