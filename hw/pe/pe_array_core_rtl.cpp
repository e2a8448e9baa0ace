#include "harmonia/hw/pe/pe_array_core_rtl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/pe/kv_operand.h"
#include "harmonia/hw/pe/pe_rtl.h"

namespace harmonia::pe {
namespace {

using bus::Cycle;
using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;
using formats::PeMode;

constexpr std::size_t kGroup = formats::kBfpGroup, kStored8 = kBfp8.group_bytes();

std::size_t up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

/// One output's products in the making: of token t and column r, group by group.
struct Output {
  std::size_t token, column;
};

/// B of one tile, column by column, as the PE takes it.
struct Columns {
  std::vector<std::vector<rtl::Beat>> beats;            // [column][group]
  std::vector<bool> wide;                               // KV: two passes
  std::vector<std::vector<std::uint16_t>> scale_words;  // weights: [column][block]
};

class RtlCore final : public PeCore {
 public:
  RtlCore(const rtl::InstanceFactory& make, const Config& config, bool compare)
      : config_(config),
        instances_(make, static_cast<std::size_t>(config.rows) * static_cast<std::size_t>(config.cols)),
        compare_(compare) {}

  bool handles(const Descriptor& d) const override { return d.bfp_a() && !d.is_part() && d.a_columns == 0; }

  void run(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums, Fp16* out,
           Cycle start, Done done) override {
    const std::size_t m = d.m, n = d.n, groups = d.groups(), a_row = kBfp8.row_bytes(d.k);
    auto columns = std::make_shared<Columns>(columns_of(d, b));

    // The array deals its tile as tile_cycles() counts it: tokens over rows, columns over what is left; columns with a
    // low plane first, so that they spread evenly.
    const std::size_t rows = std::min<std::size_t>(m, static_cast<std::size_t>(config_.rows));
    const std::size_t p = static_cast<std::size_t>(config_.cols) *
                          (config_.spread_idle_rows ? static_cast<std::size_t>(config_.rows) / rows : 1);
    std::vector<std::size_t> dealt;
    for (const bool wide : {true, false})
      for (std::size_t r = 0; r < n; ++r)
        if (columns->wide[r] == wide) dealt.push_back(r);

    std::vector<rtl::StreamJob> jobs(instances_.size());
    auto order = std::make_shared<std::vector<std::vector<Output>>>(jobs.size());
    for (std::size_t t = 0; t < m; ++t)
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t pe = t % rows * p + i % p, r = dealt[i];
        rtl::StreamJob& job = jobs[pe];
        if (job.inputs.empty()) {
          job.inputs.resize(2);
          if (compare_)
            job.what = fmt::format("PE {}, operation {}, tile from output column {}, first output: token {}, column {}",
                                   pe, d.operation, d.n_begin, t, r);
        }
        (*order)[pe].push_back({t, r});
        for (std::size_t g = 0; g < groups; ++g) {
          job.inputs[kFirstOperand].push_back(first_operand(a + t * a_row + g * kStored8, g + 1 == groups));
          job.inputs[kSecondOperand].push_back(columns->beats[r][g]);
          ++job.results;
          if (compare_) job.expected.push_back(golden_beat(job.inputs[kFirstOperand].back(), columns->beats[r][g]));
        }
      }

    if (!d.accumulate) sums.assign(m * n, 0.0f);
    instances_.run(
        std::move(jobs), {start},
        [d, columns, order, &sums, out, start, done = std::move(done)](std::vector<rtl::StreamOutcome>&& outcomes) {
          const std::size_t each = d.groups();
          Cycle busy = start, ready = start;
          std::vector<PeResult> results(each);
          for (std::size_t pe = 0; pe < outcomes.size(); ++pe) {
            const rtl::StreamOutcome& o = outcomes[pe];
            if (o.results.empty()) continue;
            busy = std::max(busy, o.accept_ends[kSecondOperand] + last_passes(d, *columns, (*order)[pe]) - 1);
            ready = std::max(ready, o.result_end);
            for (std::size_t i = 0; i < (*order)[pe].size(); ++i) {
              const Output& output = (*order)[pe][i];
              for (std::size_t g = 0; g < each; ++g) results[g] = result_of(o.results[i * each + g]);
              float& sum = sums[output.token * d.n + output.column];
              sum = value_of_output(d, results, columns->scale_words, output.column, sum);
              if (d.emit) out[output.token * d.n + output.column] = formats::to_fp16(sum);
            }
          }
          done({busy - start, ready - busy});
        });
  }

