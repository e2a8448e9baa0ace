"""Figures that read the same in colour, in black and white and aloud: colours are Okabe and Ito's, and hatches, markers and line styles
tell apart what they do."""
import html
import io
import math
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

from .text import words

COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999", "#000000"]
HATCHES = ["", "//", "..", "\\\\", "xx", "--", "++", "oo", "**"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), "-", "--"]

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "harmonia", "font.size": 10, "axes.grid": True, "grid.alpha": 0.35,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "hatch.linewidth": 0.6,
    "figure.constrained_layout.use": True, "font.family": "DejaVu Sans", "legend.frameon": False,
})


def inline_svg(figure, label, prefix):
    """The figure as an SVG element whose ids begin with `prefix`, so that a page can hold several."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    name = html.escape(label, quote=True)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return svg.replace(">", f"><title>{name}</title>", 1)


def style(i):
    return {"color": COLOURS[i % len(COLOURS)], "hatch": HATCHES[i % len(HATCHES)], "edgecolor": "#222", "linewidth": 0.5}


def stacked_bars(axes, labels, series):
    """Horizontal stacked bars, the first label on top. series: [(name, [value by label])]."""
    y = list(range(len(labels)))
    left = [0.0] * len(labels)
    for i, (name, values) in enumerate(series):
        axes.barh(y, values, left=left, label=words(name), height=0.7, **style(i))
        left = [a + b for a, b in zip(left, values)]
    axes.set_yticks(y)
    axes.set_yticklabels(labels)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def scaled(limit):
    """Divisor and prefix for an axis that reaches `limit`."""
    if limit <= 0:
        return 1.0, ""
    step = max(-5, min(6, math.floor(math.log10(limit) / 3)))
    return 10.0 ** (3 * step), "fpnµm kMGTPE"[step + 5].strip()
