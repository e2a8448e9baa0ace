"""`harmonia view`: the results of a folder as pages on 127.0.0.1.

Models: a list of the result folders below a folder, the page of each, a comparison of two. What is served is looked up in that list and never made
  of a path in a request, so that nothing else can be asked for; requests under another host's name are refused (a page elsewhere could otherwise
  read results through the reader's browser).
Does not model: several readers at once beyond a thread each, changes of results while a page is open (a reload shows them).
"""
import http.server
import os
import signal
import sys
import threading
import urllib.parse

from . import figures
from .cli import KINDS, Unreadable, page_of, read_document
from .page import Page
from .pair import pair_page
from .text import words

USAGE = "usage: scripts/view DIR [PORT]"
DEEPEST = 6     # folders below the folder
MOST = 2000     # results listed
NAMES = [name for name, _ in KINDS]


def result_folders(root):
    """Paths relative to `root` ("." for itself) of the folders that hold a result, without links and hidden folders."""
    found = []
    for folder, folders, files in os.walk(root):
        path = os.path.relpath(folder, root)
        depth = 0 if path == "." else path.count(os.sep) + 1
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not f.endswith(".partial") and depth < DEEPEST)
        if any(name in files for name in NAMES):
            found.append(path)
        if len(found) > MOST:
            break
    return found


def described(folder):
    """(kind, what ran, {column of the list: text}) of a result folder; kind None when it cannot be read, and then the reason."""
    for name in NAMES:
        file = os.path.join(folder, name)
        if not os.path.exists(file):
            continue
        try:
            d = read_document(file)
            if name == "result.json" and "kind" not in d:
                tokens = d["output_tokens"] or d["prompt_tokens"]
                per_token = d["simulated_seconds"] / tokens if tokens else None
                return "run", f"{d['model']} on {d['accelerator']}", [
                    figures.shown(figures.COLUMNS["time_per_token_s"], per_token) if per_token else "-",
                    figures.shown(figures.COLUMNS["tokens_per_s"], 1 / per_token) if per_token else "-",
                    figures.shown(figures.COLUMNS["energy_per_token_j"], d["energy"]["per_token_j"]), words(d["bound"])]
            kind = d.get("kind", name[:-len(".json")]) if name == "result.json" else name[:-len(".json")]
            what = {"study": lambda: d["study"]["name"], "sweep": lambda: d["name"], "compare": lambda: f"{d['scenario']} over {', '.join(d['keys'])}",
                    "dram": lambda: f"{d['config']}, traffic {d['traffic']['kind']}", "coverage": lambda: f"{len(d['runs'])} runs"}
            return kind, what[kind]() if kind in what else "", ["-"] * 4
        except Unreadable as error:
            return None, str(error), ["-"] * 4
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            return None, f"{file}: is no result of harmonia ({type(error).__name__}: {error})", ["-"] * 4
    return None, f"{folder}: holds no result any more", ["-"] * 4


def address(page, **query):
    return page + ("?" + urllib.parse.urlencode(query) if query else "")


def list_page(root):
    folders = result_folders(root)
    page = Page("Results", os.path.abspath(root))
    rows, runs = [], []
    for path in folders:
        kind, what, main = described(os.path.join(root, path))
        name = os.path.basename(os.path.abspath(root)) if path == "." else path
        if kind is None:
            rows.append([name, "cannot be read", what] + main)
        else:
            rows.append([{"text": name, "address": address("/report", run=path)}, kind, what] + main)
            runs.append(path)
    page.section("All results")
    page.text(f"{len(folders)} results{' (the first ones; the folder holds more)' if len(folders) > MOST else ''}. A result's name leads to its report.")
    page.table("Results of this folder", ["result", "kind", "of", "time per token", "token/s", "energy per token", "bound by"], rows)
    if len(runs) > 1:
        page.section("Compare two")
        page.choose(runs, runs[0], runs[1])
    return page


class Refused(Exception):
    """An HTTP status and a sentence."""


def answer(root, path, query):
    """The page of a request. Throws Refused."""
    if path == "/":
        if query:
            raise Refused(404, "There is no such page")
        return list_page(root)
    known = set(result_folders(root))

    def run(key):
        values = query.get(key, [])
        if len(values) != 1:
            raise Refused(400, f"The address needs one '{key}'")
        if values[0] not in known:
            raise Refused(404, f"There is no result '{values[0]}' in this folder")
        return values[0]

    if path == "/report" and set(query) == {"run"}:
        name = run("run")
        page = page_of(os.path.join(root, name))
    elif path == "/compare" and set(query) == {"a", "b"}:
        a, b = run("a"), run("b")
        page = pair_page(root, a, b)
    else:
        raise Refused(404, "There is no such page")
    page.links = [("/", "All results")]
    return page


class Handler(http.server.BaseHTTPRequestHandler):
    server_version, sys_version = "harmonia", ""
    root = "."
    drawing = threading.Lock()  # matplotlib draws one figure at a time

    def do_GET(self):
        self.reply(True)

    def do_HEAD(self):
        self.reply(False)

    def reply(self, body):
        try:
            host = self.headers.get("Host", "").rsplit(":", 1)[0]
            if host not in ("127.0.0.1", "localhost"):
                raise Refused(421, "This server answers as 127.0.0.1 and localhost only")
            if len(self.path) > 4096:
                raise Refused(414, "The address is too long")
            url = urllib.parse.urlsplit(self.path)
            with Handler.drawing:
                html = answer(Handler.root, url.path, urllib.parse.parse_qs(url.query, keep_blank_values=True)).html()
            self.send(200, html, body)
        except Refused as refused:
            self.send(refused.args[0], message_page(refused.args[1]), body)
        except Unreadable as error:
            self.send(500, message_page(str(error)), body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader went away
        except Exception as error:  # pylint: disable=broad-except
            self.send(500, message_page(f"The page cannot be made ({type(error).__name__}: {error})"), body)

    def send(self, status, html, body):
        data = html.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def message_page(sentence):
    page = Page("Harmonia", "")
    page.links = [("/", "All results")]
    page.section("No page")
    page.text(sentence + ".")
    return page.html()


def main(arguments):
    """Exit status: 0, 1, 2 as the program's."""
    arguments = [a for a in arguments if a != "--"]
    if len(arguments) not in (1, 2) or (len(arguments) == 2 and not arguments[1].isdigit()):
        print(USAGE, file=sys.stderr)
        return 2
    root = arguments[0]
    if not os.path.isdir(root):
        print(f"{root}: is no folder, expected a folder with results of harmonia", file=sys.stderr)
        return 2
    if not result_folders(root):
        print(f"{root}: holds no {', '.join(NAMES[:-1])} or {NAMES[-1]}, nor does a folder below it, expected results of harmonia", file=sys.stderr)
        return 2
    Handler.root = root

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    try:
        server = Server(("127.0.0.1", int(arguments[1]) if len(arguments) == 2 else 0), Handler)
    except (OSError, OverflowError) as error:
        print(f"harmonia view: port {arguments[1]} of 127.0.0.1 cannot be used: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1

    def stop(*_):
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    print(f"{root} is shown at http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends)", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0
