"""What a page holds, block by block, and its HTML."""
import base64
import hashlib
import json
import os
import re
import tempfile

import jinja2
import markupsafe

from . import plots

TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(os.path.join(os.path.dirname(__file__), "templates")), autoescape=True,
                               undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)


UNIT = re.compile(r"(?<=\d) (?=(%|[fpnumkMGTµ]?(s|B|B/s|J|W|token/s|J/bit)|mm²|dB)(?![\w/]))")


def joined(cell):
    """A number and its unit stay on one line."""
    return UNIT.sub("\u00a0", str(cell))


def breakable(title):
    """A heading such as time/token may go on in the next line after the slash."""
    return markupsafe.Markup(re.sub(r"(?<=\w)/(?=\w)", "/<wbr>", str(markupsafe.escape(title))))


TEMPLATES.filters.update(joined=joined, breakable=breakable)

HERE = os.path.dirname(os.path.abspath(__file__))
# uPlot, of npm: beside this file in an installation, else where scripts/setup --with-web puts it.
UPLOT = (os.path.join(HERE, "uplot"), os.path.join(HERE, "..", "..", ".cache", "web", "node_modules", "uplot", "dist"))


def asset(name):
    """The text of a file of uPlot, or None without it."""
    for folder in UPLOT:
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                return f.read().strip()
        except OSError:
            pass
    return None


def own_script():
    with open(os.path.join(HERE, "templates", "page.js"), encoding="utf-8") as f:
        return f.read()


def fingerprint(script):
    """The source expression by which a content security policy allows just this script."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii") + "'"


class Page:
    """Sections, sentences, tables and plots in the order in which they are added. Everything is plain text until it is rendered."""

    def __init__(self, title, subtitle):
        self.title, self.subtitle = title, subtitle
        self.blocks = []
        self.static = False  # without scripts
        self.links = []      # (address, text) before the sections

    def add(self, kind, **fields):
        self.blocks.append({"kind": kind, **fields})

    @property
    def sections(self):
        return [b for b in self.blocks if b["kind"] == "section"]

    @property
    def plots(self):
        return sum(b["kind"] == "plot" for b in self.blocks)

    def section(self, name):
        self.add("section", key=re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), name=name)

    def text(self, sentence):
        self.add("text", sentence=sentence)

    def failed(self, what, reason):
        self.add("failed", what=what, reason=reason)

    def items(self, sentences):
        self.add("items", sentences=sentences)

    def pre(self, text):
        self.add("pre", text=text)

    def table(self, caption, head, rows, mark=None):
        """`rows`: lists of cells; a column whose cells all begin with a digit, sign or '-' is set as numbers. `mark` gives the state of
        a row: "best", "bad" or nothing."""
        numeric = [bool(rows) and all(re.match(r"^[-+0-9]", str(r[c])) or str(r[c]) in ("", "exact") for r in rows)
                   for c in range(len(head))]
        self.add("table", caption=caption, columns=[{"title": h, "numeric": n} for h, n in zip(head, numeric)],
                 rows=[{"cells": r, "state": mark(r) if mark else ""} for r in rows])

    def plot(self, figure, label, caption, chart=None):
        """Puts a figure in as inline SVG; `label` is what a screen reader says. `chart`, the same as numbers, makes it interactive where scripts run:
        {"x": {"label", "values"}, "y": {"label"}, "series": [{"label", "values"}], "stepped": bool, "stacked": bool}."""
        self.add("plot", svg=plots.inline_svg(figure, label, prefix=f"p{self.plots + 1}-"), caption=caption, label=label, chart=chart)

    def choose(self, runs, first, second):
        """A form that asks for the comparison of two of `runs`."""
        self.add("choose", runs=runs, first=first, second=second)

    @property
    def scripts(self):
        """Scripts of the page: its own, and uPlot when a plot has use for it."""
        if self.static:
            return []
        uplot = asset("uPlot.iife.min.js") if any(b.get("chart") for b in self.blocks) else None
        return ([uplot] if uplot else []) + [own_script()]

    @property
    def style(self):
        return asset("uPlot.min.css") if len(self.scripts) > 1 else ""

    def html(self):
        scripts = self.scripts
        # Inside <script> nothing is escaped: the end tag alone would end it.
        charts = {id(b): json.dumps(b["chart"]).replace("<", "\\u003c") for b in self.blocks if b.get("chart") and len(scripts) > 1}
        return TEMPLATES.get_template("page.html.j2").render(page=self, scripts=scripts, allowed=" ".join(map(fingerprint, scripts)), charts=charts,
                                                             id=id)

    def write(self, file):
        """The file appears complete or not at all, and never over what another process writes. Returns its size in bytes."""
        data = self.html().encode("utf-8", "replace")
        # A stream is written in place: "-", and what is no file, which a rename would replace.
        if file == "-" or (os.path.exists(file) and not os.path.isfile(file)) or file in ("/dev/stdout", "/dev/stderr"):
            with os.fdopen(os.dup(1), "wb") if file in ("-", "/dev/stdout") else open(file, "wb") as out:
                out.write(data)
            return len(data)
        handle, beside = tempfile.mkstemp(prefix=".report-", suffix=".html", dir=os.path.dirname(os.path.abspath(file)))
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(out.fileno(), 0o666 & ~mask)
            os.replace(beside, file)
        except BaseException:
            os.unlink(beside)
            raise
        return len(data)
