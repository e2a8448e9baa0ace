// The small models that come with the project (workloads/models/trained, docs/trained.md), by name.
//
// Models: which files a member, the tokenizer and the held-out text are, as family.json names them.
// Does not model: how they were trained (scripts/train).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harmonia/testbench/scenario/library.h"

namespace harmonia::testbench {

struct TrainedFamily {
  struct Member {
    std::string name;     ///< "kmeans4"
    std::string weights;  ///< weights.format that it was trained in
    std::filesystem::path file;
    bool equal_memory = false;  ///< one of the members that take the same bytes, of which there is one for each format
  };
  std::string first;  ///< the member that is run when none is named
  std::filesystem::path tokenizer, held_out;
  std::vector<Member> members;

  /// nullptr when there is none.
  const Member* find(const std::string& name) const;
  /// The member of equal memory that was trained in this weights.format, else that of 16 bit, whose weights are then rounded
  /// after training.
  const Member& for_format(const std::string& weights_format) const;
};

/// Reads models/trained/family.json of the library's folder. Throws config::InputError when it is not there, lacks a key, or
/// names a file that is not there.
TrainedFamily trained_family(const Library& library);

/// The files that a command line asks for.
struct ModelFiles {
  std::string weights, tokenizer;
};

/// `weights` empty: the family's first member; the name of a member (and no file of that name here): that member. The tokenizer
/// is the family's when the weights are and none is named; otherwise what is named stays. Throws config::InputError.
ModelFiles model_files(const std::string& weights, const std::string& tokenizer, const Library& library);

}  // namespace harmonia::testbench
