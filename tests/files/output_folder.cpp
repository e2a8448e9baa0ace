// The folder of a result, the interrupt that ends a run, and the words of progress.
#include "harmonia/testbench/files/output_folder.h"

#include <csignal>
#include <filesystem>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/progress.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
namespace tb = harmonia::testbench;
using harmonia::test::message_of;
using harmonia::test::Scratch;

TEST_CASE("a result folder appears complete or not at all") {
  const Scratch s;
  const std::string target = s / "deep/er/result";
  {
    tb::OutputFolder folder(target);
    folder.write("a.txt", "half");
    REQUIRE_FALSE(fs::exists(target));
  }
  REQUIRE(fs::is_empty(s.path()));  // nor the parents made for it

  {
    tb::OutputFolder folder(target);
    folder.write("a.txt", "one");
    folder.commit();
  }
  REQUIRE(Scratch::read(target + "/a.txt") == "one");
  {
    // A later result replaces an earlier one, whole.
    tb::OutputFolder folder(target + "/");
    folder.write("b.txt", "two");
    REQUIRE(Scratch::read(target + "/a.txt") == "one");
    folder.commit();
  }
  REQUIRE(Scratch::read(target + "/b.txt") == "two");
  REQUIRE_FALSE(fs::exists(target + "/a.txt"));
  REQUIRE(std::distance(fs::directory_iterator(s / "deep/er"), fs::directory_iterator()) == 1);
}

TEST_CASE("a result folder that an interrupt cut short leaves an earlier one where it is") {
  const Scratch s;
  const std::string target = s / "result";
  const auto interrupted_run = [&](const std::string& contents) {
    tb::OutputFolder folder(target);
    folder.write("a.txt", contents);
    return folder.commit_interrupted();
  };
  CHECK(interrupted_run("first") == "interrupted: what was finished is in " + target);
  CHECK(Scratch::read(target + "/a.txt") == "first");
  CHECK(interrupted_run("second") ==
        "interrupted: " + target + " is still the earlier result, what was finished is in " + target + ".interrupted");
  interrupted_run("third");
  CHECK(Scratch::read(target + "/a.txt") == "first");
  CHECK(Scratch::read(target + ".interrupted/a.txt") == "third");
  CHECK(std::distance(fs::directory_iterator(s.path()), fs::directory_iterator()) == 2);
  fs::remove_all(target + ".interrupted");
  s.write("result.interrupted/mine.txt", "mine");
  CHECK_THAT(message_of([&] { interrupted_run("fourth"); }), ContainsSubstring("is not kept"));
  CHECK(Scratch::read(s / "result.interrupted/mine.txt") == "mine");
}

TEST_CASE("a result folder never replaces what is no result") {
  const Scratch s;
  const std::string photos = s.write("photos/holiday.jpg", "x");
  const std::string folder = s / "photos";
  REQUIRE(message_of([&] { tb::OutputFolder f(folder); }) ==
          folder + ": exists and is no result of harmonia, expected a new name, an empty folder or an earlier result");
  REQUIRE(message_of([&] { tb::OutputFolder f(photos); }) ==
          photos + ": exists and is no result of harmonia, expected a new name, an empty folder or an earlier result");
  REQUIRE(message_of([&] { tb::OutputFolder f(photos + "/below"); }).find("cannot be created") != std::string::npos);
  REQUIRE_THROWS_AS(tb::OutputFolder(""), harmonia::config::InputError);
  REQUIRE_THROWS_AS(tb::OutputFolder("/"), harmonia::config::InputError);
  REQUIRE(Scratch::read(photos) == "x");
  fs::create_directory(s / "empty");
  tb::OutputFolder f(s / "empty");
  f.commit();
  REQUIRE(fs::exists(s.path() / "empty" / tb::OutputFolder::kMarker));
}

TEST_CASE("the first interrupt is noted, and only while somebody listens") {
  REQUIRE_FALSE(tb::interrupted());
  {
    tb::InterruptGuard guard;
    {
      tb::InterruptGuard inner;
      REQUIRE_FALSE(tb::interrupted());
      std::raise(SIGINT);
      REQUIRE(tb::interrupted());
    }
    REQUIRE(tb::interrupted());
  }
  tb::InterruptGuard again;
  REQUIRE_FALSE(tb::interrupted());
}

TEST_CASE("durations are short words") {
  REQUIRE(tb::duration_text(2.6) == "3 s");
  REQUIRE(tb::duration_text(245) == "4 min 05 s");
  REQUIRE(tb::duration_text(7800) == "2 h 10 min");
}
