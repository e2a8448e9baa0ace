#include "tests/weights/allocations.h"

#include <cstdlib>
#include <new>

namespace harmonia::test {
std::atomic<std::size_t> largest_allocation{0};
}

// Every allocation of the program passes here, so that a lying header cannot ask for memory unseen. In a file of its
// own: a compiler that sees new and delete replaced beside their use takes malloc and free for a mismatch.
void* operator new(std::size_t n) {
  std::size_t seen = harmonia::test::largest_allocation.load();
  while (n > seen && !harmonia::test::largest_allocation.compare_exchange_weak(seen, n)) {
  }
  if (void* p = std::malloc(n == 0 ? 1 : n)) return p;
  throw std::bad_alloc();
}
// The standard library's ends in the one above; a sanitizer has its own, which must not meet our delete.
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  try {
    return ::operator new(n);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
