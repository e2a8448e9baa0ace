"""The page of a comparison."""
import json
import os

from matplotlib.ticker import MaxNLocator

from . import figures, quality
from .page import Page
from .plots import plt, scaled, stacked_bars, style
from .run import assumptions
from .text import percent, si, yaml_of


def short(label, keys):
    """A variant's label without the name of the key when there is only one."""
    return label[len(keys[0]) + 1:] if len(keys) == 1 and label.startswith(keys[0] + "=") else label.replace(", ", ",\n")


def compare_page(folder, c):
    page = Page(f"Comparison of {c['scenario']}", "over " + ", ".join(c["keys"]))
    good = [v for v in c["variants"] if v["status"] == "ok"]
    failed = [v for v in c["variants"] if v["status"] != "ok"]
    page.section("Summary")
    if good:
        first = good[0]
        best = next(v for v in good if v["label"] == c["winner"])
        sentences = [f"Fastest variant: {best['label']} with {si(best['figures']['time_per_token_s'], 's')} per token, {best['speed_up']:.2f} times as fast as "
                     f"{first['label']}; bound by {best['figures']['bound']}."]
        frugal = min(good, key=lambda v: v["figures"]["all_energy_per_token_j"])
        sentences.append(f"Variant with the lowest energy: {frugal['label']} with {si(frugal['figures']['all_energy_per_token_j'], 'J')} per token.")
        for v in good[1:]:
            if v["because_of"] != "none" and v["byte_ratio"] != 1:
                sentences.append(f"{v['label']}: weights {v['byte_ratio']:.2f} times smaller, {v['speed_up']:.2f} times as fast as {first['label']}; "
                                 f"causes of the difference: {v['because_of']}.")
        page.items(sentences)
    for v in failed:
        page.failed(v["label"], v["reason"])
    if not good:
        return page
    labels = [short(v["label"], c["keys"]) for v in good]
    g = lambda v, k: v["figures"][k]
    page.section("Cost")
    cell = lambda v, column: figures.column_cell(column, v["figures"])
    page.table("Cost of each variant; ratios are relative to the first",
               ["variant", figures.column_title("time_per_token_s"), "speed-up"]
               + [figures.column_title(k) for k in ("tokens_per_s", "bits_per_weight")] + ["byte ratio", "DRAM bytes/token"]
               + [figures.column_title(k) for k in ("utilisation", "all_energy_per_token_j")] + ["energy ratio"]
               + [figures.column_title(k) for k in ("area_mm2", "bound")],
               [[v["label"], cell(v, "time_per_token_s"), f"{v['speed_up']:.2f}x", cell(v, "tokens_per_s"), cell(v, "bits_per_weight"),
                 f"{v['byte_ratio']:.2f}x", si(g(v, "bytes") / g(v, "tokens"), "B"), cell(v, "utilisation"), cell(v, "all_energy_per_token_j"),
                 f"{v['energy_ratio']:.2f}x", cell(v, "area_mm2"), cell(v, "bound")] for v in good],
               mark=lambda row: "best" if row[0] == c["winner"] else "")

    def multiples(title, caption, unit, series, axis):
        series = [(n, x) for n, x in series if any(x)]
        scale, prefix = scaled(max((sum(x[i] for _, x in series) for i in range(len(good))), default=0))
        figure, axes = plt.subplots(figsize=(9, 1.5 + 0.5 * len(good)))
        stacked_bars(axes, labels, [(n, [x / scale for x in xs]) for n, xs in series])
        axes.set_xlabel(f"{axis} ({prefix}{unit})")
        axes.set_ylabel("variant")
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=5, fontsize=9)
        page.plot(figure, title, caption)

    def per_token(begin, end):
        return [(name, [g(v, column) / g(v, "tokens") for v in good]) for name, column in figures.columns_of(begin, end).items()]

    multiples("Time per token of each variant, stacked by class of operations", "Time of each class of operations, divided by the tokens.", "s",
              per_token("operations[", "].simulated_s"), "time per token")
    multiples("DRAM bytes per token of each variant, stacked by traffic class", "Bytes at the DRAM, divided by the tokens.", "B",
              per_token("bandwidth.bytes_by_class.", ""), "DRAM bytes per token")
    multiples("Energy per token of each variant, stacked by component", "Energy of each component, divided by the tokens.", "J",
              per_token("energy.components[", "].joules"), "energy per token")

    panels = [("speed-up (times)", [v["speed_up"] for v in good]), ("byte ratio of linear layers (times)", [v["byte_ratio"] for v in good]),
              ("DRAM utilisation (%)", [100 * g(v, "utilisation") for v in good]), ("energy ratio (times)", [v["energy_ratio"] for v in good]),
              ("area (mm²)", [g(v, "area_mm2") for v in good]),
              ("speed-up per area (times)", [v["speed_up"] * g(good[0], "area_mm2") / g(v, "area_mm2") if g(v, "area_mm2") else 0 for v in good])]
    figure, axes = plt.subplots(2, 3, figsize=(9, 1.8 + 0.75 * len(good)), sharey=True)
    for i, (a, (name, values)) in enumerate(zip(axes.flat, panels)):
        a.barh(range(len(good)), values, height=0.7, **style(i))
        a.set_xlabel(name)
        a.set_yticks(range(len(good)))
        a.set_yticklabels(labels)
        if i == 0:
            a.invert_yaxis()
        a.grid(axis="y", visible=False)
        a.xaxis.set_major_locator(MaxNLocator(4))
        if i % 3 == 0:
            a.set_ylabel("variant")
    page.plot(figure, "Small multiples: speed-up, byte ratio, bandwidth, energy ratio, area and speed-up per area of each variant",
              "Ratios are relative to the first variant.")

    if len(good) > 1:
        causes = list(good[1]["shortfall_s_per_token"])
        page.section("Why the speed-up is below the byte ratio")
        page.text("If all time scaled with the bytes of the quantised linear layers, a variant would take the first variant's time divided by the byte "
                  "ratio. The additional time is attributed to its causes: the output head, attention over the KV cache, linear layers bound by the decoder, "
                  "the PE array or the vector unit, and overhead (memory-bound linear layers below full bandwidth, normalisation, idle time).")
        rest = good[1:]
        values = [(n, [max(0.0, v["shortfall_s_per_token"][n]) for v in rest]) for n in causes]
        scale, prefix = scaled(max(sum(x[i] for _, x in values) for i in range(len(rest))))
        figure, axes = plt.subplots(figsize=(9, 1.5 + 0.5 * len(rest)))
        stacked_bars(axes, [short(v["label"], c["keys"]) for v in rest], [(n, [x / scale for x in xs]) for n, xs in values])
        axes.set_xlabel(f"additional time per token ({prefix}s)")
        axes.set_ylabel("variant")
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=6, fontsize=9)
        page.plot(figure, "Additional time per token over that expected from the byte ratio, by cause",
                  "Causes that make a variant faster than expected are negative; they are in the table and not in the plot.")
        page.table("Additional time per token over that expected from the byte ratio", ["variant", "byte ratio", "speed-up"] + causes,
                   [[v["label"], f"{v['byte_ratio']:.2f}x", f"{v['speed_up']:.2f}x"] + [si(v["shortfall_s_per_token"][n], "s") for n in causes] for v in rest])

    quality.beside_cost(page, good, {v["label"]: short(v["label"], c["keys"]).replace("\n", " ") for v in good})
    quality.measured_on_a_model(page, c, good)
    for i in range(1, len(c["variants"]) + 1):
        file = os.path.join(folder, "variants", str(i), "result.json")
        if os.path.exists(file):
            with open(file, encoding="utf-8") as f:
                r = json.load(f)
            page.text(f"Assumptions and configuration below are those of variant {c['variants'][i - 1]['label']}; the others differ in the compared keys. "
                      "The result of each variant is in the folder variants/ next to this page.")
            assumptions(page, r)
            page.section("Resolved configuration")
            page.pre(yaml_of(r["provenance"]["config"]))
            break
    return page
