#include "harmonia/testbench/system/functional.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"

namespace harmonia::testbench {

using accelerator::DecoderTable;
using accelerator::GoldenLayerWeights;
using accelerator::GoldenModelWeights;
using accelerator::KvCacheLayout;
using accelerator::KvFormat;
using accelerator::ModelTensor;
using accelerator::TensorPlace;
using formats::LinearWeights;

namespace {

const char* codebook_name(formats::CodebookKind kind) {
  return kind == formats::CodebookKind::kInt5 ? "int5" : kind == formats::CodebookKind::kBf16 ? "bf16" : "int8";
}

DecoderTable table_of(const LinearWeights& w) {
  DecoderTable table;
  if (!w.format()->is_codebook()) return table;
  table.codebook.assign(w.integer_codebook().q.begin(), w.integer_codebook().q.end());
  table.scale = w.integer_codebook().scale;
  table.centroids = w.codebook_kind() == formats::CodebookKind::kBf16
                        ? formats::bf16_codebook(w.codebook()).centroids
                        : formats::dequantised_codebook(w.integer_codebook()).centroids;
  return table;
}

class Loader {
 public:
  explicit Loader(Machine& machine) : machine_(machine) {}

  void words(std::uint64_t address, const std::vector<formats::Fp16>& values) {
    machine_.loader->write(address, values.data(), 2 * values.size());
  }
  void tensor(const TensorPlace& place, const LinearWeights& w, const std::string& what) {
    if (place.format != w.format() || place.rows != w.rows() || place.k != w.cols())
      throw std::invalid_argument(fmt::format("{} is {} [{}, {}], but the machine was built for {} [{}, {}]", what,
                                              w.format()->name, w.rows(), w.cols(), place.format->name, place.rows,
                                              place.k));
    if (w.format()->storage.coding == formats::Coding::integers &&
        w.integers().format.group != static_cast<std::size_t>(place.storage().block))
      throw std::invalid_argument(
          fmt::format("{} shares a scale among {} columns; the machine's integer weights do among {}", what,
                      w.integers().format.group, place.storage().block));
    const LinearWeights::Streams s = w.streams();
    machine_.loader->write(place.index, s.codes, w.rows() * s.code_row_bytes);
    if (s.scales == nullptr) return;
    if (s.zeros == nullptr) {
      machine_.loader->write(place.scale, s.scales, w.rows() * s.scale_row_bytes);
      return;
    }
    // A row's scales, then its zero-points.
    std::vector<std::uint8_t> rows;
    rows.reserve(w.rows() * (s.scale_row_bytes + s.zero_row_bytes));
    for (std::size_t r = 0; r < w.rows(); ++r) {
      rows.insert(rows.end(), s.scales + r * s.scale_row_bytes, s.scales + (r + 1) * s.scale_row_bytes);
      rows.insert(rows.end(), s.zeros + r * s.zero_row_bytes, s.zeros + (r + 1) * s.zero_row_bytes);
    }
    machine_.loader->write(place.scale, rows.data(), rows.size());
  }

