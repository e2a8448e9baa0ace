// Pages in a real browser: the site, reports, and `harmonia view`. axe finds no violation of WCAG 2.1 A and AA (contrast, texts of pictures, names of
// controls, order of headings, links told apart by more than colour), nothing scrolls sideways on a phone, the keyboard reaches what a pointer does.
//
//   node tests/docs/pages.js MODULES PROGRAM SITE [SCREENSHOTS]
//
// MODULES: the folder in which npm has installed Playwright and axe (scripts/setup --with-web). Exit status: 0, 1 with a line for each fault, 77 skipped.
// Three pages of the site; with HARMONIA_ALL_PAGES in the environment all, which takes many minutes.
// With SCREENSHOTS, a folder, pictures of some pages at three widths are left there: desktop, phone and print.
"use strict";
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const { spawn, spawnSync } = require("child_process");

const [modules, program, site, screenshots] = process.argv.slice(2).map((a) => path.resolve(a));
function skip(why) {
  console.log("SKIPPED: " + why);
  process.exit(77);
}
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((f) => fs.existsSync(f));
if (!browserPath) skip("no Chromium (scripts/setup --with-browser installs it)");
let chromium, axe;
try {
  chromium = require(path.join(modules, "playwright-core")).chromium;
  axe = fs.readFileSync(path.join(modules, "axe-core", "axe.min.js"), "utf-8");
} catch (error) {
  skip("no Playwright or no axe (scripts/setup --with-web installs both where there is npm)");
}
if (spawnSync("/usr/bin/python3", ["-c", "import matplotlib, jinja2"]).status !== 0) skip("no matplotlib or no Jinja2 (scripts/setup installs both)");

const faults = [];
function found(text) {
  faults.push(text);
  console.log(text);
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "harmonia-pages-"));
const tiny = ["--set", "model=stories260k", "--set", "workload.context=40", "--quiet"];

function harmonia(...words) {
  const done = spawnSync(program, words, { cwd: folder, encoding: "utf-8" });
  if (done.status !== 0) throw new Error(words.join(" ") + ": " + done.stderr);
}

/// The site as a server gives it, at a free port of the loopback.
function serve(root) {
  const kinds = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml" };
  const server = http.createServer((request, answer) => {
    const file = path.join(root, path.normalize(decodeURIComponent(request.url.split("?")[0])));
    if (!fs.existsSync(file) || !fs.statSync(file).isFile()) {
      answer.writeHead(404);
      answer.end();
      return;
    }
    answer.writeHead(200, { "Content-Type": kinds[path.extname(file)] || "application/octet-stream" });
    answer.end(fs.readFileSync(file));
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done({ server, address: `http://127.0.0.1:${server.address().port}/` })));
}

async function look(browser, name, url, width) {
  const page = await browser.newPage({ viewport: { width, height: 1000 } });
  page.setDefaultTimeout(180000);  // a computer that does much else at once
  const fault = (text) => found(`${name} at ${width}: ${text}`);
  page.on("console", (m) => { if (m.type() === "error" && !(name === "view, no page" && /404/.test(m.text()))) fault("console: " + m.text()); });
  page.on("pageerror", (e) => fault("script: " + e.message));
  page.on("request", (r) => { if (!/^(file|data|blob):|^http:\/\/127\.0\.0\.1:/.test(r.url())) fault("asks for " + r.url()); });
  await page.goto(url);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) fault(`scrolls sideways by ${wide} pixels`);
  if (width < 600) return page;  // the same marks as on the desktop
  // Through the debugger, as the page's own policy allows no script but its own.
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], resultTypes: ["violations"] }));
  for (const v of result.violations)
    fault(`${v.id} (${v.help}): ${v.nodes.length} places, the first ${v.nodes[0].html.slice(0, 140)} ${(v.nodes[0].any[0] || {}).message || ""}`);
  return page;
}

