#include "harmonia/testbench/report/report.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;

std::string report_script() {
  if (const char* named = std::getenv("HARMONIA_REPORT"); named && *named) return named;
  std::error_code ignored;
  const fs::path installed =
      fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path() / "share/harmonia/scripts/report";
  if (fs::is_regular_file(installed, ignored)) return installed.string();
  if (fs::is_regular_file(HARMONIA_REPORT_SOURCE, ignored)) return HARMONIA_REPORT_SOURCE;
  throw config::RunError("the script that draws reports is missing: neither " + installed.string() +
                         " nor " HARMONIA_REPORT_SOURCE " exists");
}

int make_report(const std::string& folder, const std::string& output) {
  std::vector<std::string> words = {"python3", "-B", report_script(), "--", folder};
  if (!output.empty()) words.push_back(output);
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
  if (!WIFEXITED(status)) throw config::RunError("the script that draws reports was killed");
  if (WEXITSTATUS(status) == 127)
    throw config::RunError(
        "python3 is missing; reports are drawn with Python, matplotlib and Jinja2 (scripts/setup installs all three)");
  return WEXITSTATUS(status);
}

}  // namespace harmonia::testbench
