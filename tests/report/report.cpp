// The report as a file, and opened in a real browser.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

bool succeeds(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

bool has_matplotlib() {
  if (succeeds("/usr/bin/python3 -c 'import matplotlib'") || succeeds("python3 -c 'import matplotlib'")) return true;
  WARN("SKIPPED: no matplotlib (scripts/setup installs it)");
  return false;
}

std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (succeeds(std::string("command -v ") + name)) return name;
  WARN("SKIPPED: no Chromium (scripts/setup --with-browser installs it)");
  return {};
}

/// run, compare and sweep folders of a tiny model, each with its report.
void make_folders(const Scratch& s, const std::string& options) {
  const std::string tiny = "--set model=stories260k --set workload.context=40 ";
  s.write("sweep.yaml",
          "{scenario: default, set: {model: stories260k, workload: {tokens: 1}}, "
          "grid: {weights: [fp16, kmeans1], workload.context: [1, 16, 64]}}");
  REQUIRE(run_harmonia(s, "run default " + tiny + "-o run").status == 0);
  REQUIRE(run_harmonia(s, "compare default " + tiny + "--over weights=fp16,kmeans4,kmeans1,nosuch -o compare").status ==
          1);
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -o sweep").status == 0);
  for (const char* folder : {"run", "compare", "sweep"}) {
    const Outcome o = run_harmonia(s, "report " + options + " " + folder);
    INFO(folder << ": " << o.err);
    REQUIRE(o.status == 0);
  }
}

/// What the page looks like after its scripts ran. Fails when it logs anything.
std::string opened(const Scratch& s, const std::string& chromium, const std::string& page) {
  const std::string command =
      "timeout -s KILL 120 " + chromium +
      " --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
      "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --user-data-dir='" +
      (s / "profile") + "' --dump-dom 'file://" + page + "' > '" + (s / "dom.html") + "' 2> '" + (s / "log.txt") + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  const std::string log = Scratch::read(s / "log.txt");
  INFO(log);
  // What a page logs is marked CONSOLE, errors and violations of its own content policy included.
  REQUIRE(log.find("CONSOLE") == std::string::npos);
  return Scratch::read(s / "dom.html");
}

TEST_CASE(
    "report: with --static one file without scripts or outside references, every plot named, every axis with its "
    "unit") {
  if (!has_matplotlib()) return;
  const Scratch s;
  make_folders(s, "--static");
  for (const char* folder : {"run", "compare", "sweep"}) {
    const std::string html = Scratch::read(s / folder + "/report.html");
    INFO(folder);
    REQUIRE(html.size() < 5000000);
    REQUIRE(count(html, "<script") == 0);
    // The only addresses are the names of the SVG namespaces, and where a reader may open the time line.
    REQUIRE(count(html, "http") == count(html, "xmlns=\"http") + count(html, "xmlns:xlink=\"http") +
                                       count(html, "http-equiv") + count(html, "https://ui.perfetto.dev,"));
    REQUIRE(count(html, "src=") == 0);
    REQUIRE(count(html, "<table>") >= 1);
    const std::size_t plots = count(html, "<svg ");
    REQUIRE(plots >= 3);
    REQUIRE(count(html, "role=\"img\" aria-label=\"") == plots);
    REQUIRE(count(html, "<figcaption>") == plots);
    // Ids stay unique although every plot has axes_1.
    std::vector<std::string> ids;
    const std::regex id(" id=\"([^\"]*)\"");
    for (std::sregex_iterator it(html.begin(), html.end(), id), end; it != end; ++it) ids.push_back((*it)[1]);
    std::sort(ids.begin(), ids.end());
    REQUIRE(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
  }
  const std::string run = Scratch::read(s / "run/report.html");
  for (const char* part : {"share of the simulated time (%)", "arithmetic intensity (operations per DRAM byte",
                           "performance (Gop/s)", "Resolved configuration", "accelerator.pe.rows",
                           "DRAM bandwidth (GB/s)", "simulated time (", "Checks of this run", "<td>Time by bound</td>"})
    REQUIRE_THAT(run, ContainsSubstring(part));
  const nlohmann::json result = nlohmann::json::parse(Scratch::read(s / "run/result.json"));
  for (const auto& o : result["operations"]) {
    std::string name = o["name"];
    std::replace(name.begin(), name.end(), '_', ' ');
    REQUIRE_THAT(run, ContainsSubstring("<td>" + name + "</td>"));
  }
  const std::string compare = Scratch::read(s / "compare/report.html");
  for (const char* part :
       {"FAILED weights=nosuch", "SNR (dB)", "effective parameters", "time per token (", "byte ratio"})
    REQUIRE_THAT(compare, ContainsSubstring(part));
}

TEST_CASE("report: a bare channel's result has its own page") {
  if (!has_matplotlib()) return;
  const Scratch s;
  REQUIRE(
      run_harmonia(s, "dram --config DDR4-3200 --traffic mix --requests 500 --per-request dram/requests.csv.gz -o dram")
          .status == 0);
  REQUIRE(run_harmonia(s, "dram --config DDR4-3200 --traffic mix --requests 500 -o plain").status == 0);
  for (const auto& [folder, plots] : {std::pair<std::string, std::size_t>{"dram", 5}, {"plain", 4}}) {
    const Outcome o = run_harmonia(s, "report " + folder);
    INFO(o.err);
    REQUIRE(o.status == 0);
    const std::string html = Scratch::read(s / folder + "/report.html");
    REQUIRE(count(html, "<svg ") == plots);
    for (const char* part :
         {"500 requests", "bandwidth (GB/s)", "latency (ns)", "energy (", "Assumed inputs", "attainable"})
      REQUIRE_THAT(html, ContainsSubstring(part));
    REQUIRE((html.find("simulated time (") != std::string::npos) == (folder == "dram"));
  }
}

TEST_CASE("report: a folder that holds no result is refused") {
  if (!has_matplotlib()) return;
  const Scratch s;
  s.write("other/file.txt", "x");
  s.write("damaged/result.json", "{\"schema\": 1");
  s.write("strange/result.json", "{\"schema\": 1}");
  s.write("twice/result.json", "{\"schema\": 1, \"schema\": 1}");
  for (const char* folder : {"other", "absent", "damaged", "strange", "twice"}) {
    const Outcome o = run_harmonia(s, std::string("report ") + folder);
    INFO(folder << ": " << o.err);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring("expected a result"));
    REQUIRE_FALSE(fs::exists(s / folder + "/report.html"));
  }
  const Outcome none = run_harmonia(s, "report other", "HARMONIA_REPORT=/nonexistent");
  REQUIRE(none.status != 0);
}