 private:
  static Cycle last_passes(const Descriptor& d, const Columns& columns, const std::vector<Output>& outputs) {
    return static_cast<Cycle>(
        formats::info(static_cast<PeMode>(columns.beats[outputs.back().column][d.groups() - 1].user & 7)).passes);
  }

  static float value_of(const PeResult& r) { return static_cast<float>(r.partial) * formats::power_of_two(r.exponent); }

  /// Groups ascending, one FP32 rounding each; blocks that share a scale are summed before they are scaled.
  static float value_of_output(const Descriptor& d, const std::vector<PeResult>& results,
                               const std::vector<std::vector<std::uint16_t>>& scale_words, std::size_t column,
                               float sum) {
    const auto* codebook = std::get_if<CodebookWeights>(&d.b);
    const auto* integer = std::get_if<IntegerWeights>(&d.b);
    if (codebook == nullptr && integer == nullptr) {
      for (const PeResult& r : results) sum += value_of(r);
      return sum;
    }
    const std::size_t per_scale = (codebook != nullptr ? codebook->block : integer->block) / kGroup;
    float total = 0.0f;
    for (std::size_t g = 0, block = 0; g < results.size(); g += per_scale, ++block) {
      float part = value_of(results[g]);
      for (std::size_t i = g + 1; i < std::min(g + per_scale, results.size()); ++i) part += value_of(results[i]);
      const std::uint16_t word = scale_words[column][block];
      total += part * (codebook != nullptr ? formats::to_float(formats::Bf16{word}) : formats::to_float(Fp16{word}));
    }
    return codebook != nullptr ? codebook->scale * total : total;
  }

  static Columns columns_of(const Descriptor& d, const std::uint8_t* b) {
    Columns c;
    c.beats.resize(d.n);
    c.wide.assign(d.n, false);
    std::visit(bus::Overloaded{[&](const CodebookWeights& w) {
                                 if (w.one_bit)
                                   one_bit_weights(d, w.block, b, c);
                                 else
                                   weights(d, w.block, w.passes == 2 ? PeMode::kM8L8 : PeMode::kM8L5, b, c);
                               },
                               [&](const IntegerWeights& w) {
                                 weights(d, w.block, w.passes == 2 ? PeMode::kM8L8 : PeMode::kM8W4, b, c);
                               },
                               [&](const Bfp8Weights&) { stored_rows(d, b, c); },
                               [](const Fp16Weights&) {},  // handles() has refused the tile
                               [&](const Keys& keys) { cached_keys(d, keys, b, c); },
                               [&](const Values& values) { cached_values(d, values, b, c); },
                               [&](const PlainKeys& keys) {
                                 const std::size_t row = plain_row_bytes(keys, d.k);
                                 plain_lines(d, c, [&](std::size_t token, std::size_t i) {
                                   return plain_element(keys, b + token * row, i);
                                 });
                               },
                               [&](const PlainValues& values) {
                                 const std::size_t row = plain_row_bytes(values, d.n);
                                 plain_lines(d, c, [&](std::size_t channel, std::size_t i) {
                                   return plain_element(values, b + i * row, channel);
                                 });
                               }},
               d.b);
    return c;
  }

  static void stored_rows(const Descriptor& d, const std::uint8_t* b, Columns& c) {
    for (std::size_t r = 0; r < d.n; ++r)
      for (std::size_t g = 0; g < d.groups(); ++g)
        c.beats[r].push_back(bfp_operand(PeMode::kM8M8, b + r * kBfp8.row_bytes(d.k) + g * kStored8));
  }

