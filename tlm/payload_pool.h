// Generic payloads and their data buffers, pooled.
//
// Models: nothing of the hardware; it is the memory management that the base protocol asks of an initiator.
// Does not model: limits on outstanding transactions (a pool grows to the largest number ever in flight and stays
// there).
//
// A pool belongs to one thread, like the SystemC kernel. Payloads may outlive their pool: the last one frees the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tlm>
#include <utility>

#include "harmonia/tlm/chunk.h"

namespace harmonia::bus {

/// Counted reference to a generic payload that has a memory manager. Null when default constructed.
class PayloadPtr {
 public:
  PayloadPtr() = default;
  /// Takes a further reference.
  explicit PayloadPtr(tlm::tlm_generic_payload& payload) : payload_(&payload) { payload_->acquire(); }
  PayloadPtr(const PayloadPtr& other) : payload_(other.payload_) {
    if (payload_) payload_->acquire();
  }
  PayloadPtr(PayloadPtr&& other) noexcept : payload_(std::exchange(other.payload_, nullptr)) {}
  PayloadPtr& operator=(PayloadPtr other) noexcept {
    std::swap(payload_, other.payload_);
    return *this;
  }
  ~PayloadPtr() {
    if (payload_) payload_->release();
  }

  tlm::tlm_generic_payload* get() const { return payload_; }
  tlm::tlm_generic_payload& operator*() const { return *payload_; }
  tlm::tlm_generic_payload* operator->() const { return payload_; }
  explicit operator bool() const { return payload_ != nullptr; }
  void reset() { *this = PayloadPtr(); }
  /// Gives the reference up without releasing it; adopt() takes such a reference over.
  tlm::tlm_generic_payload* detach() { return std::exchange(payload_, nullptr); }
  static PayloadPtr adopt(tlm::tlm_generic_payload* referenced) {
    PayloadPtr pointer;
    pointer.payload_ = referenced;
    return pointer;
  }

  friend bool operator==(const PayloadPtr& a, const PayloadPtr& b) { return a.payload_ == b.payload_; }
  friend bool operator!=(const PayloadPtr& a, const PayloadPtr& b) { return a.payload_ != b.payload_; }

 private:
  tlm::tlm_generic_payload* payload_ = nullptr;
};

/// What the data pointer of a new payload points at.
enum class Data {
  none,     ///< null; the caller sets it and keeps the memory alive
  buffer,   ///< a pooled buffer of its own, contents undefined, returned with the payload
  scratch,  ///< a buffer shared by all timing-only payloads; Chunk::data_valid becomes false
};

class PayloadPool {
 public:
  PayloadPool();
  ~PayloadPool();
  PayloadPool(const PayloadPool&) = delete;
  PayloadPool& operator=(const PayloadPool&) = delete;

  /// A payload with every attribute set as the base protocol wants it: streaming width = length, no byte enables,
  /// incomplete response, no DMI hint; chunk fields at their defaults. length_bytes > 0.
  PayloadPtr make(tlm::tlm_command command, std::uint64_t address, unsigned length_bytes, Data data);

  /// A new transaction over bytes [offset, offset + length) of another payload's data, with its chunk fields copied.
  /// The other payload (which must have a memory manager) is kept alive until this one is gone.
  PayloadPtr alias(tlm::tlm_generic_payload& of, std::uint64_t address, unsigned offset_bytes, unsigned length_bytes);

  /// The chunk fields of a payload made by a pool.
  static Chunk& chunk(tlm::tlm_generic_payload& payload) { return payload.get_extension<ChunkExtension>()->chunk; }
  static Chunk& chunk(const PayloadPtr& payload) { return chunk(*payload); }

  std::size_t in_flight() const;  ///< payloads handed out and not yet released
  std::size_t created() const;    ///< payloads that exist: the highest number ever in flight

  /// A shared pool, for users that do not own one.
  static PayloadPool& shared();

 private:
  class Store;
  Store* store_;
};

/// At least `length_bytes` of scratch memory, shared by all: it may be written, and what it holds means nothing. Valid until exit.
unsigned char* scratch_buffer(std::size_t length_bytes);

}  // namespace harmonia::bus
