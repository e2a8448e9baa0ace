#include "harmonia/hw/converter/bfp_converter_core_rtl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "harmonia/hw/converter/bfp_converter_rtl.h"

namespace harmonia::converter {
namespace {

using bus::Cycle;
using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;
using formats::kBfpGroup;

constexpr std::size_t kMain = formats::kBfpMainBytes, kLow = formats::kBfpLowBytes, kStored = kBfp8.group_bytes();

/// One group of the chunk: stored bytes, and whether its low plane leaves.
struct Group {
  std::array<std::uint8_t, kStored> stored{};
  bool wide = true;
};

struct Work {
  Descriptor d;
  std::vector<Group> groups;  // in storage order
  ConverterCore::Result result;
  ConverterCore::Done done;
  // Values: what is left to merge, token by token.
  const Fp16* rows = nullptr;
  std::uint32_t next_row = 0;
};

class RtlCore final : public ConverterCore {
 public:
  RtlCore(const rtl::InstanceFactory& make, int lanes, bool compare)
      : instances_(make, static_cast<std::size_t>(lanes)), counted_(instances_.size()), compare_(compare) {}

  bool handles(const Descriptor& d) const override {
    return std::visit(
        bus::Overloaded{[](const ToOperand& k) { return k.format.bfp(); },
                        [](const ToMemory& k) { return k.format.bfp(); }, [](const GroupedKeys&) { return true; },
                        [](const GroupedValues&) { return true; }, [](const Rows&) { return false; }},
        d.kind);
  }

  void run(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual, Cycle start, Done done) override {
    auto work = std::make_shared<Work>();
    work->d = d;
    work->done = std::move(done);
    work->rows = rows;
    if (std::holds_alternative<GroupedValues>(d.kind))
      values(work, residual, start);
    else
      by_rows(work, start);
  }

 private:
  static const GroupedValues& values_of(const Work& work) { return std::get<GroupedValues>(work.d.kind); }

  std::string name(const Work& work) const {
    const auto from = [](const char* what, std::uint32_t position) {
      return fmt::format("{} from position {}", what, position);
    };
    return fmt::format(
        "converter, operation {}, {}", work.d.operation,
        std::visit(bus::Overloaded{[&](const ToOperand& k) { return from("rows", k.row_begin); },
                                   [&](const HeadKeys& k) { return from("keys", k.first_position); },
                                   [&](const GroupedValues& k) { return from("values", k.first_position); },
                                   [](const Rows&) { return std::string("rows"); }},
                   work.d.kind));
  }

  /// Beats dealt to the lanes in turn; `take` gets each group's number and its bytes.
  void convert(const std::shared_ptr<Work>& work, const std::vector<std::pair<std::size_t, rtl::Beat>>& beats,
               Cycle start, std::function<void(Cycle first_result)> next) {
    std::vector<rtl::StreamJob> jobs(instances_.size());
    auto order = std::make_shared<std::vector<std::vector<std::size_t>>>(instances_.size());
    golden_nonfinite_ = 0;
    for (std::size_t i = 0; i < beats.size(); ++i) {
      const std::size_t lane = i % jobs.size();
      rtl::StreamJob& job = jobs[lane];
      if (job.inputs.empty()) job.inputs.resize(1);
      job.inputs[0].push_back(beats[i].second);
      ++job.results;
      (*order)[lane].push_back(beats[i].first);
      if (compare_) {
        job.expected.push_back(golden_beat(beats[i].second, &golden_nonfinite_));
        job.what = fmt::format("{}, lane {}", name(*work), lane);
      }
    }
    for (rtl::StreamJob& job : jobs) {
      if (job.inputs.empty()) continue;
      job.inputs[0].back().last = true;
      if (compare_) job.expected.back().last = true;
    }
    instances_.run(
        std::move(jobs), {start},
        [this, work, order, next = std::move(next), start](std::vector<rtl::StreamOutcome>&& outcomes) {
          Cycle first_result = start;
          std::uint64_t nonfinite = 0;
          for (std::size_t lane = 0; lane < outcomes.size(); ++lane) {
            rtl::StreamOutcome& o = outcomes[lane];
            if (o.results.empty()) continue;
            for (std::size_t i = 0; i < o.results.size(); ++i)
              std::copy_n(o.results[i].data.begin(), kStored, work->groups[(*order)[lane][i]].stored.begin());
            const auto now = static_cast<std::uint32_t>(o.status);
            nonfinite += static_cast<std::uint32_t>(now - counted_[lane]);
            counted_[lane] = now;
            work->result.free = std::max(work->result.free, o.accept_ends[0]);
            work->result.ready = std::max(work->result.ready, o.result_end);
            first_result = std::max(first_result, o.result_end - static_cast<Cycle>(o.results.size()) + Cycle{1});
          }
          if (compare_ && nonfinite != golden_nonfinite_)
            throw rtl::Difference(
                fmt::format("{}, cycle {} of the block's clock: the RTL counted {} nonfinite elements, the model {}",
                            name(*work), work->result.free, nonfinite, golden_nonfinite_));
          work->result.nonfinite += nonfinite;
          next(first_result);
        });
  }

