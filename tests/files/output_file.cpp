// Output files: complete or not at all, and nothing but files is ever replaced.
#include "harmonia/testbench/files/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "harmonia/config/error.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace harmonia;
using namespace harmonia::testbench;
namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("output file: what was there stays until commit, and nothing is left behind") {
  const test::Scratch scratch;
  const fs::path file = scratch.path() / "result.csv";
  put(file, "old");
  {
    OutputFile out(file);
    out.write("new");
    CHECK(contents(file) == "old");
  }
  CHECK(contents(file) == "old");  // not committed
  CHECK(entries(scratch.path()) == 1);
  {
    OutputFile out(file);
    out.write("new");
    out.commit();
  }
  CHECK(contents(file) == "new");
  CHECK(entries(scratch.path()) == 1);
  write_file(file, std::string(3 << 20, 'x'), OutputFile::Durability::kDisk);
  CHECK(fs::file_size(file) == 3 << 20);
}

TEST_CASE("output file: the permissions of the file that it replaces") {
  const test::Scratch scratch;
  const fs::path file = scratch.path() / "private";
  put(file, "old");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  write_file(file, "new");
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const mode_t mask = ::umask(022);
  write_file(scratch.path() / "new", "new");
  ::umask(mask);
  struct stat is {};
  REQUIRE(::stat((scratch.path() / "new").c_str(), &is) == 0);
  CHECK((is.st_mode & 0777) == 0644);
}

TEST_CASE("output file: two writers of one target do not meet, and names that can be guessed are not used") {
  const test::Scratch scratch;
  const fs::path file = scratch.path() / "out", victim = scratch.path() / "victim";
  put(victim, "untouched");
  for (const std::string& name :
       {std::string(".partial"), std::string(".new"), ".partial-" + std::to_string(::getpid())})
    fs::create_symlink(victim, file.string() + name);
  OutputFile first(file), second(file);
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(contents(file) == "second");
  first.commit();
  CHECK(contents(file) == "first");
  CHECK(contents(victim) == "untouched");
}

TEST_CASE("output file: a symbolic link is followed and stays") {
  const test::Scratch scratch;
  fs::create_directory(scratch.path() / "elsewhere");
  const fs::path file = scratch.path() / "elsewhere" / "file", link = scratch.path() / "link";
  const fs::path through = scratch.path() / "through";
  fs::create_symlink(fs::path("elsewhere") / "file", link);  // to nothing yet
  fs::create_symlink("link", through);
  write_file(through, "new");
  CHECK(fs::is_symlink(link));
  CHECK(fs::is_symlink(through));
  CHECK(contents(file) == "new");
  CHECK(entries(scratch.path()) == 3);
  fs::create_symlink("circle", scratch.path() / "circle");
  REQUIRE_THROWS_AS(OutputFile(scratch.path() / "circle"), config::InputError);
  REQUIRE_THROWS_AS(OutputFile(scratch.path()), config::InputError);
  REQUIRE_THROWS_AS(OutputFile(scratch.path() / "no" / "folder"), config::InputError);
}

TEST_CASE("output file: pipes and devices are written in place and never replaced") {
  const test::Scratch scratch;
  const fs::path pipe = scratch.path() / "pipe", link = scratch.path() / "link";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  fs::create_symlink("pipe", link);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  for (const fs::path& target : {pipe, link}) {
    write_file(target, "through", OutputFile::Durability::kDisk);
    char text[16] = {};
    CHECK(::read(reader, text, sizeof text) == 7);
    CHECK(std::string(text) == "through");
    REQUIRE(fs::is_fifo(fs::symlink_status(pipe)));
    REQUIRE(fs::is_symlink(link));
    REQUIRE(entries(scratch.path()) == 2);  // nothing beside it
  }
  ::close(reader);
  // The same way with the device that scripts name most; only now that a pipe has survived it.
  const fs::path null = "/dev/null";
  REQUIRE(fs::is_character_file(fs::symlink_status(null)));
  write_file(null, "gone");
  REQUIRE(fs::is_character_file(fs::symlink_status(null)));
}

TEST_CASE("output file: gzip by name") {
  const test::Scratch scratch;
  const fs::path file = scratch.path() / "out.gz";
  write_file(file, std::string(1 << 20, 'a') + "end");
  CHECK(fs::file_size(file) < 10000);
  gzFile in = gzopen(file.c_str(), "rb");
  REQUIRE(in);
  std::string text((1 << 20) + 100, '\0');
  const int bytes = gzread(in, text.data(), static_cast<unsigned>(text.size()));
  gzclose(in);
  REQUIRE(bytes == (1 << 20) + 3);
  CHECK(text.compare(1 << 20, 3, "end") == 0);
}