 private:
  Machine& machine_;
};

std::vector<std::uint8_t> group(Machine& m, std::uint64_t main, std::uint64_t low, bool wide) {
  std::vector<std::uint8_t> bytes(KvCacheLayout::group_main_bytes + (wide ? KvCacheLayout::group_low_bytes : 0));
  m.loader->read(main, bytes.data(), KvCacheLayout::group_main_bytes);
  if (wide) m.loader->read(low, bytes.data() + KvCacheLayout::group_main_bytes, KvCacheLayout::group_low_bytes);
  return bytes;
}

std::string difference(const std::string& where, const std::vector<std::uint8_t>& is,
                       const accelerator::GoldenKvCache::Stored& expected) {
  if (is.size() != expected.bytes) return fmt::format("{} has {} bytes, expected {}", where, is.size(), expected.bytes);
  for (std::size_t i = 0; i < is.size(); ++i)
    if (is[i] != expected.data[i])
      return fmt::format("{}, byte {}: {}, expected {}", where, i, is[i], expected.data[i]);
  return {};
}

}  // namespace

void adopt_weights(Scenario& scenario, const GoldenModelWeights& weights) {
  // Of the first layer, which need not attend, the first matrix that is not always in 16 bits.
  const std::vector<ModelTensor> of_first = accelerator::layer_graph(weights.shape, 0).layer_matrices();
  const LinearWeights& first =
      weights.layers.front().matrices[*std::find_if_not(of_first.begin(), of_first.end(), accelerator::stays_16_bit)];
  for (std::size_t l = 0; l < weights.layers.size(); ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(weights.shape, static_cast<int>(l)).layer_matrices()) {
      if (accelerator::stays_16_bit(tensor)) continue;
      const LinearWeights& w = weights.layers[l].matrices[tensor];
      if (w.format() != first.format() || w.codebook_kind() != first.codebook_kind())
        throw std::invalid_argument(std::string("the machine runs the linears of all layers in one format; got ") +
                                    first.format()->name + " and " + w.format()->name);
    }
  scenario.model = weights.shape;
  scenario.weights.zero_point = first.format()->zero_point;
  scenario.weights.format = formats::without_zero_point(first.format())->name;
  scenario.weights.codebook = codebook_name(first.codebook_kind());
  scenario.weights.lm_head = weights.lm_head.format()->name;
}

accelerator::GoldenSettings golden_settings(const Scenario& scenario) {
  accelerator::GoldenSettings g;
  g.activations = accelerator::on_chip(scenario.accelerator).linear_operand.bfp() ? formats::ActivationFormat::bfp8
                                                                                  : formats::ActivationFormat::fp16;
  g.kv = accelerator::kv_format(scenario.kv.format);
  g.n_initial = static_cast<std::size_t>(scenario.kv.n_initial);
  g.n_local = static_cast<std::size_t>(scenario.kv.n_local);
  g.online_smoothing = scenario.accelerator.smoother.online;
  g.smoothed_channels = static_cast<std::size_t>(scenario.accelerator.smoother.channels_per_head);
  g.online_block = accelerator::on_chip(scenario.accelerator).online_block;
  return g;
}

accelerator::MachineOptions functional_options(const Scenario& scenario,
                                               const std::shared_ptr<const GoldenModelWeights>& weights) {
  accelerator::MachineOptions options = machine_options(scenario);
  options.program.data_valid = true;
  options.program.half_split_rope = weights->rope_pairing == formats::RopePairing::kHalfSplit;
  options.program.rope_frequencies = weights->rope_frequencies;
  options.program.rope_magnitude = weights->rope_magnitude;
  // Tensors are numbered from 1: the linears layer by layer, then the output head (memory_map.h).
  auto tables = std::make_shared<std::vector<DecoderTable>>(1);
  for (std::size_t l = 0; l < weights->layers.size(); ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(weights->shape, static_cast<int>(l)).layer_matrices())
      tables->push_back(table_of(weights->layers[l].matrices[tensor]));
  tables->push_back(table_of(weights->lm_head));
  options.program.table = [tables](std::uint32_t id) -> const DecoderTable& { return tables->at(id); };
  return options;
}

void load_weights(Machine& machine, const GoldenModelWeights& weights) {
  weights.validate();
  const accelerator::MemoryMap& map = machine.map;
  if (map.layers.size() != weights.layers.size() || machine.shape.hidden_size != weights.shape.hidden_size ||
      machine.shape.vocab_size != weights.shape.vocab_size)
    throw std::invalid_argument("the machine was built for a model of another shape");
  Loader load(machine);
  if (!machine.shape.stage_before) load.words(map.embedding, weights.embedding);
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    const GoldenLayerWeights& from = weights.layers[l];
    for (const ModelTensor tensor : accelerator::layer_graph(weights.shape, static_cast<int>(l)).layer_tensors())
      if (accelerator::info_of(tensor).kind == accelerator::TensorKind::gains)
        load.words(map.layers[l].gains[tensor], from.gains[tensor]);
      else
        load.tensor(map.layers[l].matrix[tensor], from.matrices[tensor],
                    fmt::format("layer {}, {}", l, accelerator::name_of(tensor)));
  }
  if (machine.shape.stage_behind) return;
  load.words(map.final_norm, weights.final_norm);
  // A tied output head is the embedding, which is there already.
  if (map.lm_head.index != map.embedding) load.tensor(map.lm_head, weights.lm_head, "lm_head");
}

