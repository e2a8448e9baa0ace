// One output file that appears complete or not at all.
//
// Models: a new file is written under a name that nothing else has, beside the target, and takes the target's name at
//   the end; a symbolic link is followed, so that what it points to is replaced and the link stays. A device, a pipe or a
//   socket is never replaced: it is written in place, in order. "-" is standard output; that, /dev/stdout and /dev/fd/N are
//   written through the open descriptor, whatever it leads to. Gzip when the target's name ends in .gz.
// Does not model: two programs that write the same target at the same time; the later one wins, whole.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace harmonia::testbench {

class OutputFile {
 public:
  enum class Durability {
    kProcess,  // complete for whoever reads it while the machine runs
    kDisk      // and on the disk when commit() returns
  };

  enum class Leftovers {
    kRemove,  // what killed runs have left of this file, with a note (temporary.h)
    kKeep     // for many files of one folder, which whoever owns it cleans once
  };

  /// Writes beside the target until commit(). Throws config::InputError when it cannot be created there, or when the
  /// target is a folder.
  explicit OutputFile(const std::filesystem::path& target, Durability durability = Durability::kProcess,
                      Leftovers leftovers = Leftovers::kRemove);
  /// Removes what was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Buffered. Throws config::RunError when the disk does not take it, at the latest from commit().
  void write(std::string_view bytes);
  /// Puts the file in its place.
  void commit();
  /// What an interrupt cut short goes to TARGET.interrupted when there is an earlier file, which stays. Returns where it
  /// is.
  std::filesystem::path commit_interrupted();

 private:
  struct Stream;
  void flush();
  std::filesystem::path target_, partial_;  // partial_ is empty when written in place, and after commit()
  Durability durability_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
};

/// Whether a file of this name is a stream, which takes one document in order and is never replaced: "-" (standard
/// output), /dev/stdout, /dev/stderr, /dev/fd/N, and what exists as a device, a pipe or a socket.
bool names_stream(const std::string& target);
/// Whether it is standard output, which then holds nothing else.
bool names_standard_output(const std::string& target);

/// Writes a whole file. Throws as OutputFile does.
void write_file(const std::filesystem::path& target, std::string_view bytes,
                OutputFile::Durability durability = OutputFile::Durability::kProcess,
                OutputFile::Leftovers leftovers = OutputFile::Leftovers::kRemove);

}  // namespace harmonia::testbench
