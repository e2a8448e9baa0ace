#include "harmonia/hw/converter/bfp_converter_module.h"

#include <algorithm>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int8_row.h"

namespace harmonia::converter {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;
using formats::kBfp8;

namespace {

constexpr std::size_t main_bytes = formats::kBfpMainBytes, low_bytes = formats::kBfpLowBytes;

bool keeps_low(const Descriptor& d, std::uint32_t unit) {
  return (unit >= d.low_begin[0] && unit < d.low_end[0]) || (unit >= d.low_begin[1] && unit < d.low_end[1]);
}

std::size_t convert_values(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual,
                           std::vector<std::uint8_t>& out) {
  const std::uint32_t first_group = d.first_position / 32, end = d.first_position + d.rows;
  const std::uint32_t groups = (end + 31) / 32 - first_group;
  const std::size_t size = kBfp8.group_bytes();
  std::vector<std::uint8_t> stored(std::size_t{groups} * d.columns * size);
  std::size_t nonfinite = 0;
  for (std::uint32_t g = 0; g < groups; ++g)
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      std::uint8_t* group = stored.data() + (std::size_t{g} * d.columns + c) * size;
      if (g == 0 && d.grows()) {
        std::memcpy(group, residual + c * main_bytes, main_bytes);
        std::memcpy(group + main_bytes, residual + d.columns * main_bytes + c * low_bytes, low_bytes);
      } else {
        formats::clear_stored(kBfp8, group);
      }
    }
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    const std::uint32_t position = d.first_position + r;
    nonfinite +=
        formats::append_row(kBfp8, rows + std::size_t{r} * d.columns, d.columns, static_cast<int>(position % 32),
                            stored.data() + std::size_t{position / 32 - first_group} * d.columns * size);
  }
  for (std::size_t i = 0; i < std::size_t{groups} * d.columns; ++i)
    out.insert(out.end(), stored.data() + i * size, stored.data() + i * size + main_bytes);
  for (std::uint32_t g = 0; g < groups; ++g) {
    if (!keeps_low(d, first_group + g)) continue;
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      const std::uint8_t* group = stored.data() + (std::size_t{g} * d.columns + c) * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

}  // namespace

std::size_t convert(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual,
                    std::vector<std::uint8_t>& out) {
  const bool plain_cache = (d.path == Path::key || d.path == Path::value) && d.grouped == 0;
  if (plain_cache && d.bits == 8) {
    const std::size_t row = formats::int8_row_bytes(d.columns), begin = out.size();
    out.resize(begin + d.rows * row);
    std::size_t nonfinite = 0;
    for (std::uint32_t r = 0; r < d.rows; ++r)
      nonfinite += formats::encode_int8_row(rows + std::size_t{r} * d.columns, d.columns, out.data() + begin + r * row);
    return nonfinite;
  }
  if (plain_cache || d.path == Path::pass) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(rows);
    out.insert(out.end(), bytes, bytes + 2ull * d.rows * d.columns);
    return 0;
  }
  if (d.path == Path::value) return convert_values(d, rows, residual, out);

