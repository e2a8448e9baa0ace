// What killed programs leave beside an output: found and removed, and nothing else is.
#include "harmonia/testbench/files/temporary.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <iterator>

#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace harmonia::testbench;
using harmonia::test::Scratch;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Does the work in a process of its own and kills that when it has.
void killed_after(const std::function<void()>& work) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work();
    if (::write(ready[1], "x", 1) == 1)
      while (true) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace

TEST_CASE("left-overs of an output file are removed by the next run, not by one of another output") {
  const Scratch s;
  const fs::path file = s.path() / "out.csv";
  killed_after([&] { (new OutputFile(file))->write(std::string(1 << 20, 'x')); });
  REQUIRE(entries(s.path()) == 1);
  write_file(s.path() / "other.csv", "other");
  REQUIRE(entries(s.path()) == 2);
  write_file(file, "new");
  REQUIRE(entries(s.path()) == 2);
  REQUIRE(Scratch::read(file) == "new");
}

TEST_CASE("left-overs of a result folder are removed by the next run with the same output") {
  const Scratch s;
  const fs::path target = s.path() / "result";
  killed_after([&] { (new OutputFolder(target.string()))->write("a.txt", "half"); });
  REQUIRE(entries(s.path()) == 1);
  {
    OutputFolder folder(target.string());
    REQUIRE(entries(s.path()) == 1);
    folder.write("b.txt", "whole");
    folder.commit();
  }
  REQUIRE(entries(s.path()) == 1);
  REQUIRE(Scratch::read(target / "b.txt") == "whole");
}

TEST_CASE("what a living process writes is no left-over") {
  const Scratch s;
  const fs::path target = s.path() / "result", file = s.path() / "out.csv";
  OutputFolder first(target.string());
  OutputFile written(file);
  REQUIRE(remove_leftovers_in(s.path()).empty());
  { OutputFolder second(target.string()); }
  first.write("a.txt", "mine");
  first.commit();
  written.write("mine");
  written.commit();
  REQUIRE(Scratch::read(target / "a.txt") == "mine");
  REQUIRE(Scratch::read(file) == "mine");
}

TEST_CASE("what nobody but a user can have made is no left-over") {
  const Scratch s;
  const std::string victim = s.write("victim/data", "mine");
  s.write("result.harmonia-partial-abcdef/data", "mine");  // no marker
  s.write("result.harmonia-partial-abcdeg/data", "mine");
  s.write("result.harmonia-partial-abcdeg/.harmonia-result", "another signature");
  s.write("result.partial-abcdef", "mine");
  s.write("result.harmonia-partial-abc", "mine");
  fs::create_directory_symlink("victim", s.path() / "result.harmonia-partial-abcdeh");
  fs::create_symlink("victim/data", s.path() / "result.harmonia-partial-abcdei");
  const std::size_t before = entries(s.path());
  REQUIRE(remove_leftovers(s.path() / "result").empty());
  REQUIRE(entries(s.path()) == before);
  REQUIRE(Scratch::read(victim) == "mine");
}

TEST_CASE("a kill between the two halves of an exchange loses nothing") {
  const Scratch s;
  const fs::path target = s.path() / "result";
  {
    OutputFolder folder(target.string());
    folder.write("a.txt", "old");
    folder.commit();
  }
  // Where folders cannot be exchanged in one step, the old one is out of the way for a moment.
  fs::rename(target, s.path() / "result.harmonia-replaced");
  { OutputFolder folder(target.string()); }
  REQUIRE(Scratch::read(target / "a.txt") == "old");
  // The same after the new one has its name.
  fs::copy(target, s.path() / "result.harmonia-replaced", fs::copy_options::recursive);
  { OutputFolder folder(target.string()); }
  REQUIRE(entries(s.path()) == 1);
}

TEST_CASE("an output file that an interrupt cut short leaves an earlier one where it is") {
  const Scratch s;
  const fs::path file = s.path() / "out.csv";
  const auto cut = [&] {
    OutputFile out(file);
    out.write("half");
    return out.commit_interrupted();
  };
  REQUIRE(cut() == file);
  write_file(file, "whole");
  REQUIRE(cut() == file.string() + ".interrupted");
  REQUIRE(Scratch::read(file) == "whole");
}