TEST_CASE("report: opens in Chromium without console errors, with all plots and tables") {
  const std::string chromium = browser();
  if (chromium.empty() || !has_matplotlib()) return;
  const Scratch s;
  make_folders(s, "--static");
  for (const char* folder : {"run", "compare", "sweep"}) {
    const std::string page = s / folder + "/report.html";
    const std::string html = Scratch::read(page), dom = opened(s, chromium, page);
    REQUIRE(count(dom, "<svg ") == count(html, "<svg "));
    REQUIRE(count(dom, "<table>") == count(html, "<table>"));
    REQUIRE(count(dom, "</tr>") == count(html, "</tr>"));
  }
}

TEST_CASE("report: its scripts sort tables and draw plots, below 3 MB, and load nothing") {
  const std::string chromium = browser();
  if (chromium.empty() || !has_matplotlib()) return;
  const Scratch s;
  make_folders(s, "");
  const bool uplot = fs::exists(std::string(HARMONIA_SOURCE) + "/.cache/web/node_modules/uplot/dist/uPlot.iife.min.js");
  if (!uplot) WARN("SKIPPED: interactive plots, no uPlot (scripts/setup --with-web installs it)");
  for (const char* folder : {"run", "compare", "sweep"}) {
    INFO(folder);
    const std::string page = s / folder + "/report.html";
    const std::string html = Scratch::read(page);
    REQUIRE(html.size() < 3000000);
    REQUIRE(count(html, "<script src") == 0);
    REQUIRE(count(html, "<link") == 0);
    // Only the scripts whose sums the page's policy names may run.
    REQUIRE(count(html, "'sha256-") == count(html, "<script>"));
    const std::string dom = opened(s, chromium, page);
    REQUIRE(count(dom, "<button type=\"button\">") > 5);
    REQUIRE(count(dom, "<svg ") == count(html, "<svg "));
    const bool series = std::string(folder) == "run";
    REQUIRE((count(dom, "class=\"uplot") == 1) == (series && uplot));
    REQUIRE((count(dom, ">Zoom in</button>") > 0) == (series && uplot));
  }
  // The exact words of the button in Perfetto.
  REQUIRE_THAT(Scratch::read(s / "run/report.html"), ContainsSubstring("choose &#34;Open trace file&#34;"));
}

}  // namespace
}  // namespace harmonia::test
