#include "harmonia/hw/dram/engine.h"

#include <algorithm>

#include "harmonia/hw/dram/engine/channel_controller.h"

namespace harmonia::dram {

Engine::Engine(const Config& config) : controller_(std::make_unique<ChannelController>(config)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
const Config& Engine::config() const { return controller_->config(); }
bool Engine::can_accept(Op op) const { return controller_->can_accept(op); }
void Engine::push(const Request& request, Cycle now) { controller_->push(request, now); }
void Engine::advance(Cycle now) { controller_->advance(now); }
std::vector<Completion>& Engine::completions() { return controller_->completions(); }
Cycle Engine::next_wake(bool for_room) const { return controller_->next_wake(for_room); }
std::size_t Engine::in_flight() const { return controller_->in_flight(); }
Cycle Engine::drain() { return controller_->drain(); }
void Engine::finish(Cycle now) { controller_->finish(now); }
const Statistics& Engine::statistics() const { return controller_->statistics(); }
Energy Engine::energy(Cycle now) const { return controller_->energy(now); }
void Engine::add_observer(CommandObserver* observer) { controller_->observers().push_back(observer); }
void Engine::remove_observer(CommandObserver* observer) {
  auto& list = controller_->observers();
  list.erase(std::remove(list.begin(), list.end(), observer), list.end());
}

}  // namespace harmonia::dram
