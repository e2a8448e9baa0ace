// When a row that nobody waits for is closed.
#pragma once

#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

class PagePolicyRule {
 public:
  explicit PagePolicyRule(const Config& config) : policy_(config.page_policy), timeout_(config.page_timeout_cycles) {}
  /// Open pages: rows are closed for conflicts and refreshes only.
  bool closes_unused_rows() const { return policy_ != PagePolicy::kOpen; }
  /// First cycle at which an unused row may be closed, by the policy alone. `last_use` is its activate or last access.
  Cycle close_from(Cycle last_use) const {
    if (policy_ == PagePolicy::kOpen) return kNever;
    return policy_ == PagePolicy::kAdaptive ? last_use + timeout_ : 0;
  }

 private:
  PagePolicy policy_;
  Cycle timeout_;
};

}  // namespace harmonia::dram
