#include "harmonia/hw/smoother/outlier_smoother.h"

#include <stdexcept>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::smoother {

using formats::Fp16;

namespace {

TableKey key_of(const converter::HeadKeys& d) { return {d.slot, d.layer, d.head}; }

}  // namespace

const converter::StoredKeys* smoothed_keys(const Config& config, const converter::Descriptor& d) {
  return config.online ? bus::as<converter::StoredKeys>(d.kind) : nullptr;
}

std::uint64_t pass_cycles(const Config& config, const converter::HeadKeys& d) {
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  return (std::uint64_t{d.rows} * formats::bfp_groups(d.columns) * formats::kBfpGroup + lanes - 1) / lanes;
}

std::uint64_t smoothing_cycles(const Config& config, const converter::StoredKeys& d) {
  return pass_cycles(config, d) * (d.first_position == 0 && !d.measured ? 2 : 1);
}

std::string MeasuredHeads::admit(const converter::Descriptor& d) {
  const converter::HeadKeys* keys = d.keys();
  if (keys == nullptr) return {};
  const auto head = columns_.find(key_of(*keys));
  const bool known = head != columns_.end() && head->second == keys->columns;
  bus::FieldCheck c;
  if (const auto* measured = std::get_if<converter::MeasuredKeys>(&d.kind)) {
    if (!measured->counts) return {};
    c.require(measured->first_position == 0 || known, "first_position", measured->first_position,
              "0 (no keys of this head and as many channels were measured before)");
    if (c.good() && measured->first_position == 0) columns_[key_of(*keys)] = keys->columns;
    return c.fault();
  }
  const auto* stored = bus::as<converter::StoredKeys>(d.kind);
  if (stored == nullptr) return {};
  if (stored->first_position != 0) {
    const auto chosen = chosen_.find(key_of(*keys));
    if (chosen != chosen_.end())
      c.equal("columns", keys->columns, chosen->second, "the channels of the head's first keys");
    return c.fault();
  }
  if (stored->measured)
    c.require(known, "measured", 1, "0 (no keys of this head and as many channels were measured before)");
  if (c.good() && stored->measured) columns_.erase(head);
  if (c.good()) chosen_[key_of(*keys)] = keys->columns;
  return c.fault();
}

void OffsetTable::measure(const converter::MeasuredKeys& d, const Fp16* keys) {
  std::vector<Fp16>& measured = measured_[key_of(d)];
  if (d.first_position == 0) measured.clear();
  measured.insert(measured.end(), keys, keys + std::size_t{d.rows} * d.columns);
}

const formats::KeyOffsets& OffsetTable::offsets(const converter::StoredKeys& d, const Fp16* keys) {
  formats::KeyOffsets& offsets = chosen_[key_of(d)];
  if (d.first_position != 0) return offsets;
  const auto channels = static_cast<std::size_t>(channels_per_head_);
  if (!d.measured) {
    offsets = formats::choose_offsets(keys, d.rows, d.columns, d.columns, channels);
    return offsets;
  }
  const auto measured = measured_.find(key_of(d));
  if (measured == measured_.end()) throw std::logic_error("keys whose offsets were to be measured before were not");
  const std::vector<Fp16>& all = measured->second;
  offsets = formats::choose_offsets(all.data(), all.size() / d.columns, d.columns, d.columns, channels);
  measured_.erase(measured);
  return offsets;
}

}  // namespace harmonia::smoother
