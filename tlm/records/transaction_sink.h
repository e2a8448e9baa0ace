// Recorded transactions and the files that they are written to, without SystemC.
//
// Models: fibers (one for each socket or unit), generators of a fiber (kinds of its transactions), transactions with two
//   times and attributes, and relations between transactions: the terms of the SystemC Verification Library.
// Does not model: what a transaction means (transaction_recorder.h does), values of types other than texts and whole numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace harmonia::records {

using Key = std::uint32_t;  // of a text, see Schema::key
using Fiber = std::uint32_t;
using Generator = std::uint32_t;
using Id = std::uint64_t;  // of a transaction; 0 is none

/// The texts, fibers and generators of a recording. Numbers count from 0 in the order of first use; text 0 is empty.
class Schema {
 public:
  Schema() { key(""); }
  /// The number of a text, the same for the same text.
  Key key(std::string_view text);
  Fiber fiber(std::string_view name, std::string_view kind);
  Generator generator(Fiber of, std::string_view name);

  struct FiberNames {
    Key name, kind;
  };
  struct GeneratorNames {
    Key name;
    Fiber fiber;
  };
  const std::vector<std::string>& texts() const { return texts_; }
  const std::vector<FiberNames>& fibers() const { return fibers_; }
  const std::vector<GeneratorNames>& generators() const { return generators_; }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, Key> keys_;
  std::vector<FiberNames> fibers_;
  std::vector<GeneratorNames> generators_;
};

struct Attribute {
  Key name;
  bool is_text;  // `value` is then the key of a text
  std::uint64_t value;
};

struct Transaction {
  Id id;
  Generator generator;
  std::uint64_t begin_ps, end_ps;
  const Attribute* attributes;
  std::size_t attribute_count;
};

/// From a transaction to the one that it belongs to, which may be written later or not at all.
struct Relation {
  Key name;
  Fiber from_fiber;
  Id from;
  Fiber to_fiber;
  Id to;
};

/// A file of recorded transactions. Made over a schema that outlives it and may grow.
class TransactionSink {
 public:
  virtual ~TransactionSink() = default;
  virtual void write(const Transaction& transaction) = 0;
  virtual void write(const Relation& relation) = 0;
  /// Everything is on disk, or std::runtime_error with the reason. Nothing may be written afterwards.
  virtual void close() = 0;
};

}  // namespace harmonia::records
