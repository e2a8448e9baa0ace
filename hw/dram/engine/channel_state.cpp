#include "harmonia/hw/dram/engine/channel_state.h"

namespace harmonia::dram {

void ChannelState::tell_observers(Cmd cmd, Cycle t, int unit, int bank, std::int32_t row, std::int32_t column) const {
  Command c{t, cmd, static_cast<std::int16_t>(unit), -1, -1, row, column};
  if (bank >= 0) {
    const int local = organisation.in_unit(bank);
    c.bankgroup = static_cast<std::int16_t>(local / organisation.banks_per_group);
    c.bank_in_group = static_cast<std::int16_t>(local % organisation.banks_per_group);
  }
  for (CommandObserver* o : observers) o->on_command(c);
}

void ChannelState::tell_of_column(Cmd c, Cycle t, int unit, int bank, std::uint64_t burst) const {
  tell_observers(c, t, unit, bank, banks.open_row(bank), static_cast<std::int32_t>(decoder.column().extract(burst)));
}

}  // namespace harmonia::dram
