#include "harmonia/tlm/payload_pool.h"

#include <array>
#include <memory>
#include <vector>

namespace harmonia::bus {
namespace {

/// Buffers in power-of-two sizes from 64 bytes; a returned buffer waits in the list of its size.
class BufferPool {
 public:
  static constexpr unsigned smallest_log2 = 6;

  static unsigned size_class(std::size_t bytes) {
    unsigned index = 0;
    while ((std::size_t{1} << (smallest_log2 + index)) < bytes) ++index;
    return index;
  }
  unsigned char* take(unsigned size_class_index) {
    auto& list = free_[size_class_index];
    if (list.empty()) return new unsigned char[std::size_t{1} << (smallest_log2 + size_class_index)];
    unsigned char* buffer = list.back().release();
    list.pop_back();
    return buffer;
  }
  void give_back(unsigned char* buffer, unsigned size_class_index) { free_[size_class_index].emplace_back(buffer); }

 private:
  // Data lengths are 32 bits wide, so 27 classes above 64 bytes cover every legal length.
  std::array<std::vector<std::unique_ptr<unsigned char[]>>, 33 - smallest_log2> free_;
};

struct PooledPayload : tlm::tlm_generic_payload {
  explicit PooledPayload(tlm::tlm_mm_interface* manager) : tlm::tlm_generic_payload(manager) {
    extension = new ChunkExtension;  // owned by the payload, whose destructor frees its extensions
    set_extension(extension);
  }
  ChunkExtension* extension;
  unsigned char* buffer = nullptr;
  unsigned buffer_class = 0;
  tlm::tlm_generic_payload* source = nullptr;  // of an alias
};

}  // namespace

class PayloadPool::Store final : public tlm::tlm_mm_interface {
 public:
  ~Store() override {
    for (PooledPayload* payload : free_) delete payload;
  }
  PooledPayload* take() {
    ++in_flight_;
    if (free_.empty()) {
      ++created_;
      free_.reserve(created_);  // so that returning a payload never allocates
      return new PooledPayload(this);
    }
    PooledPayload* payload = free_.back();
    free_.pop_back();
    return payload;
  }
  void free(tlm::tlm_generic_payload* returned) override {
    auto* payload = static_cast<PooledPayload*>(returned);
    payload->reset();
    if (payload->buffer) {
      buffers_.give_back(payload->buffer, payload->buffer_class);
      payload->buffer = nullptr;
    }
    // The source may be of this store too: it goes first, while this payload still keeps the store alive.
    if (tlm::tlm_generic_payload* source = std::exchange(payload->source, nullptr)) source->release();
    free_.push_back(payload);
    if (--in_flight_ == 0 && orphan_) delete this;
  }
  void abandon() {
    orphan_ = true;
    if (in_flight_ == 0) delete this;
  }
  BufferPool& buffers() { return buffers_; }
  std::size_t in_flight() const { return in_flight_; }
  std::size_t created() const { return created_; }

 private:
  std::vector<PooledPayload*> free_;
  BufferPool buffers_;
  std::size_t in_flight_ = 0;
  std::size_t created_ = 0;
  bool orphan_ = false;
};

PayloadPool::PayloadPool() : store_(new Store) {}
PayloadPool::~PayloadPool() { store_->abandon(); }

PayloadPtr PayloadPool::make(tlm::tlm_command command, std::uint64_t address, unsigned length_bytes, Data data) {
  PooledPayload* payload = store_->take();
  payload->set_command(command);
  payload->set_address(address);
  payload->set_data_length(length_bytes);
  payload->set_streaming_width(length_bytes);
  payload->set_byte_enable_ptr(nullptr);
  payload->set_byte_enable_length(0);
  payload->set_dmi_allowed(false);
  payload->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload->extension->chunk = Chunk{};
  switch (data) {
    case Data::none:
      payload->set_data_ptr(nullptr);
      break;
    case Data::buffer:
      payload->buffer_class = BufferPool::size_class(length_bytes);
      payload->buffer = store_->buffers().take(payload->buffer_class);
      payload->set_data_ptr(payload->buffer);
      break;
    case Data::scratch:
      payload->set_data_ptr(scratch_buffer(length_bytes));
      payload->extension->chunk.data_valid = false;
      break;
  }
  return PayloadPtr(*payload);
}

PayloadPtr PayloadPool::alias(tlm::tlm_generic_payload& of, std::uint64_t address, unsigned offset_bytes,
                              unsigned length_bytes) {
  PayloadPtr payload = make(of.get_command(), address, length_bytes, Data::none);
  payload->set_data_ptr(of.get_data_ptr() + offset_bytes);
  auto* pooled = static_cast<PooledPayload*>(payload.get());
  pooled->extension->chunk = chunk_of(of);
  of.acquire();
  pooled->source = &of;
  return payload;
}

std::size_t PayloadPool::in_flight() const { return store_->in_flight(); }
std::size_t PayloadPool::created() const { return store_->created(); }

PayloadPool& PayloadPool::shared() {
  static PayloadPool pool;
  return pool;
}

unsigned char* scratch_buffer(std::size_t length_bytes) {
  // A larger buffer never replaces a smaller one, to which payloads in flight may point.
  static std::vector<std::unique_ptr<unsigned char[]>> buffers;
  static std::size_t size_bytes = 0;
  static unsigned char* current = nullptr;
  if (length_bytes > size_bytes) {
    size_bytes = 64 * 1024;
    while (size_bytes < length_bytes) size_bytes *= 2;
    buffers.push_back(std::make_unique<unsigned char[]>(size_bytes));
    current = buffers.back().get();
  }
  return current;
}

}  // namespace harmonia::bus
