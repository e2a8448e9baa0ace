#!/usr/bin/env python3
"""Every link of the built site leads somewhere: the file exists, and so does the anchor in it.

    tests/docs/links.py SITE

Also: no page loads anything from another host, every picture has a text, every page has a language and one first-level heading. Doxygen's own
pages (api/) are looked at for links from the documentation to them only.
"""
import os
import sys
import urllib.parse
from html.parser import HTMLParser

LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    def __init__(self, file):
        super().__init__()
        self.links, self.loads, self.ids, self.faults, self.headings, self.language = [], [], set(), [], 0, None
        with open(file, encoding="utf-8") as f:
            self.feed(f.read())

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        for key in ("id", "name"):
            if a.get(key):
                self.ids.add(a[key])
        if tag == "html":
            self.language = a.get("lang")
        if tag == "h1":
            self.headings += 1
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "img" and not (a.get("alt") or "").strip():
            self.faults.append(f"the picture {a.get('src')} has no text")
        for key in ("src", "href"):
            if (tag, key) in LOADS and a.get(key) and a.get("rel") not in ("canonical", "prev", "next"):
                self.loads.append(a[key])


def problems(site):
    pages = {}

    def page(file):
        if file not in pages:
            pages[file] = Page(file)
        return pages[file]

    def check(source, link):
        url = urllib.parse.urlsplit(link)
        if url.scheme or url.netloc:
            return None
        path = urllib.parse.unquote(url.path)
        target = os.path.normpath(os.path.join(os.path.dirname(source), path)) if path else source
        if os.path.isdir(target):
            target = os.path.join(target, "index.html")
        if not os.path.isfile(target):
            return f"{link}: no such file"
        if url.fragment and target.endswith(".html") and urllib.parse.unquote(url.fragment) not in page(target).ids:
            return f"{link}: no such place in the page"
        return None

    count = 0
    for folder, folders, files in os.walk(site):
        if os.path.relpath(folder, site) == ".":
            folders[:] = [f for f in folders if f != "api"]
        for name in sorted(files):
            if not name.endswith(".html") or name == "404.html":
                continue
            count += 1
            file = os.path.join(folder, name)
            shown = os.path.relpath(file, site)
            p = page(file)
            for fault in p.faults:
                yield f"{shown}: {fault}"
            if p.headings != 1:
                yield f"{shown}: has {p.headings} headings of the first level, expected 1"
            if not p.language:
                yield f"{shown}: says no language"
            for link in p.links + p.loads:
                fault = check(file, link)
                if fault:
                    yield f"{shown}: {fault}"
            for load in p.loads:
                if urllib.parse.urlsplit(load).netloc:
                    yield f"{shown}: loads {load} from another host"
    if count < 40:
        yield f"{site}: has {count} pages, expected 40 or more"


if __name__ == "__main__":
    if not os.path.exists(os.path.join(sys.argv[1], "index.html")):
        print("SKIPPED: the site is not built (scripts/setup --with-site installs what scripts/make-site needs)")
        sys.exit(77)
    found = list(problems(sys.argv[1]))
    for line in found:
        print(line)
    sys.exit(1 if found else 0)