std::vector<std::uint8_t> key_group(Machine& m, const KvCacheLayout::Place& p, std::uint64_t token, std::uint64_t g,
                                    std::uint64_t context) {
  const KvCacheLayout& kv = m.map.kv;
  const bool wide = kv.policy().wide_key(token, context);
  return group(m, kv.k_main_address(p, token) + g * KvCacheLayout::group_main_bytes,
               wide ? kv.k_low_address(p, token) + g * KvCacheLayout::group_low_bytes : 0, wide);
}

std::vector<std::uint8_t> value_group(Machine& m, const KvCacheLayout::Place& p, std::uint64_t channel, std::uint64_t g,
                                      std::uint64_t context) {
  const KvCacheLayout& kv = m.map.kv;
  const bool wide = kv.policy().wide_group(g, context);
  return group(m, kv.v_main_address(p, g) + channel * KvCacheLayout::group_main_bytes,
               wide ? kv.v_low_address(p, g) + channel * KvCacheLayout::group_low_bytes : 0, wide);
}

std::vector<std::uint8_t> key_row(Machine& m, const KvCacheLayout::Place& p, std::uint64_t token) {
  std::vector<std::uint8_t> bytes(m.map.kv.head().key_main_bytes());
  m.loader->read(m.map.kv.k_main_address(p, token), bytes.data(), bytes.size());
  return bytes;
}

std::vector<std::uint8_t> value_row(Machine& m, const KvCacheLayout::Place& p, std::uint64_t token) {
  std::vector<std::uint8_t> bytes(m.map.kv.head().value_main_bytes());
  m.loader->read(m.map.kv.v_main_address(p, token), bytes.data(), bytes.size());
  return bytes;
}

std::string compare_kv(Machine& m, std::uint64_t slot, int layer, const accelerator::GoldenKvCache& golden) {
  const std::uint64_t context = golden.tokens();
  const auto head_dim = static_cast<std::uint64_t>(m.shape.head_dim);
  // What has left the layer's window may be overwritten.
  const std::uint64_t first =
      accelerator::first_token_read(std::max<std::uint64_t>(context, 1) - 1, m.shape.window_of(layer));
  for (int head = 0; head < m.shape.cached_heads(layer); ++head) {
    const KvCacheLayout::Place place{slot, layer, head};
    const auto h = static_cast<std::size_t>(head);
    const std::string where = fmt::format("slot {}, layer {}, kv head {}: ", slot, layer, head);
    if (!m.map.kv.policy().grouped()) {
      for (std::uint64_t t = first; t < context; ++t) {
        std::string d =
            difference(fmt::format("{}key of token {}", where, t), key_row(m, place, t), golden.key_row(h, t));
        if (d.empty())
          d = difference(fmt::format("{}value of token {}", where, t), value_row(m, place, t), golden.value_row(h, t));
        if (!d.empty()) return d;
      }
      continue;
    }
    for (std::uint64_t t = first; t < context; ++t)
      for (std::uint64_t g = 0; g < golden.key_groups(); ++g) {
        const std::string d = difference(fmt::format("{}key of token {}, group {}", where, t, g),
                                         key_group(m, place, t, g, context), golden.key_group(h, t, g));
        if (!d.empty()) return d;
      }
    for (std::uint64_t g = first / accelerator::kv_group; g < golden.value_groups(); ++g)
      for (std::uint64_t c = 0; c < head_dim; ++c) {
        const std::string d = difference(fmt::format("{}values of channel {}, token group {}", where, c, g),
                                         value_group(m, place, c, g, context), golden.value_group(h, c, g));
        if (!d.empty()) return d;
      }
  }
  return {};
}

}  // namespace harmonia::testbench
