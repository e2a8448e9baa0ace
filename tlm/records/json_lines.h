// Recorded transactions as JSON lines, for scripts and `harmonia log`.
//
// A transaction: {"fiber":"a.b","kind":"read","id":7,"begin_ps":0,"end_ps":10,"address":64,...}, attributes by their names.
// A relation: {"relation":"part of","from":7,"to":3}. Lines are in the order in which transactions end.
#pragma once

#include <string>

#include "harmonia/tlm/records/record_file.h"
#include "harmonia/tlm/records/transaction_sink.h"

namespace harmonia::records {

class JsonLinesWriter : public TransactionSink {
 public:
  /// Throws std::runtime_error when the file cannot be made.
  JsonLinesWriter(const std::string& path, const Schema& schema) : schema_(schema), file_(path) {}
  void write(const Transaction& transaction) override;
  void write(const Relation& relation) override;
  void close() override { file_.close(); }

 private:
  void put(std::uint64_t value);
  void put_text(Key text);
  void flush();

  const Schema& schema_;
  RecordFile file_;
  std::string line_;
};

}  // namespace harmonia::records
