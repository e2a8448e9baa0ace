#!/usr/bin/env python3
"""`harmonia view`: what it serves, what it refuses, how it ends.

    tests/docs/view_test.py PROGRAM
"""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
TINY = ["run", "default", "--set", "model=stories260k", "--set", "workload.context=16", "--set", "workload.tokens=1", "--quiet"]


def has_drawing():
    return any(subprocess.run([python, "-c", "import matplotlib, jinja2"], capture_output=True, check=False).returncode == 0
               for python in ("/usr/bin/python3", "python3") if shutil.which(python))


class View(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="harmonia-view-")
        cls.results = os.path.join(cls.folder, "results")
        for name, more in (("one", []), ("below/two", ["--set", "weights=kmeans1"])):
            os.makedirs(os.path.dirname(os.path.join(cls.results, name)), exist_ok=True)
            subprocess.run([PROGRAM, *TINY, *more, "-o", os.path.join(cls.results, name)], check=True)
        subprocess.run([PROGRAM, "dram", "--config", "DDR4-3200", "--traffic", "seq", "--requests", "500", "--quiet", "-o", os.path.join(cls.results, "channel")], check=True)
        os.mkdir(os.path.join(cls.results, "<b>bad"))
        with open(os.path.join(cls.results, "<b>bad", "result.json"), "w", encoding="utf-8") as f:
            f.write('{"schema": 1')
        with open(os.path.join(cls.folder, "secret.html"), "w", encoding="utf-8") as f:
            f.write("secret")
        cls.server = subprocess.Popen([PROGRAM, "view", cls.results], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        cls.line = cls.server.stdout.readline()
        cls.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", cls.line).group(1))

    @classmethod
    def tearDownClass(cls):
        if cls.server.poll() is None:
            cls.server.kill()
        cls.server.wait()
        cls.server.stdout.close()
        shutil.rmtree(cls.folder)

    def get(self, path, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def test_lists_every_result_and_says_which_cannot_be_read(self):
        status, text = self.get("/")
        self.assertEqual(status, 200)
        for part in ('href="/report?run=one"', 'href="/report?run=below%2Ftwo"', 'href="/report?run=channel"', "cannot be read", "result.json:1:13", "4 results"):
            self.assertIn(part, text)
        self.assertNotIn("<b>bad", text)

    def test_shows_the_report_of_each(self):
        for run in ("one", "below%2Ftwo", "channel"):
            status, text = self.get("/report?run=" + run)
            self.assertEqual(status, 200)
            self.assertIn("<svg", text)
            self.assertIn('href="/"', text)

    def test_compares_two_runs(self):
        status, text = self.get("/compare?a=one&b=below%2Ftwo")
        self.assertEqual(status, 200)
        for part in ("Main figures", "time per output token", "bits per weight", "DRAM bandwidth of both runs", "weights.format", "second / first", "kmeans1"):
            self.assertIn(part, text)
        self.assertIn("No key differs", self.get("/compare?a=one&b=one")[1])

    def test_says_that_results_of_different_kinds_have_nothing_in_common(self):
        self.assertIn("no figures in common", self.get("/compare?a=one&b=channel")[1])

    def test_nothing_but_the_results_can_be_asked_for(self):
        for path in ("/secret.html", "/../secret.html", "/report?run=..", "/report?run=../results/one", "/report?run=/etc", "/report?run=one/../one", "/report?run=one%00",
                     "/results/one/result.json", "/report?run=%2e%2e%2fsecret.html", "/compare?a=one&b=../one", "//etc/passwd", "/report?run=one&x=1", "/?run=one"):
            status, text = self.get(path)
            self.assertEqual(status, 404, path)
            self.assertNotIn("secret\n", text)
        self.assertEqual(self.get("/report?run=one&run=one")[0], 400)

    def test_a_damaged_result_is_named(self):
        status, text = self.get("/report?run=%3Cb%3Ebad")
        self.assertEqual(status, 500)
        self.assertIn("result.json:1:13", text)

    def test_other_hosts_and_other_methods_are_refused(self):
        self.assertEqual(self.get("/", host="example.org")[0], 421)
        self.assertEqual(self.get("/", host="localhost:%d" % self.port)[0], 200)
        self.assertEqual(self.get("/", method="HEAD"), (200, ""))
        self.assertEqual(self.get("/", method="POST")[0], 501)

    def test_listens_on_the_loopback_only(self):
        with open("/proc/net/tcp", encoding="ascii") as f:
            listening = [line.split()[1] for line in f if line.split()[3] == "0A" and line.split()[1].endswith(":%04X" % self.port)]
        self.assertEqual(listening, ["0100007F:%04X" % self.port])

    def test_a_port_that_is_taken_is_named(self):
        done = subprocess.run([PROGRAM, "view", self.results, "--port", str(self.port)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"port {self.port} of 127.0.0.1 cannot be used", done.stderr)

    def test_folders_without_results_are_refused_by_name(self):
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        for folder, said in ((empty, "holds no compare.json"), (os.path.join(self.folder, "absent"), "is no folder"), (os.path.join(self.folder, "secret.html"), "is no folder")):
            done = subprocess.run([PROGRAM, "view", folder], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{folder}: {said}", done.stderr)
        self.assertEqual(subprocess.run([PROGRAM, "view", empty, "--port", "70000"], capture_output=True, check=False).returncode, 2)

    def test_an_interrupt_ends_it(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with subprocess.Popen([PROGRAM, "view", self.results, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            self.assertIn(f"http://127.0.0.1:{port}/ (Ctrl-C ends)", server.stdout.readline())
            server.send_signal(signal.SIGINT)
            self.assertEqual(server.wait(timeout=60), 0)
            self.assertEqual(server.stderr.read(), "")
            self.assertEqual(server.stdout.read(), "")


if __name__ == "__main__":
    if not has_drawing():
        print("SKIPPED: no matplotlib or no Jinja2 (scripts/setup installs both)")
        sys.exit(77)
    unittest.main()