  static void cached_keys(const Descriptor& d, const Keys& keys, const std::uint8_t* b, Columns& c) {
    const Planes planes(keys, b, d.n, d.groups());
    std::uint8_t one[kStored8];
    for (std::size_t token = 0; token < d.n; ++token) {
      c.wide[token] = planes.wide(token);
      for (std::size_t g = 0; g < d.groups(); ++g) {
        planes.group(token, g, one);
        c.beats[token].push_back(bfp_operand(c.wide[token] ? PeMode::kM8M8 : PeMode::kM8M4, one));
      }
    }
  }

  static void cached_values(const Descriptor& d, const Values& values, const std::uint8_t* b, Columns& c) {
    const Planes planes(values, b, d.groups(), d.n);
    std::uint8_t one[kStored8];
    for (std::size_t g = 0; g < d.groups(); ++g)
      for (std::size_t channel = 0; channel < d.n; ++channel) {
        planes.group(g, channel, one);
        c.beats[channel].push_back(bfp_operand(planes.wide(g) ? PeMode::kM8M8 : PeMode::kM8M4, one));
      }
  }

  /// Converted on the way to the array. at(line, i): a value.
  template <class At>
  static void plain_lines(const Descriptor& d, Columns& c, const At& at) {
    std::vector<Fp16> line(d.k);
    std::vector<std::uint8_t> stored(kBfp8.row_bytes(d.k));
    for (std::size_t r = 0; r < d.n; ++r) {
      for (std::size_t i = 0; i < d.k; ++i) line[i] = at(r, i);
      formats::encode_row(kBfp8, line.data(), d.k, stored.data());
      for (std::size_t g = 0; g < d.groups(); ++g)
        c.beats[r].push_back(bfp_operand(PeMode::kM8M8, stored.data() + g * kStored8));
    }
  }

  /// Rows of k values, each followed by its scales. beat(group): 32 values as the PE takes them.
  template <class Beat>
  static void scaled_rows(const Descriptor& d, std::size_t block, const std::uint8_t* b, Columns& c, const Beat& beat) {
    const std::size_t k = d.k, blocks = up(k, block), row = k + 2 * blocks;
    std::int8_t group[kGroup];
    for (std::size_t r = 0; r < d.n; ++r) {
      const auto* values = reinterpret_cast<const std::int8_t*>(b + r * row);
      c.scale_words.emplace_back(blocks);
      std::memcpy(c.scale_words.back().data(), b + r * row + k, 2 * blocks);
      for (std::size_t g = 0; g < d.groups(); ++g) {
        const std::size_t count = std::min(kGroup, k - g * kGroup);
        std::fill_n(group, kGroup, std::int8_t{0});
        std::copy_n(values + g * kGroup, count, group);
        c.beats[r].push_back(beat(group, count));
      }
    }
  }

  static void weights(const Descriptor& d, std::size_t block, PeMode mode, const std::uint8_t* b, Columns& c) {
    scaled_rows(d, block, b, c,
                [mode](const std::int8_t* group, std::size_t /*count*/) { return integer_operand(mode, group); });
  }

  /// M8B1 takes codes: which of the two entries a weight is.
  static void one_bit_weights(const Descriptor& d, std::size_t block, const std::uint8_t* b, Columns& c) {
    const std::size_t row = d.k + 2 * up(d.k, block);
    const int q0 = static_cast<std::int8_t>(b[0]);
    int q1 = q0;
    for (std::size_t r = 0; r < d.n && q0 == q1; ++r)
      for (std::size_t i = 0; i < d.k && q0 == q1; ++i) q1 = static_cast<std::int8_t>(b[r * row + i]);
    scaled_rows(d, block, b, c, [q0, q1](const std::int8_t* group, std::size_t count) {
      std::uint8_t codes[kGroup / 8] = {};
      for (std::size_t i = 0; i < count; ++i)
        if (group[i] != q0) codes[i / 8] = static_cast<std::uint8_t>(codes[i / 8] | 0x80u >> i % 8);
      return one_bit_operand(codes, q0, q1);
    });
  }

  Config config_;
  rtl::InstanceArray instances_;
  bool compare_;
};

}  // namespace

std::unique_ptr<PeCore> make_rtl_core(const rtl::InstanceFactory& instances, const Config& config, bool compare) {
  return std::make_unique<RtlCore>(instances, config, compare);
}

}  // namespace harmonia::pe
