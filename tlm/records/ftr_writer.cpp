#include "harmonia/tlm/records/ftr_writer.h"

#include <algorithm>
#include <cstring>
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

/// Appends CBOR items to a string: what it holds back is there at its end.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  ~Encoder() { hand_over(); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  Encoder& number(std::uint64_t value) { return put(cbor_encode_uint(value, next(), kItem)); }
  /// -1 - value.
  Encoder& negative(std::uint64_t value) { return put(cbor_encode_negint(value, next(), kItem)); }
  Encoder& tag(std::uint64_t value) { return put(cbor_encode_tag(value, next(), kItem)); }
  Encoder& array(std::size_t items) { return put(cbor_encode_array_start(items, next(), kItem)); }
  Encoder& array() { return put(cbor_encode_indef_array_start(next(), kItem)); }
  Encoder& end() { return put(cbor_encode_break(next(), kItem)); }
  Encoder& map(std::size_t pairs) { return put(cbor_encode_map_start(pairs, next(), kItem)); }
  Encoder& text(const std::string& value) {
    return put(cbor_encode_string_start(value.size(), next(), kItem)).encoded(value);
  }
  Encoder& bytes(const std::string& value) {
    return put(cbor_encode_bytestring_start(value.size(), next(), kItem)).encoded(value);
  }
  /// Bytes as they are.
  Encoder& encoded(const std::string& value) {
    if (value.size() > kItem) {
      hand_over();
      out_ += value;
      return *this;
    }
    std::memcpy(next(), value.data(), value.size());
    return put(value.size());
  }

 private:
  static constexpr std::size_t kItem = 16;  // the head of an item is at most 9 bytes

  unsigned char* next() {
    if (used_ + kItem > sizeof held_) hand_over();
    return held_ + used_;
  }
  Encoder& put(std::size_t size) {
    used_ += size;
    return *this;
  }
  void hand_over() {
    out_.append(reinterpret_cast<const char*>(held_), used_);
    used_ = 0;
  }

  std::string& out_;
  std::size_t used_ = 0;
  unsigned char held_[512];
};

/// A chunk that is a byte string.
std::string chunk_of(std::uint64_t tag, const std::string& content) {
  std::string chunk;
  Encoder(chunk).tag(tag).bytes(content);
  return chunk;
}

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
  if (fiber >= blocks_.size()) blocks_.resize(fiber + std::size_t{1});
  Block& block = blocks_[fiber];
  {
    Encoder e(block.bytes);
    if (block.bytes.empty()) {
      e.array();
      block.begin_ps = t.begin_ps;
      block.end_ps = t.end_ps;
    }
    e.array(1 + t.attribute_count);
    e.tag(kTimes).array(4).number(t.id).number(number_of_generator(t.generator)).number(t.begin_ps).number(t.end_ps);
    for (std::size_t i = 0; i < t.attribute_count; ++i)
      e.encoded(attribute_head(t.attributes[i])).number(t.attributes[i].value);
  }
  block.begin_ps = std::min(block.begin_ps, t.begin_ps);
  block.end_ps = std::max(block.end_ps, t.end_ps);
  if (block.bytes.size() >= kBlockBytes) flush(fiber, block);
}

/// What comes before the value of an attribute is the same each time: encoded once.
const std::string& FtrWriter::attribute_head(const Attribute& a) {
  std::vector<std::string>& heads = heads_[a.is_text ? 1 : 0];
  if (a.name >= heads.size()) heads.resize(a.name + std::size_t{1});
  std::string& head = heads[a.name];
  if (head.empty()) Encoder(head).tag(kAttribute).array(3).number(a.name).number(a.is_text ? kText : kUnsigned);
  return head;
}

void FtrWriter::write(const Relation& r) {
  {
    Encoder e(relations_);
    if (relations_.empty()) e.array();
    e.array(5).number(r.name).number(r.from).number(r.to);
    e.number(number_of_fiber(r.from_fiber)).number(number_of_fiber(r.to_fiber));
  }
  if (relations_.size() >= kBlockBytes) flush_relations();
}

/// Texts and directory entries that are new, before what names them.
void FtrWriter::flush_names() {
  const std::size_t texts = schema_.texts().size(), fibers = schema_.fibers().size(),
                    generators = schema_.generators().size();
  if (texts_ < texts) {
    std::string content;
    Encoder(content).map(texts - texts_);
    for (; texts_ < texts; ++texts_) Encoder(content).number(texts_).text(schema_.texts()[texts_]);
    file_.append(chunk_of(kTexts, content));
  }
  if (fibers_ == fibers && generators_ == generators) return;
  std::string content;
  Encoder(content).array();
  for (; fibers_ < fibers; ++fibers_) {
    const Schema::FiberNames& f = schema_.fibers()[fibers_];
    const auto number = number_of_fiber(static_cast<Fiber>(fibers_));
    Encoder(content).tag(kFiber).array(3).number(number).number(f.name).number(f.kind);
  }
  for (; generators_ < generators; ++generators_) {
    const Schema::GeneratorNames& g = schema_.generators()[generators_];
    const auto number = number_of_generator(static_cast<Generator>(generators_));
    Encoder(content).tag(kGenerator).array(3).number(number).number(g.name).number(number_of_fiber(g.fiber));
  }
  Encoder(content).end();
  file_.append(chunk_of(kDirectory, content));
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
  file_.append(chunk_of(kRelations, relations_));
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
