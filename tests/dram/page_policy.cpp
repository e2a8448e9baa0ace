// The page policy alone: from which cycle an unused row may be closed.
#include "harmonia/hw/dram/engine/page_policy.h"

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

TEST_CASE("Page policy: open rows stay, closed ones go at once, adaptive ones after the timeout") {
  const PagePolicyRule open(configured("DDR4-3200", {{"page_policy", "open"}}));
  CHECK_FALSE(open.closes_unused_rows());
  CHECK(open.close_from(500) == kNever);

  const PagePolicyRule closed(configured("DDR4-3200", {{"page_policy", "closed"}}));
  CHECK(closed.closes_unused_rows());
  CHECK(closed.close_from(500) <= 500);

  const PagePolicyRule adaptive(configured("DDR4-3200", {{"page_policy", "adaptive"}, {"page_timeout_cycles", "120"}}));
  CHECK(adaptive.closes_unused_rows());
  CHECK(adaptive.close_from(500) == 620);
}
