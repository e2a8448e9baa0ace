#include "harmonia/hw/dram/engine/address_decoder.h"

namespace harmonia::dram {

AddressField::AddressField(const std::vector<int>& bits, int burst_shift) {
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const int bit = bits[i] - burst_shift;
    mask_ |= std::uint64_t{1} << bit;
    if (!parts_.empty() && parts_.back().shift + parts_.back().width == bit) {
      ++parts_.back().width;
    } else {
      parts_.push_back({bit, 1, static_cast<int>(i)});
    }
  }
}

AddressDecoder::AddressDecoder(const Config& config, const Organisation& organisation)
    : pseudo_channels_(static_cast<std::uint32_t>(organisation.pseudo_channels)),
      banks_per_unit_(static_cast<std::uint32_t>(organisation.banks_per_unit)),
      banks_per_group_(static_cast<std::uint32_t>(organisation.banks_per_group)),
      bank_xor_(config.mapping.bank_xor) {
  while ((1 << burst_shift_) < config.burst_bytes()) ++burst_shift_;
  const Mapping& m = config.mapping;
  column_ = AddressField(m.column, burst_shift_);
  bank_in_group_ = AddressField(m.bank, burst_shift_);
  bankgroup_ = AddressField(m.bankgroup, burst_shift_);
  row_ = AddressField(m.row, burst_shift_);
  rank_ = AddressField(m.rank, burst_shift_);
  pseudo_channel_ = AddressField(m.pseudo_channel, burst_shift_);
  address_mask_ = config.capacity_bytes() / static_cast<std::uint64_t>(config.burst_bytes()) - 1;
  while ((block_mask_ & column_.mask()) != column_.mask()) block_mask_ = (block_mask_ << 1) | 1;
  interleaved_ = block_mask_ & ~column_.mask();
  if (interleaved_ == 0) return;
  interleaved_and_below_ = (std::uint64_t{2} << highest_bit(interleaved_)) - 1;
  std::vector<int> bits;
  for (int b = 0; b < 48; ++b)
    if ((interleaved_ >> b) & 1) bits.push_back(b);
  interleaved_field_ = AddressField(bits);
  if (bits.size() > 6) return;
  for (std::uint64_t value = 0; value < std::uint64_t{1} << bits.size(); ++value) {
    const std::uint64_t burst = interleaved_field_.deposit(value);
    interleaved_rows_.emplace_back(burst, bank_row(burst));
  }
}

/// Bit by bit linear over exclusive or, so that places of parts of the address can be combined.
BankRow AddressDecoder::bank_row(std::uint64_t burst) const {
  const auto unit = static_cast<std::uint32_t>(rank_.extract(burst)) * pseudo_channels_ +
                    static_cast<std::uint32_t>(pseudo_channel_.extract(burst));
  auto local = static_cast<std::uint32_t>(bankgroup_.extract(burst)) * banks_per_group_ +
               static_cast<std::uint32_t>(bank_in_group_.extract(burst));
  for (const auto& [bank_bit, address_bit] : bank_xor_)
    local ^= static_cast<std::uint32_t>((burst >> (address_bit - burst_shift_)) & 1) << bank_bit;
  return {unit * banks_per_unit_ + local, static_cast<std::uint32_t>(row_.extract(burst))};
}

}  // namespace harmonia::dram
