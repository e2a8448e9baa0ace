#include "harmonia/tlm/records/ftr_writer.h"

#include <algorithm>
#include <stdexcept>

#if HARMONIA_CBOR
#include <cbor.h>
#endif

namespace harmonia::records {

#if HARMONIA_CBOR
namespace {

constexpr std::size_t kBlockBytes = 1 << 16;

// Tags of the file's chunks, of a directory's entries and of a transaction's parts.
enum : std::uint64_t { kInformation = 6, kTexts = 8, kDirectory = 10, kTransactions = 12, kRelations = 14 };
enum : std::uint64_t { kFiber = 16, kGenerator = 17 };
enum : std::uint64_t { kTimes = 6, kAttribute = 8 };
// Types of attributes.
enum : std::uint64_t { kUnsigned = 3, kText = 10 };

// Fibers and generators share one numbering, as readers keep both in one table.
std::uint64_t number_of_fiber(Fiber fiber) { return 2 * std::uint64_t{fiber} + 1; }
std::uint64_t number_of_generator(Generator generator) { return 2 * std::uint64_t{generator} + 2; }

/// Appends CBOR items to a string.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  Encoder& number(std::uint64_t value) { return put(cbor_encode_uint(value, item_, sizeof item_)); }
  Encoder& negative(std::uint64_t minus_one_minus) {
    return put(cbor_encode_negint(minus_one_minus, item_, sizeof item_));
  }
  Encoder& tag(std::uint64_t value) { return put(cbor_encode_tag(value, item_, sizeof item_)); }
  Encoder& array(std::size_t items) { return put(cbor_encode_array_start(items, item_, sizeof item_)); }
  Encoder& array() { return put(cbor_encode_indef_array_start(item_, sizeof item_)); }
  Encoder& end() { return put(cbor_encode_break(item_, sizeof item_)); }
  Encoder& map(std::size_t pairs) { return put(cbor_encode_map_start(pairs, item_, sizeof item_)); }
  Encoder& text(const std::string& value) {
    put(cbor_encode_string_start(value.size(), item_, sizeof item_));
    out_ += value;
    return *this;
  }
  Encoder& bytes(const std::string& value) {
    put(cbor_encode_bytestring_start(value.size(), item_, sizeof item_));
    out_ += value;
    return *this;
  }

 private:
  Encoder& put(std::size_t size) {
    out_.append(reinterpret_cast<const char*>(item_), size);
    return *this;
  }
  std::string& out_;
  unsigned char item_[16];
};

}  // namespace

bool ftr_available() { return true; }

FtrWriter::FtrWriter(const std::string& path, const Schema& schema) : schema_(schema), file_(path) {
  constexpr std::uint64_t self_described = 55799;
  std::string information, start;
  // The exponent of the unit of time, 10^-12 s, is -1 - 11; tag 1 is the time of writing.
  Encoder(information).array(2).negative(11).tag(1).number(0);
  Encoder(start).tag(self_described).array().tag(kInformation).bytes(information);
  file_.append(start);
}

void FtrWriter::write(const Transaction& t) {
  const Fiber fiber = schema_.generators()[t.generator].fiber;
  if (fiber >= blocks_.size()) blocks_.resize(fiber + 1);
  Block& block = blocks_[fiber];
  Encoder e(block.bytes);
  if (block.bytes.empty()) {
    e.array();
    block.begin_ps = t.begin_ps;
    block.end_ps = t.end_ps;
  }
  e.array(1 + t.attribute_count);
  e.tag(kTimes).array(4).number(t.id).number(number_of_generator(t.generator)).number(t.begin_ps).number(t.end_ps);
  for (std::size_t i = 0; i < t.attribute_count; ++i) {
    const Attribute& a = t.attributes[i];
    e.tag(kAttribute).array(3).number(a.name).number(a.is_text ? kText : kUnsigned).number(a.value);
  }
  block.begin_ps = std::min(block.begin_ps, t.begin_ps);
  block.end_ps = std::max(block.end_ps, t.end_ps);
  if (block.bytes.size() >= kBlockBytes) flush(fiber, block);
}

void FtrWriter::write(const Relation& r) {
  Encoder e(relations_);
  if (relations_.empty()) e.array();
  e.array(5)
      .number(r.name)
      .number(r.from)
      .number(r.to)
      .number(number_of_fiber(r.from_fiber))
      .number(number_of_fiber(r.to_fiber));
  if (relations_.size() >= kBlockBytes) flush_relations();
}

/// Texts and directory entries that are new, before what names them.
void FtrWriter::flush_names() {
  const auto chunk = [&](std::uint64_t tag, const std::string& content) {
    std::string head;
    Encoder(head).tag(tag).bytes(content);
    file_.append(head);
  };
  if (texts_ < schema_.texts().size()) {
    std::string content;
    Encoder e(content);
    e.map(schema_.texts().size() - texts_);
    for (; texts_ < schema_.texts().size(); ++texts_) e.number(texts_).text(schema_.texts()[texts_]);
    chunk(kTexts, content);
  }
  if (fibers_ == schema_.fibers().size() && generators_ == schema_.generators().size()) return;
  std::string content;
  Encoder e(content);
  e.array();
  for (; fibers_ < schema_.fibers().size(); ++fibers_)
    e.tag(kFiber)
        .array(3)
        .number(number_of_fiber(static_cast<Fiber>(fibers_)))
        .number(schema_.fibers()[fibers_].name)
        .number(schema_.fibers()[fibers_].kind);
  for (; generators_ < schema_.generators().size(); ++generators_) {
    const Schema::GeneratorNames& g = schema_.generators()[generators_];
    e.tag(kGenerator)
        .array(3)
        .number(number_of_generator(static_cast<Generator>(generators_)))
        .number(g.name)
        .number(number_of_fiber(g.fiber));
  }
  e.end();
  chunk(kDirectory, content);
}

void FtrWriter::flush(Fiber fiber, Block& block) {
  if (block.bytes.empty()) return;
  flush_names();
  Encoder(block.bytes).end();
  std::string chunk;
  Encoder(chunk)
      .tag(kTransactions)
      .array(4)
      .number(number_of_fiber(fiber))
      .number(block.begin_ps)
      .number(block.end_ps)
      .bytes(block.bytes);
  file_.append(chunk);
  block.bytes.clear();
}

void FtrWriter::flush_relations() {
  if (relations_.empty()) return;
  flush_names();
  Encoder(relations_).end();
  std::string chunk;
  Encoder(chunk).tag(kRelations).bytes(relations_);
  file_.append(chunk);
  relations_.clear();
}

void FtrWriter::close() {
  if (closed_) return;
  closed_ = true;
  flush_names();
  for (std::size_t fiber = 0; fiber < blocks_.size(); ++fiber) flush(static_cast<Fiber>(fiber), blocks_[fiber]);
  flush_relations();
  std::string last;
  Encoder(last).end();
  file_.append(last);
  file_.close();
}

#else

bool ftr_available() { return false; }

FtrWriter::FtrWriter(const std::string& path, const Schema& schema) : schema_(schema), file_(path) {
  throw std::runtime_error("cannot write " + path + ": this build has no libcbor (scripts/setup installs libcbor-dev)");
}
void FtrWriter::write(const Transaction&) {}
void FtrWriter::write(const Relation&) {}
void FtrWriter::close() {}

#endif

}  // namespace harmonia::records
