#include "harmonia/testbench/infer/trained_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/yaml.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;
using config::InputError;
using nlohmann::json;

constexpr std::size_t kLargestIndex = 1U << 20;
constexpr const char* kSixteenBit = "fp16";

std::string text_of(const json& object, const char* key, const fs::path& index) {
  if (!object.is_object() || !object.contains(key) || !object.at(key).is_string())
    throw InputError({index.string()}, fmt::format("has no text '{}' where one is expected", key));
  return object.at(key).get<std::string>();
}

fs::path file_of(const json& object, const char* key, const fs::path& index) {
  const fs::path file = index.parent_path() / text_of(object, key, index);
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored))
    throw InputError({index.string()}, "names " + config::printable(file.string()) + ", which is not there");
  return file;
}

bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

const TrainedFamily::Member* TrainedFamily::find(const std::string& name) const {
  const auto it = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
  return it == members.end() ? nullptr : &*it;
}

const TrainedFamily::Member& TrainedFamily::for_format(const std::string& weights_format) const {
  const auto of = [&](const std::string& format) {
    return std::find_if(members.begin(), members.end(),
                        [&](const Member& m) { return m.equal_memory && m.weights == format; });
  };
  const auto trained = of(weights_format);
  return trained == members.end() ? *of(kSixteenBit) : *trained;
}

TrainedFamily trained_family(const Library& library) {
  const fs::path index = library.folder() / "models" / "trained" / "family.json";
  if (!is_there(index.string()))
    throw InputError({index.string()},
                     "is not there: the models that come with the project are missing, expected --weights FILE or "
                     "another folder of built-ins (--workloads)");
  const json j = config::parse_json_values(config::read_text_file(index.string(), kLargestIndex), index.string());
  TrainedFamily family;
  family.first = text_of(j, "default", index);
  family.tokenizer = file_of(j, "tokenizer", index);
  family.held_out = file_of(j, "held_out", index);
  if (!j.contains("members") || !j["members"].is_array()) throw InputError({index.string()}, "has no list 'members'");
  for (const json& member : j["members"]) {
    const bool equal_memory = member.is_object() && member.value("equal_memory", json(false)) == json(true);
    family.members.push_back({text_of(member, "name", index), text_of(member, "weights", index),
                              file_of(member, "file", index), equal_memory});
  }
  if (!family.find(family.first))
    throw InputError({index.string()}, "has no member '" + config::printable(family.first) + "', which is the default");
  if (std::none_of(family.members.begin(), family.members.end(),
                   [](const TrainedFamily::Member& m) { return m.equal_memory && m.weights == kSixteenBit; }))
    throw InputError({index.string()}, "has no member of 16 bit with equal_memory");
  return family;
}

ModelFiles model_files(const std::string& weights, const std::string& tokenizer, const Library& library) {
  const bool named = !weights.empty();
  const bool plain_name = weights.find('/') == std::string::npos && weights.find('.') == std::string::npos;
  if (named && (!plain_name || is_there(weights))) return {weights, tokenizer.empty() ? weights : tokenizer};
  const TrainedFamily family = trained_family(library);
  const TrainedFamily::Member* member = family.find(named ? weights : family.first);
  if (!member) {
    std::vector<std::string> names;
    for (const TrainedFamily::Member& m : family.members) names.push_back(m.name);
    throw InputError({"command line"},
                     fmt::format("--weights {} is neither a file nor a trained model: expected one of {}",
                                 config::printable(weights), fmt::join(names, ", ")));
  }
  return {member->file.string(), tokenizer.empty() ? family.tokenizer.string() : tokenizer};
}

}  // namespace harmonia::testbench
