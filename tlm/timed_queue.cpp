#include "harmonia/tlm/timed_queue.h"

#include <string>

namespace harmonia::bus {

Wakeup::Wakeup(const char* name, std::function<void()> action)
    : action_(std::move(action)), event_(sc_core::sc_gen_unique_name((std::string(name) + "_event").c_str())) {
  sc_core::sc_spawn_options options;
  options.spawn_method();
  options.dont_initialize();
  options.set_sensitivity(&event_);
  sc_core::sc_spawn([this] { action_(); }, sc_core::sc_gen_unique_name(name), &options);
}

}  // namespace harmonia::bus
