"""Self-contained HTML pages from the result folders of `harmonia run`, `compare`, `sweep` and `dram`.

A module for each kind of page (run, compare, sweep, dram; quality is a part of compare) says what is on it, page.py collects that, and
the templates turn it into HTML, in which everything that came from a file is escaped. figures.json holds the titles and units of the
figures; scripts/make-docs writes it from `harmonia list figures --json`.
"""
