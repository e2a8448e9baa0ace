// YAML and JSON text to and from config::Node, and `--set path.to.key=value`.
//
// Reads one YAML 1.2 document (JSON is a subset of it), keeps line and column of every key and value, and refuses with
// InputError, never a crash: duplicate keys, more than one document, tags, documents that nest deeper than 64 levels or
// hold (aliases expanded) more than 100,000 values, files above 4 MiB, bytes that are no UTF-8 text.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "harmonia/config/node.h"

namespace harmonia::config {

/// Parses a document. `file` is the name that locations carry.
Node parse_yaml(std::string_view text, const std::string& file);

/// Reads and parses a file (or standard input for "-"). Throws InputError when it cannot be read.
Node read_yaml(const std::string& file);

/// The whole text of a small file. Throws InputError when it cannot be read or is larger than `most_bytes`.
std::string read_text_file(const std::string& file, std::size_t most_bytes);

/// Notes the names of the files that read_text_file() and read_yaml() read while one exists. One at a time.
class FilesRead {
 public:
  FilesRead();
  ~FilesRead();
  FilesRead(const FilesRead&) = delete;
  FilesRead& operator=(const FilesRead&) = delete;
  const std::set<std::string>& names() const { return names_; }

 private:
  friend std::string read_text_file(const std::string& file, std::size_t most_bytes);
  std::set<std::string> names_;
};

std::string to_yaml(const Node& node);
std::string to_json(const Node& node, int indent = 2);

/// One `--set path.to.key=value`; the value is YAML ("4", "[1, 2]", "{rows: 4}").
struct Override {
  std::string path;
  Node value;
};

/// Parses "path.to.key=value". Locations say "--set path.to.key=value".
Override parse_override(const std::string& text);

/// Called with the path of a scalar that a longer override path runs into: may replace it by the map that it names.
using Expand = std::function<void(const std::string& path, Node& scalar)>;

/// Puts one override into a document. Maps on the way are made when they are absent.
void apply(Node& document, const Override& over, const Expand& expand = {});

}  // namespace harmonia::config
