// The table of quality in docs/silicon.md against a measurement of today, for designs of each kind of arithmetic.
#include <sstream>

#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/trained_family.h"
#include "harmonia/testbench/quality/quality_table.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "tests/support/catch.h"

namespace harmonia::testbench {
namespace {

/// Cells of a table of the page, by line; its heads are the first.
std::vector<std::vector<std::string>> committed(const std::string& mark) {
  std::istringstream text(config::read_text_file(HARMONIA_SOURCE "/docs/silicon.md", 1 << 20));
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(text, line);) {
    if (line.compare(0, 4, "<!--") == 0) inside = line == mark;
    if (!inside || line.compare(0, 2, "| ") != 0) continue;
    rows.emplace_back();
    for (std::size_t at = 2; at < line.size();) {
      const std::size_t end = line.find(" |", at);
      rows.back().push_back(line.substr(at, end - at));
      at = end + 3;
    }
  }
  return rows;
}

/// The first lines of a file, as scripts/make-quality takes them.
std::string first_lines(const std::string& file, int count) {
  std::istringstream text(config::read_text_file(file, 1 << 20));
  std::string out;
  std::string line;
  for (int i = 0; i < count && std::getline(text, line); ++i) out += line + '\n';
  return out;
}

TEST_CASE("docs/silicon.md says what designs lose on a trained model as a measurement of today does") {
  const auto rows = committed("<!-- table: quality, trained -->");
  QualitySettings all = read_quality_settings(HARMONIA_SOURCE "/workloads/quality/designs.yaml", {"seed=1"}), some;
  REQUIRE(rows.size() == all.settings.size() + 2);  // head and FP32
  some.columns = all.columns;
  std::vector<std::size_t> lines;
  for (std::size_t i = 0; i < all.settings.size(); ++i) {
    CAPTURE(i);
    REQUIRE(std::vector<std::string>(rows[i + 2].begin(), rows[i + 2].begin() + 4) == all.settings[i].cells);
    const std::string& of = all.settings[i].cells[2];
    if (of != "fp_int" && of != "figna_m8" && of != "anda M4") continue;
    lines.push_back(i + 2);
    some.settings.push_back(all.settings[i]);
  }
  REQUIRE(lines.size() == 5);
  const TrainedFamily family = trained_family(Library());
  const TrainedFamily::Member& member = family.for_format("fp16");
  const auto model = std::make_shared<const ModelWeights>(load_weights(member.file.string()));
  const Tokenizer tokenizer = load_tokenizer(family.tokenizer.string(), model->info.shape.vocab_size);
  const QualityText text{"held-out.txt",
                         documents(tokenizer, first_lines(family.held_out.string(), 80), model->info.max_context)};
  const QualityTable now = quality_table(model, {text}, some, {});
  std::istringstream markdown(now.markdown());
  std::string line;
  for (int i = 0; i < 3; ++i) std::getline(markdown, line);  // head, rule, FP32
  for (const std::size_t at : lines) {
    REQUIRE(std::getline(markdown, line));
    for (const std::string& cell : rows[at]) REQUIRE_THAT(line, ContainsSubstring("| " + cell + " |"));
  }
}

}  // namespace
}  // namespace harmonia::testbench
