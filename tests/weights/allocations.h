// The largest single allocation of a test program since it was last set to zero.
#pragma once

#include <atomic>
#include <cstddef>

namespace harmonia::test {

extern std::atomic<std::size_t> largest_allocation;

}  // namespace harmonia::test
