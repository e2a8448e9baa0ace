// Sparse byte storage behind a memory: what a DRAM channel remembers in functional runs.
//
// Models: the contents of a byte-addressed range of up to 2^48 bytes, in pages that exist from their first write on;
// TLM byte enables; pages lent out for TLM direct memory access. A byte that was never written reads as the fill value.
// Does not model: time, banks, errors of cells. An access that leaves the range is refused as a whole and changes
// nothing; an address never wraps around to the beginning (IEEE 1666-2011, 14.8: such a transaction gets an address
// error response).
//
// Units: addresses and lengths in bytes. No function throws after construction except std::bad_alloc on a page's first
// write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace harmonia::memory {

/// TLM byte enables: byte i of an access takes part if data[i % size] is not 0. data == nullptr: all bytes do.
struct ByteEnable {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
};

class Storage {
 public:
  static constexpr std::uint64_t kPageBytes = 64 * 1024;
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 48;

  /// Throws config::InputError when size_bytes is 0 or above kMaxBytes.
  explicit Storage(std::uint64_t size_bytes, std::uint8_t fill = 0);

  std::uint64_t size_bytes() const { return size_bytes_; }

  /// True if [address, address + length) lies inside the range; an empty access does if its address is inside.
  bool contains(std::uint64_t address, std::uint64_t length) const {
    return address < size_bytes_ && length <= size_bytes_ - address;
  }

  /// Copies out of the storage; disabled bytes of `to` keep their value. False, and nothing done, outside the range.
  bool read(std::uint64_t address, void* to, std::uint64_t length, ByteEnable enable = {}) const;

  /// Copies into the storage; disabled bytes keep their stored value. False, and nothing done, outside the range.
  bool write(std::uint64_t address, const void* from, std::uint64_t length, ByteEnable enable = {});

  /// The page that holds `address` (which must be inside the range), made if it does not exist. The pointer stays valid
  /// for the life of the storage. The last page may stand for fewer bytes than kPageBytes; see page_end().
  std::uint8_t* page(std::uint64_t address);

  /// First address of the page that holds `address`, and its last address inside the range.
  static std::uint64_t page_begin(std::uint64_t address) { return address & ~(kPageBytes - 1); }
  std::uint64_t page_end(std::uint64_t address) const {
    const std::uint64_t last = page_begin(address) + (kPageBytes - 1);
    return last < size_bytes_ ? last : size_bytes_ - 1;
  }

  /// Host memory held by pages, in bytes.
  std::uint64_t resident_bytes() const { return pages_ * kPageBytes; }

 private:
  static constexpr std::uint64_t kPagesPerLeaf = 1024;
  using Page = std::unique_ptr<std::uint8_t[]>;
  using Leaf = std::unique_ptr<Page[]>;

  const std::uint8_t* find_page(std::uint64_t address) const {
    const std::uint64_t index = address / kPageBytes;
    const std::uint64_t leaf = index / kPagesPerLeaf;
    if (leaf >= leaves_.size() || !leaves_[leaf]) return nullptr;
    return leaves_[leaf][index % kPagesPerLeaf].get();
  }

  std::uint64_t size_bytes_;
  std::uint8_t fill_;
  std::uint64_t pages_ = 0;
  std::vector<Leaf> leaves_;  // grows with the highest address written
};

}  // namespace harmonia::memory
