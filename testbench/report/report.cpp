#include "harmonia/testbench/report/report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

namespace {

/// $VARIABLE, share/harmonia/scripts/NAME beside the program's prefix, the source tree's scripts/NAME.
std::string script(const char* variable, const std::string& name) {
  if (const char* named = std::getenv(variable); named && *named) return named;
  std::error_code ignored;
  const fs::path installed =
      fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "share/harmonia/scripts" / name;
  if (fs::is_regular_file(installed, ignored)) return installed.string();
  const fs::path source = fs::path(HARMONIA_SCRIPTS_SOURCE) / name;
  if (fs::is_regular_file(source, ignored)) return source.string();
  throw config::RunError("the script " + name + " is missing: neither " + installed.string() + " nor " +
                         source.string() + " exists");
}

/// Runs it and returns its exit status.
int run_python(std::vector<std::string> words, const char* needs) {
  words.insert(words.begin(), {"python3", "-B"});
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw config::RunError(std::string("cannot start a process: ") + std::strerror(errno));
  if (child == 0) {
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status)) throw config::RunError("the script " + words[2] + " was killed");
  if (WEXITSTATUS(status) == 127) throw config::RunError(std::string("python3 is missing; ") + needs);
  return WEXITSTATUS(status);
}

}  // namespace

std::string report_script() { return script("HARMONIA_REPORT", "report"); }

constexpr const char* kDrawing =
    "reports are drawn with Python, matplotlib and Jinja2 (scripts/setup installs all three)";

int make_report(const std::string& folder, const std::string& output, bool without_scripts) {
  std::vector<std::string> words = {report_script(), "--", folder};
  if (!output.empty()) words.push_back(output);
  if (without_scripts) words.push_back("--static");
  return run_python(std::move(words), kDrawing);
}

int view_results(const std::string& folder, int port) {
  std::vector<std::string> words = {"python3", "-B", script("HARMONIA_VIEW", "view"), folder, std::to_string(port)};
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  // Not a child: an interrupt then ends the server and nothing is left behind.
  ::execvp(argv[0], argv.data());
  throw config::RunError(std::string("python3 is missing; ") + kDrawing);
}

int run_study(const std::string& command, const std::vector<std::string>& arguments) {
  std::error_code ignored;
  // The studies call this very program for each point.
  ::setenv("HARMONIA", fs::read_symlink("/proc/self/exe", ignored).c_str(), 1);
  std::vector<std::string> words = {script("HARMONIA_STUDY", "study"), command};
  // Studies print without colours.
  std::remove_copy(arguments.begin(), arguments.end(), std::back_inserter(words), "--no-color");
  return run_python(std::move(words), "studies are written in Python (scripts/setup installs it)");
}

}  // namespace harmonia::testbench
