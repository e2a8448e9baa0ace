// Command traces under an outside judge: the timing checker of the reference data, which knows nothing of the engine.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/dram/checked.h"
#include "tests/support/data.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

class TraceFile : public CommandObserver {
 public:
  explicit TraceFile(bool split_activate)
      : path_(std::filesystem::temp_directory_path() / ("harmonia-commands-" + std::to_string(::getpid()) + ".csv")),
        out_(path_),
        split_activate_(split_activate) {
    out_ << "cycle,cmd,rank_or_pc,bankgroup,bank_in_group,row,col\n";
  }
  ~TraceFile() override { std::filesystem::remove(path_); }
  void on_command(const Command& c) override {
    out_ << c.cycle << ',' << cmd_name(c.cmd, split_activate_) << ',' << c.unit << ',' << c.bankgroup << ','
         << c.bank_in_group << ',' << c.row << ',' << c.column << '\n';
  }
  /// Exit status of the outside checker: 0 clean, 1 violations, 2 unusable.
  int judge(const std::filesystem::path& data, const std::string& reference, bool act_second_edge) {
    out_.close();
    const std::string command = "python3 '" + (data / "tools" / "dram_timing_check.py").string() + "' '" +
                                (data / "reference" / "dram" / "configs.json").string() + "' " + reference + " '" +
                                path_.string() + "'" + (act_second_edge ? " --act-second-edge" : "");
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  std::filesystem::path path_;
  std::ofstream out_;
  bool split_activate_;
};

struct Judged {
  int outside;
  std::uint64_t own;
};

Judged judged(const std::filesystem::path& data, const Config& obeyed, const std::string& reference,
              const std::string& traffic, std::uint64_t requests) {
  const Config& right = find_preset(reference);
  TraceFile trace(right.standard->split_activate);
  CheckedEngine e(obeyed, right, false);
  e.engine.add_observer(&trace);
  e.run(traffic, requests);
  e.checker.finish(e.engine.statistics().busy_until);
  return {trace.judge(data, reference, right.standard->split_command_bus), e.checker.violations()};
}

}  // namespace

TEST_CASE("Command traces of 100,000 requests pass the outside checker") {
  HARMONIA_REQUIRE_DATA(data);
  for (const char* reference : {"ddr4_3200.bgi", "hbm2_2000.rbc", "lpddr5_6400.cbg"})
    for (const char* traffic : {"rand", "mix"}) {
      INFO(reference << " " << traffic);
      const Judged j = judged(data, find_preset(reference), reference, traffic, 100000);
      CHECK(j.outside == 0);
      CHECK(j.own == 0);
    }
}

TEST_CASE("Command traces with a broken constraint fail both checkers") {
  HARMONIA_REQUIRE_DATA(data);
  const struct {
    const char *reference, *key, *value;
  } cases[] = {{"ddr4_3200.bgi", "FAW", "33"}, {"hbm2_2000.rbc", "WTR_L", "7"}, {"lpddr5_6400.cbg", "RCDRD", "14"}};
  for (const auto& broken : cases) {
    INFO(broken.reference << " " << broken.key);
    Config c = find_preset(broken.reference);
    set_key(c, broken.key, broken.value);
    const Judged j = judged(data, c, broken.reference, "mix", 3000);
    CHECK(j.outside == 1);
    CHECK(j.own > 0);
  }
}