async function picture(page, name) {
  if (!screenshots) return;
  const width = page.viewportSize().width;
  await page.screenshot({ path: path.join(screenshots, `${name}-${width > 600 ? "desktop" : "phone"}.png`), fullPage: true, animations: "disabled" });
  if (width < 600) return;
  await page.setViewportSize({ width: 794, height: 1123 });  // A4 at 96 dots an inch
  await page.emulateMedia({ media: "print" });
  await page.screenshot({ path: path.join(screenshots, `${name}-print.png`), fullPage: true });
  await page.emulateMedia({ media: "screen" });
}

async function keyboard(page, series) {
  const fault = (text) => found("keyboard in the report: " + text);
  const sort = page.locator("th button").first();
  await sort.focus();
  await page.keyboard.press("Enter");
  if ((await page.locator("th[aria-sort=ascending]").count()) !== 1) fault("Enter on a heading does not sort its table");
  await page.keyboard.press("Enter");
  if ((await page.locator("th[aria-sort=descending]").count()) !== 1) fault("a second Enter does not turn the order");
  if (!series) return;
  await page.locator(".chart").first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  const said = await page.locator("[aria-live]").first().textContent();
  if (!/simulated time .*weights [0-9]/.test(said)) fault(`an arrow key reads out '${said}'`);
  const before = await page.locator(".u-legend").first().textContent();
  if (!/weights/.test(before)) fault("the values of the plot have no names");
}

(async () => {
  harmonia("run", "default", ...tiny, "-o", "results/fp");
  harmonia("run", "default", ...tiny, "--set", "weights=kmeans1", "-o", "results/kmeans1");
  harmonia("compare", "default", ...tiny, "--over", "weights=fp16,kmeans4,kmeans1", "-o", "results/bits");
  for (const run of ["fp", "bits"]) harmonia("report", "results/" + run);
  harmonia("report", "results/fp", "--static", "-o", "static.html");
  const server = spawn(program, ["view", path.join(folder, "results")]);
  const address = await new Promise((done, failed) => {
    server.stdout.on("data", (text) => { const m = /http:\S+/.exec(text); if (m) done(m[0]); });
    server.on("exit", () => failed(new Error("harmonia view ended")));
  });
  const at = await serve(site);
  const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const pages = [
      ["report", "file://" + path.join(folder, "results/fp/report.html"), true],
      ["report of a comparison", "file://" + path.join(folder, "results/bits/report.html"), true],
      ["report without scripts", "file://" + path.join(folder, "static.html"), false],
      ["view", address, true],
      ["view, report", address + "report?run=kmeans1", false],
      ["view, two runs", address + "compare?a=fp&b=kmeans1", true],
      ["view, no page", address + "nothing", false],
    ];
    if (fs.existsSync(path.join(site, "index.html"))) {
      const shown = ["index.html", "running.html", "tutorial-architect.html", "command-reference.html", "examples/byo_rtl/README.html"];
      const few = ["index.html", "running.html", "command-reference.html"];  // of each kind one: a picture, prose, long tables
      const all = !process.env.HARMONIA_ALL_PAGES ? few :
        fs.readdirSync(site).filter((f) => f.endsWith(".html") && f !== "404.html").concat("examples/byo_rtl/README.html", "examples/README.html");
      for (const f of all.map((f) => f.replace(/\\/g, "/"))) if (fs.existsSync(path.join(site, f))) pages.push(["site, " + f, at.address + f, shown.includes(f)]);
    } else {
      console.log("The site is not built: its pages are left out (scripts/setup --with-site installs what scripts/make-site needs)");
    }
    for (const [name, url, phone] of pages) {
      for (const width of phone ? [1280, 390] : [1280]) {
        const page = await look(browser, name, url, width);
        if (name === "report" && width === 1280) await keyboard(page, (await page.locator(".chart").count()) > 0);
        if (phone) await picture(page, name.replace(/[^a-z0-9]+/g, "-"));
        await page.close();
      }
    }
    console.log(`${pages.length} pages looked at, ${faults.length} faults`);
  } finally {
    await browser.close();
    at.server.close();
    server.kill("SIGINT");
    fs.rmSync(folder, { recursive: true });
  }
  process.exit(faults.length ? 1 : 0);
})().catch((error) => { console.log(error.stack); process.exit(1); });
