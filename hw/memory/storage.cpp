#include "harmonia/hw/memory/storage.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "harmonia/config/error.h"

namespace harmonia::memory {

Storage::Storage(std::uint64_t size_bytes, std::uint8_t fill) : size_bytes_(size_bytes), fill_(fill) {
  if (size_bytes == 0 || size_bytes > kMaxBytes) {
    throw config::InputError("storage of " + std::to_string(size_bytes) + " bytes, expected 1 to " +
                             std::to_string(kMaxBytes));
  }
}

std::uint8_t* Storage::page(std::uint64_t address) {
  const std::uint64_t index = address / kPageBytes;
  const std::uint64_t leaf = index / kPagesPerLeaf;
  if (leaf >= leaves_.size()) leaves_.resize(leaf + 1);
  if (!leaves_[leaf]) leaves_[leaf] = std::make_unique<Page[]>(kPagesPerLeaf);
  Page& page = leaves_[leaf][index % kPagesPerLeaf];
  if (!page) {
    page = std::make_unique<std::uint8_t[]>(kPageBytes);
    if (fill_ != 0) std::memset(page.get(), fill_, kPageBytes);
    ++pages_;
  }
  return page.get();
}

bool Storage::read(std::uint64_t address, void* to, std::uint64_t length, ByteEnable enable) const {
  if (!contains(address, length)) return false;
  auto* out = static_cast<std::uint8_t*>(to);
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t at = address + done;
    const std::uint64_t offset = at % kPageBytes;
    const std::uint64_t part = std::min(length - done, kPageBytes - offset);
    const std::uint8_t* page = find_page(at);
    if (enable.data == nullptr) {
      if (page != nullptr) {
        std::memcpy(out + done, page + offset, part);
      } else {
        std::memset(out + done, fill_, part);
      }
    } else {
      for (std::uint64_t i = 0; i < part; ++i) {
        if (enable.data[(done + i) % enable.size] != 0) out[done + i] = page != nullptr ? page[offset + i] : fill_;
      }
    }
    done += part;
  }
  return true;
}

bool Storage::write(std::uint64_t address, const void* from, std::uint64_t length, ByteEnable enable) {
  if (!contains(address, length)) return false;
  const auto* in = static_cast<const std::uint8_t*>(from);
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t at = address + done;
    const std::uint64_t offset = at % kPageBytes;
    const std::uint64_t part = std::min(length - done, kPageBytes - offset);
    std::uint8_t* to = page(at) + offset;
    if (enable.data == nullptr) {
      std::memcpy(to, in + done, part);
    } else {
      for (std::uint64_t i = 0; i < part; ++i) {
        if (enable.data[(done + i) % enable.size] != 0) to[i] = in[done + i];
      }
    }
    done += part;
  }
  return true;
}

}  // namespace harmonia::memory
