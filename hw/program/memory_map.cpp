#include "harmonia/hw/program/memory_map.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::accelerator {
namespace {

std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

class Placer {
 public:
  Placer(MemoryMap& map, const MapRequest& request) : map_(map), request_(request) {}

  void begin(const std::string& name) {
    finish();
    map_.end = align_up(map_.end, request_.region_alignment);
    map_.regions.push_back({name, map_.end, 0});
  }
  std::uint64_t take(std::uint64_t bytes) {
    const std::uint64_t base = align_up(map_.end, request_.tensor_alignment);
    map_.end = base + bytes;
    return base;
  }
  void finish() {
    if (!map_.regions.empty()) map_.regions.back().bytes = map_.end - map_.regions.back().base;
  }
  TensorPlace tensor(WeightFormat format, std::uint64_t rows, std::uint64_t k) {
    TensorPlace t;
    t.id = ++tensors_;
    t.format = format;
    t.rows = rows;
    t.k = k;
    t.index = take(rows * t.index_row_bytes());
    t.scale = take(rows * t.scale_row_bytes());
    return t;
  }
  SpillPlace spill(std::uint64_t columns, std::uint32_t block_columns, const formats::OperandFormat& format) {
    SpillPlace s = shape_of(columns, block_columns, format);
    s.base = take(s.bytes());
    return s;
  }
  /// Rows of fewer columns where those of `widest` lie.
  SpillPlace narrowed(const SpillPlace& widest, std::uint64_t columns, std::uint32_t block_columns,
                      const formats::OperandFormat& format) const {
    SpillPlace s = shape_of(columns, block_columns, format);
    s.base = widest.base;
    return s;
  }

 private:
  SpillPlace shape_of(std::uint64_t columns, std::uint32_t block_columns, const formats::OperandFormat& format) const {
    SpillPlace s;
    if (columns == 0) return s;  // of a feed-forward that no layer has
    s.block_columns = std::min<std::uint64_t>(block_columns, columns);
    s.blocks = (columns + s.block_columns - 1) / s.block_columns;
    s.block_row_bytes = static_cast<std::uint32_t>(format.row_bytes(s.block_columns));
    s.last_row_bytes =
        static_cast<std::uint32_t>(format.row_bytes(columns - std::uint64_t{s.blocks - 1} * s.block_columns));
    s.rows = request_.max_step_tokens;
    return s;
  }

  MemoryMap& map_;
  const MapRequest& request_;
  std::uint32_t tensors_ = 0;
};

}  // namespace

const SpillPlace& MemoryMap::spilled(Value value, int layer) const {
  const Widths& own = widths.at(layers.empty() ? 0 : layers[static_cast<std::size_t>(layer)].widths);
  switch (value) {
    case Value::residual:
      return residual;
    case Value::normed:
      return normed;
    case Value::query:
      return own.query;
    case Value::attended:
      return own.attended;
    case Value::activated:
      return own.activated;
    default:
      throw std::logic_error("the address map has no place for a value that does not stay on chip");
  }
}

StoredFormats MemoryMap::formats() const {
  // All matrices of the layers have the same format, but for those that stay in 16 bits.
  for (const LayerPlaces& layer : layers)
    for (const TensorInfo& info : model_tensors())
      if (info.kind == TensorKind::matrix && !stays_16_bit(info.tensor) && layer.matrix[info.tensor].rows != 0)
        return {layer.matrix[info.tensor].format, lm_head.format, kv.policy()};
  return {lm_head.format, lm_head.format, kv.policy()};
}

namespace {

/// What the layers spill by their widths: first the widest of all layers, which the others lie within.
void spill_widths(Placer& place, const MapRequest& r, MemoryMap& map) {
  using Pair = std::pair<std::uint64_t, std::uint64_t>;  // of all queries, of the feed-forward
  Pair widest{0, static_cast<std::uint64_t>(r.shape.widest_feed_forward())};
  std::vector<Pair> of_layers;
  for (int l = 0; l < r.shape.num_hidden_layers; ++l) {
    if (r.shape.run_of(l) == nullptr) {
      of_layers.emplace_back(static_cast<std::uint64_t>(r.shape.q_width()), widest.second);
    } else {
      const ModelShape own = r.shape.of_layer(l);
      of_layers.emplace_back(static_cast<std::uint64_t>(own.q_width()),
                             static_cast<std::uint64_t>(own.widest_feed_forward()));
    }
    widest.first = std::max(widest.first, of_layers.back().first);
  }
  const auto head = static_cast<std::uint32_t>(r.shape.head_dim);
  map.widths.push_back({place.spill(widest.first, head, r.attention_operand),
                        place.spill(widest.first, head, r.linear_operand),
                        place.spill(widest.second, 128, r.linear_operand)});
  std::map<Pair, std::size_t> known = {{widest, 0}};
  for (std::size_t l = 0; l < of_layers.size(); ++l) {
    const auto [q, f] = of_layers[l];
    const auto [found, is_new] = known.emplace(of_layers[l], map.widths.size());
    if (is_new) {
      const MemoryMap::Widths all = map.widths.front();
      map.widths.push_back({place.narrowed(all.query, q, head, r.attention_operand),
                            place.narrowed(all.attended, q, head, r.linear_operand),
                            place.narrowed(all.activated, f, 128, r.linear_operand)});
    }
    map.layers[l].widths = found->second;
  }
}

}  // namespace