  const std::size_t row_bytes = kBfp8.row_bytes(d.columns), groups = kBfp8.groups(d.columns);
  std::vector<std::uint8_t> stored(d.rows * row_bytes);
  std::size_t nonfinite = 0;
  for (std::uint32_t r = 0; r < d.rows; ++r)
    nonfinite +=
        formats::encode_row(kBfp8, rows + std::size_t{r} * d.columns, d.columns, stored.data() + r * row_bytes);
  if (d.path == Path::row) {
    out.insert(out.end(), stored.begin(), stored.end());
    return nonfinite;
  }
  const std::size_t size = kBfp8.group_bytes();
  for (std::size_t i = 0; i < d.rows * groups; ++i)
    out.insert(out.end(), stored.data() + i * size, stored.data() + i * size + main_bytes);
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    if (!keeps_low(d, d.first_position + r)) continue;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::uint8_t* group = stored.data() + r * row_bytes + g * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

std::uint64_t convert_cycles(const Config& config, const Descriptor& d) {
  std::uint64_t groups = std::uint64_t{d.rows} * ((d.columns + 31) / 32);
  // One lane takes one V column of a group's tokens at a time: a token touches a group of every channel. A group that
  // has been stored before is read, grown and written once for every newcomer.
  if (d.path == Path::value && d.grouped != 0) {
    const std::uint64_t pieces = (d.first_position + d.rows + 31) / 32 - d.first_position / 32;
    const std::uint64_t newcomers = std::min(d.rows, 32 - d.first_position % 32);
    groups = std::uint64_t{d.columns} * (d.grows() ? pieces - 1 + newcomers : pieces);
  }
  return (groups + config.lanes - 1) / config.lanes;
}

namespace {

/// Takes the last V group's main parts and low planes out of a converted chunk: what a residual read would bring.
std::vector<std::uint8_t> take_growing(const Descriptor& d, std::vector<std::uint8_t>& bytes) {
  const std::uint32_t groups = (d.first_position + d.rows + 31) / 32 - d.first_position / 32;
  const std::ptrdiff_t main = std::ptrdiff_t{d.columns} * main_bytes, low = std::ptrdiff_t{d.columns} * low_bytes;
  const auto from = bytes.begin() + (groups - 1) * main;
  std::vector<std::uint8_t> growing(from, from + main);
  growing.insert(growing.end(), bytes.end() - low, bytes.end());
  bytes.erase(bytes.end() - low, bytes.end());
  bytes.erase(from, from + main);
  return growing;
}

}  // namespace

BfpConverter::BfpConverter(sc_core::sc_module_name name, const Config& config, std::unique_ptr<ConverterCore> core)
    : sc_module(name),
      command("command", [this] { progress(); }),
      input("tsock", [this] { progress(); }),
      residual("tsock_residual", [this] { progress(); }),
      config_(config),
      clock_(config.clock_mhz),
      core_(std::move(core)) {
  auto accepted = [this](auto&, const sc_core::sc_time& when) {
    taken(when);
    progress();
  };
  isock_operands.on_accepted(accepted);
  isock_kv.on_accepted(accepted);
  isock_out.on_accepted(accepted);
}

void BfpConverter::progress() {
  if (in_progress_) {
    again_ = true;
    return;
  }
  do {
    again_ = false;
    in_progress_ = true;
    while (step()) {
    }
    in_progress_ = false;
  } while (again_);
}

/// Takes a piece of the growing group, or converts a chunk; false when nothing can be done now.
bool BfpConverter::step() {
  if (blocked_ || working_ || command.empty()) return false;
  const Descriptor d = command.front();
  if (!d.leaves_smoother()) {
    command.pop();
    return true;
  }
  if (residual_bytes_ < d.residual_bytes) {
    tlm::tlm_generic_payload* piece = residual.waiting();
    if (piece == nullptr) return false;
    const Cycle at = clock_.cycle(residual.arrival());
    if (at > free_) {
      activity_.wait(Wait::operand, at - free_);
      free_ = at;
    }
    residual_bytes_ += piece->get_data_length();
    if (bus::chunk_of(*piece).data_valid)
      residual_data_.insert(residual_data_.end(), piece->get_data_ptr(),
                            piece->get_data_ptr() + piece->get_data_length());
    residual.accept(std::max(residual.arrival(), clock_.time(free_)));
    return true;
  }
  tlm::tlm_generic_payload* payload = input.waiting();
  if (payload == nullptr) return false;
  const bus::Chunk in = bus::chunk_of(*payload);
  const Cycle start = std::max(free_, clock_.cycle(input.arrival()));
  if (start > free_) activity_.wait(Wait::input, start - free_);
  const Cycle cycles = convert_cycles(config_, d);
  activity_.busy += cycles;
  elements_ += std::uint64_t{d.rows} * d.columns;
  free_ = start + cycles;
  ready_ = free_ + static_cast<Cycle>(config_.stages + (d.path == Path::key ? config_.key_path_extra_cycles : 0));

  if (payload->get_data_length() != 2ull * d.rows * d.columns)
    SC_REPORT_ERROR("/harmonia/converter/chunk", "a chunk has another size than its descriptor says");
  if (d.growing_from != 0 && in.data_valid) residual_data_ = std::move(growing_[d.growing_from]);
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, 0, std::max<unsigned>(1, d.out_bytes),
                                   in.data_valid ? bus::Data::buffer : bus::Data::scratch);
  bus::Chunk& c = bus::PayloadPool::chunk(out);
  c.traffic = d.destination == Destination::kv_write ? bus::TrafficClass::kv_write : bus::TrafficClass::activations;
  c.operation = d.operation;
  c.elements = d.rows * d.columns;
  c.row = d.row_begin;
  c.mode = static_cast<std::uint16_t>(d.row_stride);
  c.column = d.column_bytes;
  c.tensor = d.rows;
  c.tag = d.operand_row_bytes;
  if (in.data_valid && core_ != nullptr && core_->handles(d)) {
    // Kept until the core has read it; the payload goes back with the acceptance.
    const auto* data = reinterpret_cast<const Fp16*>(payload->get_data_ptr());
    auto rows = std::make_shared<std::vector<Fp16>>(data, data + std::size_t{d.rows} * d.columns);
    auto residual_data = std::make_shared<std::vector<std::uint8_t>>(std::move(residual_data_));
    working_ = true;
    residual_bytes_ = 0;
    residual_data_.clear();
    command.pop();
    input.accept(std::max(input.arrival(), clock_.time(start)));
    core_->run(d, rows->data(), residual_data->data(), start,
               [this, d, out, rows, residual_data, start, predicted = free_](ConverterCore::Result&& result) {
                 fill(d, *out, result.bytes);
                 nonfinite_ += result.nonfinite;
                 activity_.busy += result.free - predicted;
                 free_ = result.free;
                 if (observer) observer({d.operation, clock_.ps(start), clock_.ps(free_), clock_.ps(free_ - start)});
                 working_ = false;
                 leave(d, out, result.ready);
                 progress();
               });
    return true;
  }
  if (in.data_valid) {
    bytes_.clear();
    nonfinite_ += convert(d, reinterpret_cast<const Fp16*>(payload->get_data_ptr()), residual_data_.data(), bytes_);
    fill(d, *out, bytes_);
  }
  if (observer) observer({d.operation, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  input.accept(std::max(input.arrival(), clock_.time(start)));
  residual_bytes_ = 0;
  residual_data_.clear();
  command.pop();
  leave(d, std::move(out), ready_);
  return true;
}

/// The converted bytes that leave go into the payload, a group that is not full yet stays.
void BfpConverter::fill(const Descriptor& d, tlm::tlm_generic_payload& out, std::vector<std::uint8_t>& bytes) {
  if (d.growing_to != 0) growing_[d.growing_to] = take_growing(d, bytes);
  if (bytes.size() != d.out_bytes)
    SC_REPORT_ERROR("/harmonia/converter/size", "the converted chunk has another size than its descriptor says");
  std::copy(bytes.begin(), bytes.end(), out.get_data_ptr());
}

/// Offers a converted chunk to where its descriptor sends it.
void BfpConverter::leave(const Descriptor& d, bus::PayloadPtr out, Cycle ready) {
  bus::StreamSource<>& isock = d.destination == Destination::activations ? isock_operands
                               : d.destination == Destination::kv_write  ? isock_kv
                                                                         : isock_out;
  if (d.out_bytes == 0) return;
  blocked_ = true;
  ready_ = ready;
  if (const std::optional<sc_core::sc_time> when = isock.send(std::move(out), clock_.time(ready_))) taken(*when);
}

/// A chunk that is taken later than it stood at the output held the whole pipeline for so long.
void BfpConverter::taken(const sc_core::sc_time& when) {
  blocked_ = false;
  const Cycle at = clock_.cycle(when);
  if (at <= ready_) return;
  activity_.wait(Wait::output, at - ready_);
  free_ += at - ready_;
}

}  // namespace harmonia::converter
