"""What a comparison says about quality: of the weight formats, and measured on a real model."""
import math

from .plots import COLOURS, MARKERS, plt, scaled
from .text import percent, si


def g(variant, column):
    return variant["figures"][column]


def beside_cost(page, good, names):
    """`names`: short names of the variants by their labels, for legends."""
    quality = [v for v in good if "quality" in v]
    if not quality:
        return
    page.section("Quality beside cost")
    page.text("Fewer bits per weight also change the quality of the output. SNR: of the weight format, on one synthetic Gaussian tensor. Effective parameters: "
              "by the scaling law of the 1-bit paper, N (1 - exp(-bits/g)). Accuracy: as published in that paper, for its own models only.")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    scale, prefix = scaled(max(g(v, "time_per_token_s") for v in quality))
    for a, key, name, div in ((axes[0], "snr_db", "SNR (dB)", 1), (axes[1], "effective_parameters", "effective parameters (10⁹)", 1e9)):
        for i, v in enumerate(quality):
            a.plot([g(v, "time_per_token_s") / scale], [v["quality"][key] / div], MARKERS[i % 9], color=COLOURS[i % 9], markeredgecolor="#000",
                   markersize=9, linestyle="none", label=names[v["label"]])
        a.set_xlabel(f"time per token ({prefix}s)")
        a.set_ylabel(name)
        a.margins(0.12)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=min(5, 1 + 60 // max(10, max(map(len, names.values())))), fontsize=9)
    page.plot(figure, "Quality against time per token: SNR and effective parameters of each variant", "Upper left is better.")
    published = lambda v: [f"{v['quality']['published_percent'][b]:.1f}" if "published_percent" in v["quality"] else "-" for b in ("mmlu", "gsm8k", "mbpp", "hellaswag")]
    page.table("Quality of the weight formats", ["variant", "format", "SNR dB", "parameters", "effective parameters", "MMLU %", "GSM8K %", "MBPP %", "HellaSwag %"],
               [[v["label"], v["quality"]["format"], "exact" if v["quality"]["exact"] else f"{v['quality']['snr_db']:.2f}", si(v["quality"]["parameters"], ""),
                 si(v["quality"]["effective_parameters"], "")] + published(v) for v in quality])


def measured_on_a_model(page, c, good):
    measured = [v for v in good if "measured" in v]
    if not measured:
        return
    on = c["measured_on"]
    page.section("Quality measured on a real model")
    page.text(f"Perplexity, loss and agreement with the likeliest tokens of FP32 are measured on {on['model']} ({on['tokens']} tokens of {', '.join(on['texts'])}; "
              f"FP32 has perplexity {on['fp32_perplexity']:.3f}) through the same formats; time, energy and bytes are those of {on['cost_of']}. A small model loses "
              "more quality with few bits than a large one.")
    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    weights = list(dict.fromkeys(v["measured"]["weights"] for v in measured))
    caches = list(dict.fromkeys(v["measured"]["kv"] for v in measured))
    for a, key, name, unit in ((axes[0], "time_per_token_s", "time per token", "s"), (axes[1], "energy_per_token_j", "energy per token", "J")):
        scale, prefix = scaled(max(g(v, key) for v in measured))
        for v in measured:
            w, k = weights.index(v["measured"]["weights"]), caches.index(v["measured"]["kv"])
            a.plot([g(v, key) / scale], [v["measured"]["perplexity"]], MARKERS[k % 9], color=COLOURS[w % 9], markeredgecolor="#000", markersize=8,
                   linestyle="none")
        # Nothing is better in both: a step line through those, cheapest first.
        frontier = [v for v in sorted(measured, key=lambda v: (g(v, key), v["measured"]["perplexity"]))]
        best, kept = math.inf, []
        for v in frontier:
            if v["measured"]["perplexity"] < best:
                best = v["measured"]["perplexity"]
                kept.append(v)
        a.step([g(v, key) / scale for v in kept], [v["measured"]["perplexity"] for v in kept], where="post", color="#000", linewidth=1, linestyle="--", zorder=0)
        a.axhline(on["fp32_perplexity"], color="#666", linewidth=0.8, linestyle=":")
        a.set_yscale("log")
        a.set_xlabel(f"{name} ({prefix}{unit})")
        a.set_ylabel("perplexity")
        a.margins(0.1)
    handles = [plt.Line2D([], [], marker="o", color=COLOURS[i % 9], markeredgecolor="#000", linestyle="none", label=w) for i, w in enumerate(weights)]
    handles += [plt.Line2D([], [], marker=MARKERS[i % 9], color="#fff", markeredgecolor="#000", linestyle="none", label=f"KV {k}") for i, k in enumerate(caches)]
    handles += [plt.Line2D([], [], color="#000", linestyle="--", linewidth=1, label="Pareto"), plt.Line2D([], [], color="#666", linestyle=":", label="FP32")]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=6, fontsize=9)
    page.plot(figure, "Pareto plot: perplexity against time and energy per token of each variant",
              "Lower left is better. No other variant is better in both figures than a point on the dashed line.")
    page.table("Quality beside cost", ["variant", "weights", "KV cache", "perplexity", "NLL loss", "+-", "agreement", "DRAM bytes/token", "time/token", "energy/token"],
               [[v["label"], v["measured"]["weights"], v["measured"]["kv"], f"{v['measured']['perplexity']:.3f}", f"{v['measured']['nll_loss']:+.4f}",
                 f"{v['measured']['nll_loss_standard_error']:.4f}", percent(v["measured"]["agreement"]), si(g(v, "bytes") / g(v, "tokens"), "B"),
                 si(g(v, "time_per_token_s"), "s"), si(g(v, "energy_per_token_j"), "J")] for v in measured])
