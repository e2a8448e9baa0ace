// Writer of FTR, the transaction recordings of LWTR4SC that SCViewer shows.
//
// Models: the uncompressed chunks of the format in CBOR (RFC 8949): information (tag 6), texts (8), directory (10),
//   transactions of one fiber (12) and relations (14). Times are picoseconds. Attributes are of the whole transaction.
// Does not model: compressed chunks, attributes of types other than unsigned numbers and texts. The time of writing is
//   recorded as 0, so that the same run gives the same bytes.
//
// Memory is bounded by one block of 64 KiB for each fiber. Needs libcbor at build time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harmonia/tlm/records/record_file.h"
#include "harmonia/tlm/records/transaction_sink.h"

namespace harmonia::records {

/// Whether this build can write FTR.
bool ftr_available();

class FtrWriter : public TransactionSink {
 public:
  /// Throws std::runtime_error when the file cannot be made, or when the build has no libcbor.
  FtrWriter(const std::string& path, const Schema& schema);
  void write(const Transaction& transaction) override;
  void write(const Relation& relation) override;
  void close() override;

 private:
  struct Block {
    std::string bytes;
    std::uint64_t begin_ps = 0, end_ps = 0;
  };
  const std::string& attribute_head(const Attribute& attribute);
  void flush_names();
  void flush(Fiber fiber, Block& block);
  void flush_relations();

  const Schema& schema_;
  RecordFile file_;
  std::vector<Block> blocks_;  // by fiber
  std::string relations_;
  std::vector<std::string> heads_[2];                    // of attributes that are numbers and texts, by name
  std::size_t texts_ = 0, fibers_ = 0, generators_ = 0;  // already in the file
  bool closed_ = false;
};

}  // namespace harmonia::records