  void by_rows(const std::shared_ptr<Work>& work, Cycle start) {
    const Rows& d = work->d.rows();
    const auto* keys = std::get_if<GroupedKeys>(&work->d.kind);
    const std::size_t groups = kBfp8.groups(d.columns);
    std::vector<std::pair<std::size_t, rtl::Beat>> beats;
    work->groups.resize(d.rows * groups);
    for (std::uint32_t r = 0; r < d.rows; ++r) {
      const bool wide = keys == nullptr || keys->low.contains(keys->first_position + r);
      for (std::size_t g = 0; g < groups; ++g) {
        work->groups[r * groups + g].wide = wide;
        beats.emplace_back(r * groups + g,
                           row_beat(wide ? kBfp8 : kBfp4, work->rows + std::size_t{r} * d.columns + kBfpGroup * g,
                                    std::min<std::size_t>(kBfpGroup, d.columns - kBfpGroup * g)));
      }
    }
    convert(work, beats, start, [work](Cycle) { finish(*work); });
  }

  /// A group that begins with this chunk is one beat per channel; the stored group takes its newcomers one by one.
  void values(const std::shared_ptr<Work>& work, const std::uint8_t* residual, Cycle start) {
    const GroupedValues& d = values_of(*work);
    const std::uint32_t first_group = d.first_position / kBfpGroup, end = d.first_position + d.rows;
    const std::uint32_t groups = static_cast<std::uint32_t>(formats::bfp_groups(end)) - first_group;
    work->groups.resize(std::size_t{groups} * d.columns);
    for (std::uint32_t g = 0; g < groups; ++g)
      for (std::uint32_t c = 0; c < d.columns; ++c)
        work->groups[std::size_t{g} * d.columns + c].wide = d.low.contains(first_group + g);
    if (!d.grows()) {
      whole_groups(work, 0, start);
      return;
    }
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      std::uint8_t* stored = work->groups[c].stored.data();
      std::memcpy(stored, residual + c * kMain, kMain);
      std::memcpy(stored + kMain, residual + d.columns * kMain + c * kLow, kLow);
    }
    merge(work, start);
  }

  void merge(const std::shared_ptr<Work>& work, Cycle start) {
    const GroupedValues& d = values_of(*work);
    const std::uint32_t position = d.first_position + work->next_row;
    const std::uint32_t stop = std::min(d.first_position + d.rows, (d.first_position / kBfpGroup + 1) * kBfpGroup);
    if (position == stop) {
      whole_groups(work, 1, start);
      return;
    }
    std::vector<std::pair<std::size_t, rtl::Beat>> beats;
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      const Group& group = work->groups[c];
      rtl::Beat beat = merge_beat(work->rows[std::size_t{work->next_row} * d.columns + c],
                                  static_cast<int>(position % kBfpGroup), group.stored.data());
      if (position + 1 == stop && !group.wide) beat.user |= 1;  // the low plane is not stored
      beats.emplace_back(c, beat);
    }
    ++work->next_row;
    // A channel's next newcomer meets what this one has left.
    convert(work, beats, start,
            [this, work](Cycle first_result) { merge(work, std::max(work->result.free, first_result)); });
  }

  void whole_groups(const std::shared_ptr<Work>& work, std::uint32_t from, Cycle start) {
    const GroupedValues& d = values_of(*work);
    const std::uint32_t first_group = d.first_position / kBfpGroup, end = d.first_position + d.rows;
    const auto groups = static_cast<std::uint32_t>(work->groups.size() / d.columns);
    std::vector<std::pair<std::size_t, rtl::Beat>> beats;
    for (std::uint32_t g = from; g < groups; ++g)
      for (std::uint32_t c = 0; c < d.columns; ++c) {
        std::array<Fp16, kBfpGroup> x{};
        for (std::uint32_t i = 0; i < kBfpGroup; ++i) {
          const std::uint32_t position = (first_group + g) * kBfpGroup + i;
          if (position >= d.first_position && position < end)
            x[i] = work->rows[std::size_t{position - d.first_position} * d.columns + c];
        }
        const std::size_t at = std::size_t{g} * d.columns + c;
        beats.emplace_back(at, row_beat(work->groups[at].wide ? kBfp8 : kBfp4, x.data(), kBfpGroup));
      }
    if (beats.empty()) {
      finish(*work);
      return;
    }
    convert(work, beats, start, [work](Cycle) { finish(*work); });
  }

  static void finish(Work& work) {
    std::vector<std::uint8_t>& out = work.result.bytes;
    if (std::holds_alternative<ToOperand>(work.d.kind) || std::holds_alternative<ToMemory>(work.d.kind)) {
      for (const Group& g : work.groups) out.insert(out.end(), g.stored.begin(), g.stored.end());
    } else {
      for (const Group& g : work.groups) out.insert(out.end(), g.stored.begin(), g.stored.begin() + kMain);
      for (const Group& g : work.groups)
        if (g.wide) out.insert(out.end(), g.stored.begin() + kMain, g.stored.end());
    }
    work.done(std::move(work.result));
  }

  rtl::InstanceArray instances_;
  std::vector<std::uint32_t> counted_;
  std::uint64_t golden_nonfinite_ = 0;
  bool compare_;
};

}  // namespace

std::unique_ptr<ConverterCore> make_rtl_core(const rtl::InstanceFactory& instances, int lanes, bool compare) {
  return std::make_unique<RtlCore>(instances, lanes, compare);
}

}  // namespace harmonia::converter