MemoryMap MemoryMap::build(const MapRequest& r) {
  MemoryMap map;
  Placer place(map, r);
  const std::uint64_t h = r.shape.hidden_size;

  if (!r.shape.stage_before) {
    place.begin("embedding");
    map.embedding = place.take(h * 2 * r.shape.vocab_size);
  }
  place.begin("weights");
  for (int l = 0; l < r.shape.num_hidden_layers; ++l) {
    LayerPlaces layer;
    const LayerGraph& graph = layer_graph(r.shape, l);
    const ModelShape own = r.shape.of_layer(l);
    for (const ModelTensor tensor : graph.layer_tensors())
      if (info_of(tensor).kind == TensorKind::gains)
        layer.gains[tensor] = place.take(2 * info_of(tensor).elements(own));
    for (const ModelTensor tensor : graph.layer_matrices())
      layer.matrix[tensor] = place.tensor(stays_16_bit(tensor) ? formats::weight_format("fp16") : r.weights,
                                          size_of(info_of(tensor).rows, own), size_of(info_of(tensor).columns, own));
    map.layers.push_back(layer);
  }
  if (r.shape.stage_behind) {
    map.lm_head.format = r.lm_head;
    map.lm_head.k = h;
  } else {
    map.final_norm = place.take(2 * info_of(ModelTensor::final_norm).elements(r.shape));
    place.begin("lm_head");
  }
  if (r.shape.stage_behind) {
    // Neither of them is here.
  } else if (r.shape.tie_word_embeddings && !r.shape.stage_before &&
             r.lm_head->storage.coding == formats::Coding::words) {
    map.lm_head = place.tensor(r.lm_head, 0, h);
    map.lm_head.rows = r.shape.vocab_size;
    map.lm_head.index = map.embedding;
  } else {
    map.lm_head = place.tensor(r.lm_head, r.shape.vocab_size, h);
  }
  place.begin("kv_cache");
  map.kv =
      KvCacheLayout(r.shape, r.kv, r.kv_capacity_tokens, r.slots, map.end, r.tensor_alignment, r.sequence_step_tokens);
  if (r.kv_tokens != 0 && r.kv_capacity_tokens != 0)
    map.kv.overlap_slots(map.kv.slot_bytes() * r.kv_tokens / r.kv_capacity_tokens, r.tensor_alignment);
  map.end = map.kv.base() + map.kv.bytes();
  place.begin("activations");
  map.residual = place.spill(h, 128, formats::OperandFormat::fp16());
  map.normed = place.spill(h, 128, r.linear_operand);
  spill_widths(place, r, map);
  if (r.shape.norms_behind()) map.branch = place.spill(h, 128, formats::OperandFormat::fp16());
  map.score_bytes = r.score_bytes;
  if (r.score_bytes != 0)
    for (std::size_t i = 0; i < 2; ++i) {
      map.scores[i] = place.take(r.score_bytes);
      map.probabilities[i] = place.take(r.score_bytes);
    }
  if (r.partial_sum_bytes != 0) map.partial_sums = place.take(r.partial_sum_bytes);
  place.finish();

  if (r.memory_bytes != 0 && map.end > r.memory_bytes) {
    // The key that decides: with weights that fit alone it is what the KV cache has to hold.
    std::uint64_t weights = 0;
    for (const Region& region : map.regions)
      if (region.name == "embedding" || region.name == "weights" || region.name == "lm_head") weights += region.bytes;
    std::ostringstream text;
    text << (weights > r.memory_bytes ? "model" : "workload.context")
         << ": the model does not fit the DRAM: " << map.end << " bytes are needed and " << r.memory_bytes
         << " are there (";
    for (std::size_t i = 0; i < map.regions.size(); ++i)
      text << (i == 0 ? "" : ", ") << map.regions[i].name << ' ' << map.regions[i].bytes;
    text << "); take fewer bits per weight, a shorter context, a smaller batch or more memory";
    throw config::InputError(text.str());
  }
  return map;
}

}  // namespace harmonia::accelerator
