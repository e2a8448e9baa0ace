"""What MkDocs needs beside docs/*.md as they are: pages of other folders, links, and lists as the project's Markdown writes them.

The pages are written for a reader of the source tree: they name each other as `docs/running.md`, link to folders of sources, and begin a list or a
table without an empty line before it. Here mentions become links, links that leave the documentation become plain text (the sources are not part
of the site), and the empty lines come in. A link to a page that does not exist stays and fails the build (strict mode).
"""
import itertools
import os
import posixpath
import re

from mkdocs.structure.files import File

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTSIDE = ("CONTRIBUTING.md", "examples/README.md", "examples/byo_rtl/README.md")
FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/`\[(.-])(`?)docs/([\w-]+\.md)(#[\w-]+)?\1(?![\w/`])")
ITEM = re.compile(r"^(\s*)([-*]|\d+\.) ")


def on_files(files, config):
    """Leaves out what pages are made of, adds the pages that lie beside their sources."""
    for f in list(files):
        if f.src_uri.endswith((".head.md", ".before.json")):
            files.remove(f)
    for path in OUTSIDE:
        files.append(File(path, ROOT, config["site_dir"], config["use_directory_urls"]))
    return files


def in_tree(src_uri):
    """The path of a page in the source tree."""
    return src_uri if src_uri in OUTSIDE else "docs/" + src_uri


def in_site(path):
    """The page's path in the site of a path in the source tree, or None of what is no page."""
    if path in OUTSIDE:
        return path
    return path[len("docs/"):] if path.startswith("docs/") else None


def resolve(link, page):
    """The target seen from the page, or None when it is outside the site."""
    path, mark, anchor = link.partition("#")
    target = in_site(posixpath.normpath(posixpath.join(posixpath.dirname(in_tree(page)), path)))
    if target is None:
        return None
    return posixpath.relpath(target, posixpath.dirname(page) or ".") + mark + anchor


def links(line, page):
    def replace(match):
        picture, text, target = match.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return match.group(0)
        found = resolve(target, page)
        if found is None:
            return text
        return f"{picture}[{text}]({found})"

    def mention(match):
        if match.group(2) == os.path.basename(page):
            return match.group(0)
        return f"[{match.group(2)[:-3]}]({posixpath.relpath(match.group(2), posixpath.dirname(page) or '.')}{match.group(3) or ''})"

    return MENTION.sub(mention, LINK.sub(replace, line))


def on_page_markdown(markdown, page, config, files):
    """`markdown` with links of the site and with an empty line before each list and table."""
    out, fenced, before = [], False, ""
    for line in markdown.split("\n"):
        if FENCE.match(line):
            if not fenced and before.strip() and not ITEM.match(before):
                out.append("")
            fenced = not fenced
        elif not fenced:
            code = line.startswith("    ") and not before.strip() and not ITEM.match(line)
            if not code:
                line = links(line, page.file.src_uri)
            begins = (ITEM.match(line) and not ITEM.match(before)) or (line.startswith("|") and not before.startswith("|"))
            if begins and before.strip() and not before.startswith((" ", "<!--")):
                out.append("")
        out.append(line)
        before = line
    return "\n".join(out)


def on_page_content(html, page, config, files):
    """Inline code in tables shows | and not \\|; a table and a block of code scroll by themselves, reachable by keyboard."""
    html = re.sub(r"<code>[^<]*</code>", lambda m: m.group(0).replace("\\|", "|"), html)
    numbers = itertools.count(1)  # regions need names of their own
    html = re.sub("<table>", lambda _: f'<div class="wide" tabindex="0" role="region" aria-label="table {next(numbers)}"><table>', html).replace("</table>", "</table></div>")
    # A head cell without text is no head.
    html = re.sub(r"<th([^>]*)>\s*</th>", r"<td\1></td>", html)
    return html.replace("<pre>", '<pre tabindex="0">')


def on_post_page(output, page, config):
    """The theme's search gets the name and the keyboard that it lacks."""
    output = output.replace('data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"')
    return output.replace('<div class="md-search__scrollwrap"', '<div tabindex="0" class="md-search__scrollwrap"')
