#include "harmonia/tlm/monitor.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::bus {

TransactionTracker::Open* TransactionTracker::find(const tlm::tlm_generic_payload& payload) {
  for (Open& open : open_)
    if (open.payload == &payload) return &open;
  return nullptr;  // it began before anybody listened
}

void TransactionTracker::begin(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  TransactionRecord record;
  record.channel = channel_;
  record.command = payload.get_command();
  record.address = payload.get_address();
  record.length_bytes = payload.get_data_length();
  record.begin = when;
  record.chunk = chunk_of(payload);
  open_.push_back({&payload, false, record});
}

void TransactionTracker::accepted(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  Open* open = find(payload);
  if (!open || open->accepted) return;
  open->accepted = true;
  open->record.accepted = when;
}

void TransactionTracker::responded(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  Open* open = find(payload);
  if (!open) return;
  TransactionRecord record = open->record;
  if (!open->accepted) record.accepted = when;
  *open = open_.back();
  open_.pop_back();
  record.response = when;
  record.status = payload.get_response_status();
  port_.write(record);
}

BandwidthSeries::BandwidthSeries(const sc_core::sc_time& bin, std::size_t max_bins) : bin_(bin), max_bins_(max_bins) {
  if (bin == sc_core::SC_ZERO_TIME) throw std::invalid_argument("bandwidth series with a bin of no width");
  if (max_bins < 2) throw std::invalid_argument("bandwidth series of fewer than two bins");
}

void BandwidthSeries::write(const TransactionRecord& record) {
  while (record.response.value() / bin_.value() >= max_bins_) coarsen();
  const std::uint64_t begin = record.accepted.value();
  const std::uint64_t end = std::max<std::uint64_t>(record.response.value(), begin);
  const std::uint64_t width = bin_.value();
  const std::size_t first = begin / width;
  const std::size_t last = end > begin ? (end - 1) / width : first;  // the end itself is outside
  if (first == last) {
    add(record.channel, last, record.chunk.traffic, record.length_bytes);
    return;
  }
  // Shares are differences of the rounded running sum, so that they add up to the length exactly.
  const double bytes_per_unit = static_cast<double>(record.length_bytes) / static_cast<double>(end - begin);
  std::uint64_t placed = 0;
  for (std::size_t index = first; index <= last; ++index) {
    const std::uint64_t until = std::min(end, (index + 1) * width);
    const std::uint64_t sum = until == end
                                  ? record.length_bytes
                                  : static_cast<std::uint64_t>(static_cast<double>(until - begin) * bytes_per_unit);
    add(record.channel, index, record.chunk.traffic, sum - placed);
    placed = sum;
  }
}

void BandwidthSeries::add(unsigned channel, std::size_t index, TrafficClass traffic, std::uint64_t bytes) {
  if (channel >= series_.size()) series_.resize(channel + 1);
  std::vector<Bin>& bins = series_[channel];
  if (index >= bins.size()) bins.resize(index + 1);
  bins[index].bytes[static_cast<std::size_t>(traffic)] += bytes;
}

void BandwidthSeries::coarsen() {
  bin_ += bin_;
  for (std::vector<Bin>& bins : series_) {
    for (std::size_t i = 0; i < bins.size(); ++i) {
      if (i % 2 == 0) {
        bins[i / 2] = bins[i];
        continue;
      }
      for (std::size_t c = 0; c < traffic_class_count; ++c) bins[i / 2].bytes[c] += bins[i].bytes[c];
    }
    bins.resize((bins.size() + 1) / 2);
  }
}

std::uint64_t BandwidthSeries::total(unsigned channel, TrafficClass traffic) const {
  std::uint64_t sum = 0;
  for (const Bin& bin : series_.at(channel)) sum += bin.bytes[static_cast<std::size_t>(traffic)];
  return sum;
}

std::uint64_t BandwidthSeries::total(TrafficClass traffic) const {
  std::uint64_t sum = 0;
  for (unsigned channel = 0; channel < channels(); ++channel) sum += total(channel, traffic);
  return sum;
}

}  // namespace harmonia::bus
