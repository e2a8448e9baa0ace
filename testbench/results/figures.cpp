#include "harmonia/testbench/results/figures.h"

#include <cstdio>

#include "harmonia/config/yaml.h"

namespace harmonia::testbench {

using Json = nlohmann::ordered_json;

const char* name_of(Adds adds) {
  switch (adds) {
    case Adds::sum:
      return "sum";
    case Adds::mean:
      return "mean";
    case Adds::maximum:
      return "maximum";
    case Adds::never:
      return "-";
  }
  return "-";
}

std::string shown(const std::string& unit, const Json& value, int decimals) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (decimals < 0 && unit == "mm2") decimals = 3;
  if (decimals < 0) {
    const auto number = value.get<double>();
    if (unit == "share") return percent(number);
    for (const char* scaled : {"s", "B", "B/s", "J", "token/s"})
      if (unit == scaled) return si(number, unit);
    if (value.is_number_integer()) return value.dump();
    decimals = 2;
  }
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value.get<double>());
  return text;
}

double whole_of(const Figure& figure, const std::vector<double>& parts) {
  double whole = 0;
  switch (figure.adds) {
    case Adds::sum:
    case Adds::mean:
      for (const double part : parts) whole += part;
      return figure.adds == Adds::mean && !parts.empty() ? whole / static_cast<double>(parts.size()) : whole;
    case Adds::maximum:
      for (const double part : parts) whole = std::max(whole, part);
      return whole;
    case Adds::never:
      break;
  }
  throw std::logic_error("values of " + figure.path + " do not add up");
}

// --------------------------------------------------------------------------------------------------- descriptions

Record<Distribution> distribution_figures(const std::string& unit) {
  using D = Distribution;
  return Record<D>()
      .value({"count", "samples", "samples", "a simulated step counts as often as it stands for", Adds::sum}, &D::count)
      .value({"mean", "mean", unit, "mean of the samples"}, &D::mean)
      .value({"min", "min", unit, "smallest sample"}, &D::min)
      .value({"p50", "p50", unit, "median"}, &D::p50)
      .value({"p95", "p95", unit, "smallest sample that at least 95 % of all do not exceed"}, &D::p95)
      .value({"p99", "p99", unit, "smallest sample that at least 99 % of all do not exceed", Adds::maximum}, &D::p99)
      .value({"max", "max", unit, "largest sample", Adds::maximum}, &D::max);
}

const Record<BytesByClass>& traffic_figures() {
  static const Record<BytesByClass> record = [] {
    constexpr const char* meanings[] = {
        "weights of the linears, rows of the embedding, scales of the norms",
        "scales of the quantised weights",
        "keys and values that attention reads",
        "keys and values that are appended to the cache",
        "activations and scores that the chip cannot hold",
        "partial sums, written and read back, of products whose K does not fit on chip"};
    Record<BytesByClass> r;
    for (std::size_t i = 0; i < kTrafficClasses; ++i) {
      std::string title = traffic_name(i);
      std::replace(title.begin(), title.end(), '_', ' ');
      r.value({traffic_name(i), title, "B", meanings[i], Adds::sum}, [i](const BytesByClass& b) { return b[i]; });
    }
    return r;
  }();
  return record;
}

const Record<ChannelResult>& channel_figures() {
  using C = ChannelResult;
  static const Record<C> record =
      Record<C>()
          .value({"bytes_read", "read", "B", "read at the pins of the channel", Adds::sum}, &C::bytes_read)
          .value({"bytes_written", "written", "B", "written at the pins of the channel", Adds::sum}, &C::bytes_written)
          .value({"utilisation", "utilisation", "share", "bytes at the pins, of what the channel's peak allows",
                  Adds::mean},
                 &C::utilisation)
          .by_name({"commands", "commands", "commands", "commands of the channel by name (ACT, RD, ...)", Adds::sum},
                   &C::commands)
          .value({"row_hits", "row hits", "bursts", "bursts that met their row open", Adds::sum}, &C::row_hits)
          .value({"row_misses", "misses", "bursts", "bursts that met their bank closed", Adds::sum}, &C::row_misses)
          .value({"row_conflicts", "conflicts", "bursts", "bursts that met another row open in their bank", Adds::sum},
                 &C::row_conflicts)
          .value({"refresh_share", "refresh", "share", "of the time, in which refresh blocked banks", Adds::mean},
                 &C::refresh_share)
          .value({"queue_occupancy_mean", "queue mean", "requests", "queued requests, mean over time", Adds::mean},
                 &C::queue_occupancy_mean)
          .value({"queue_occupancy_max", "queue max", "requests", "queued requests, most at any time", Adds::maximum},
                 &C::queue_occupancy_max)
          .object({"read_latency_s", "read latency", "s", "of a read, from its offer to its last data beat"},
                  distribution_figures("s"), &C::read_latency_s);
  return record;
}

const Record<UnitResult>& unit_figures() {
  using U = UnitResult;
  static const Record<U> record =
      Record<U>()
          .value({"name", "unit", "", "name of the unit"}, &U::name)
          .value({"busy", "busy", "share", "of the simulated time, in which the unit worked", Adds::mean}, &U::busy)
          .by_name({"stalled", "stalled", "share",
                    "of the simulated time, in which the unit waited, by cause; busy and all causes add up to 1",
                    Adds::mean},
                   [](const U& u) {
                     std::vector<std::pair<std::string, double>> causes;
                     for (const StallShare& s : u.stalled) causes.emplace_back(s.cause, s.share);
                     return causes;
                   });
  return record;
}

const Record<OperationResult>& operation_figures() {
  using O = OperationResult;
  static const Record<O> record =
      Record<O>()
          .value({"name", "operation", "", "class of operations"}, &O::name)
          .value({"count", "count", "tiles", "tiles of work, over layers and steps", Adds::sum}, &O::count)
          .value({"macs", "MACs", "MACs", "multiply-accumulates", Adds::sum}, &O::macs)
          .value({"bytes", "bytes", "B", "asked of the DRAM", Adds::sum}, &O::bytes)
          .value({"simulated_s", "time", "s", "of the simulated time", Adds::sum}, &O::simulated_s)
          .value({"memory_s", "memory", "s", "least time of the memory alone: bytes / peak bandwidth", Adds::sum},
                 &O::memory_s)
          .value({"decode_s", "decode", "s", "least time of the decoder alone: weights / decode rate", Adds::sum},
                 &O::decode_s)
          .value({"compute_s", "compute", "s",
                  "least time of the PE array alone: multiply-accumulates / peak rate of their mode", Adds::sum},
                 &O::compute_s)
          .value({"vector_s", "vector", "s", "least time of the vector unit alone: elements / its rate", Adds::sum},
                 &O::vector_s)
          .value({"buffer_s", "buffer", "s",
                  "least time of the weight or the KV buffer's port alone: bytes that pass it / its width", Adds::sum},
                 &O::buffer_s)
          .value(
              {"interconnect_s", "interconnect", "s",
               "least time to ask for those bytes: transactions that a DMA engine may issue, or have under way at the "
               "unloaded latency, and pieces that the ports of the channels take",
               Adds::sum},
              &O::interconnect_s)
          .value({"bound", "bound", "",
                  "the largest of these: memory, decode, compute, vector, buffer or interconnect; link for what is "
                  "between devices, bubble for what a stage waits for"},
                 &O::bound);
  return record;
}

const Record<LimitShare>& limit_figures() {
  using L = LimitShare;
  static const Record<L> record =
      Record<L>()
          .value({"limit", "limit", "",
                  "memory, decode, compute, vector, buffer or interconnect; link and bubble of several devices; idle "
                  "is time "
                  "between steps"},
                 &L::limit)
          .value({"seconds", "time", "s", "in operations that it bounds", Adds::sum}, &L::seconds)
          .value({"share", "share", "share", "of the simulated time; all of them add up to 1"}, &L::share);
  return record;
}

const Record<ComponentEnergy>& energy_figures() {
  using E = ComponentEnergy;
  static const Record<E> record = Record<E>()
                                      .value({"component", "energy", "", "what the energy is spent on"}, &E::component)
                                      .value({"joules", "total", "J", "spent in the whole run", Adds::sum}, &E::joules);
  return record;
}

const Record<ComponentArea>& area_figures() {
  using A = ComponentArea;
  static const Record<A> record = Record<A>()
                                      .value({"component", "area", "", "what the area is taken by"}, &A::component)
                                      .value({"mm2", "mm2", "mm2", "silicon area", Adds::sum}, &A::mm2);
  return record;
}

const Record<LatencyResult>& latency_figures() {
  using L = LatencyResult;
  static const Record<L> record =
      Record<L>()
          .object({"time_to_first_token_s", "time to first token", "s",
                   "of requests; of prompts in a fixed prefill; absent from a decode, which has no prompt"},
                  distribution_figures("s"), &L::time_to_first_token_s)
          .only_if([](const L& l) { return l.time_to_first_token_s.count > 0; })
          .object({"time_per_output_token_s", "time per output token", "s", "from one token of a sequence to its next"},
                  distribution_figures("s"), &L::time_per_output_token_s)
          .object({"end_to_end_s", "end-to-end latency", "s", "from a request's arrival to its last token"},
                  distribution_figures("s"), &L::end_to_end_s);
  return record;
}

const Record<RequestResult>& request_figures() {
  using Q = RequestResult;
  static const Record<Q> record =
      Record<Q>()
          .value({"index", "request", "", "place in the trace, from 0"}, &Q::index)
          .value({"arrival_s", "arrival", "s", "after the start of the trace"}, &Q::arrival_s)
          .value({"prompt_tokens", "prompt tokens", "tokens", "length of the prompt", Adds::sum}, &Q::prompt_tokens)
          .value({"output_tokens", "output tokens", "tokens", "generated", Adds::sum}, &Q::output_tokens)
          .value({"time_to_first_token_s", "time to first token", "s", "from the arrival"}, &Q::time_to_first_token_s)
          .value({"time_per_output_token_s", "time per output token", "s", "mean over the tokens after the first"},
                 &Q::time_per_output_token_s)
          .value({"end_to_end_s", "end-to-end latency", "s", "from the arrival to the last token"}, &Q::end_to_end_s)
          .value({"waiting_s", "waiting", "s", "part of end_to_end_s, until the request was admitted"}, &Q::waiting_s);
  return record;
}

namespace {

const Record<FidelityResult>& fidelity_figures() {
  using F = FidelityResult;
  using E = EstimatedError;
  static const Record<E> errors =
      Record<E>()
          .value({"figure", "figure", "",
                  "place in this file, an item of a list by its name; of a distribution mean and percentiles"},
                 &E::figure)
          .value(
              {"error", "estimated error", "share", "of the figure's value; 1 where nothing is known", Adds::maximum},
              &E::error);
  static const Record<F> record =
      Record<F>()
          .value({"mode", "mode", "", "full or sampled"}, &F::mode)
          .value({"timing", "timing", "", "at or lt"}, &F::timing)
          .value({"data", "data", "", "timing_only or functional"}, &F::data)
          .value({"layers_simulated", "layers simulated", "layers", "of a step"}, &F::layers_simulated)
          .value({"layers_total", "layers", "layers", "that a step has"}, &F::layers_total)
          .value({"steps_simulated", "steps simulated", "steps", "of the run", Adds::sum}, &F::steps_simulated)
          .value({"steps_total", "steps", "steps", "that the run has", Adds::sum}, &F::steps_total)
          .value({"error_estimate", "estimated error", "share",
                  "the largest of estimated_errors, without classes below a hundredth of time or bytes; 0 in full mode",
                  Adds::maximum},
                 &F::error_estimate)
          .list({"estimated_errors", "estimated errors", "", "of a sampled run, by figure; none in full mode"}, errors,
                &F::estimated_errors);
  return record;
}

const Record<BandwidthResult>& bandwidth_figures() {
  using B = BandwidthResult;
  static const Record<B> record =
      Record<B>()
          .value({"peak_bytes_per_s", "peak", "B/s", "of all channels together"}, &B::peak_bytes_per_s)
          .value({"achieved_bytes_per_s", "achieved", "B/s", "bytes at the pins / simulated time", Adds::mean},
                 &B::achieved_bytes_per_s)
          .value({"utilisation", "bandwidth", "share", "achieved / peak", Adds::mean}, &B::utilisation)
          .value({"bytes", "DRAM bytes", "B", "asked of the DRAM, all classes together", Adds::sum},
                 [](const B& b) { return total(b.bytes_by_class); })
          .object({"bytes_by_class", "bytes", "B", "asked of the DRAM: what the formulas say", Adds::sum},
                  traffic_figures(), &B::bytes_by_class)
          .object({"pin_bytes_by_class", "bytes at the pins", "B",
                   "the same with every access rounded up to the bursts that it takes; achieved_bytes_per_s and "
                   "utilisation count these",
                   Adds::sum},
                  traffic_figures(), &B::pin_bytes_by_class);
  return record;
}

const Record<EnergyResult>& energy_of_run_figures() {
  using E = EnergyResult;
  static const Record<E> record =
      Record<E>()
          .value({"total_j", "energy", "J", "of the whole run", Adds::sum}, &E::total_j)
          .value({"per_token_j", "energy/token", "J",
                  "total_j / output_tokens, or / prompt_tokens of a run without output: the tokens that bytes per "
                  "token count",
                  Adds::mean},
                 &E::per_token_j)
          .list({"components", "components", "", "what the energy is spent on"}, energy_figures(), &E::components)
          .value({"source", "source", "", "whose figures the components are: accelerator.energy.source"}, &E::source)
          .list({"published", "published", "", "by the figures of accelerator.energy"}, energy_figures(), &E::published)
          .list({"measured", "measured", "",
                 "by figures measured on this project's RTL, scaled to accelerator.energy.node; static power included"},
                energy_figures(), &E::measured);
  return record;
}

const Record<AreaResult>& area_of_run_figures() {
  using A = AreaResult;
  static const Record<A> record =
      Record<A>()
          .value({"total_mm2", "area mm2", "mm2", "without DRAM"}, &A::total_mm2)
          .list({"components", "components", "", "what the area is taken by"}, area_figures(), &A::components)
          .value({"source", "source", "", "whose figures the components are: accelerator.energy.source"}, &A::source)
          .list({"published", "published", "", "by the figures of accelerator.area"}, area_figures(), &A::published)
          .list({"measured", "measured", "",
                 "by synthesis of this project's RTL at the configuration's sizes, scaled to accelerator.energy.node"},
                area_figures(), &A::measured);
  return record;
}

const Record<CheckResult>& check_figures() {
  using C = CheckResult;
  static const Record<C> record = Record<C>()
                                      .value({"name", "check", "", "what is compared"}, &C::name)
                                      .value({"passed", "passed", "", "false fails the run"}, &C::passed)
                                      .value({"rule", "rule", "", "equal, at least or at most"}, &C::rule)
                                      .value({"expected", "expected", "", "from shapes and formulas"}, &C::expected)
                                      .value({"actual", "actual", "", "as simulated"}, &C::actual)
                                      .value({"unit", "unit", "", "of both"}, &C::unit);
  return record;
}

const Record<AddressMapResult>& address_map_figures() {
  using M = AddressMapResult;
  using R = AddressMapResult::Region;
  static const Record<R> regions = Record<R>()
                                       .value({"name", "region", "", "name of the region"}, &R::name)
                                       .value({"base", "base", "", "first address"}, &R::base)
                                       .value({"bytes", "bytes", "B", "length", Adds::sum}, &R::bytes);
  static const Record<M> record =
      Record<M>()
          .value({"memory_bytes", "memory", "B", "of all channels"}, &M::memory_bytes)
          .value({"channels", "channels", "channels", "DRAM channels"}, &M::channels)
          .value({"interleave_bytes", "interleave", "B", "before the next channel's turn"}, &M::interleave_bytes)
          .value({"hashed", "hashed", "", "whether the channel is a hash of the address"}, &M::hashed)
          .value({"region_alignment_bytes", "region alignment", "B", "regions begin at multiples of it"},
                 &M::region_alignment_bytes)
          .value({"tensor_alignment_bytes", "tensor alignment", "B", "tensors begin at multiples of it"},
                 &M::tensor_alignment_bytes)
          .value({"kv_slots", "KV slots", "slots", "room for this many sequences in the KV cache"}, &M::kv_slots)
          .value({"kv_slot_tokens", "tokens per KV slot", "tokens",
                  "room of a sequence; slots may overlap when a trace is replayed"},
                 &M::kv_slot_tokens)
          .list({"regions", "regions", "", "by address"}, regions, &M::regions);
  return record;
}

const Record<MixtureResult>& mixture_figures() {
  using M = MixtureResult;
  static const Record<M> record =
      Record<M>()
          .value({"layers", "mixture layers", "layers", "mixture layers run, in all steps", Adds::sum}, &M::layers)
          .value(
              {"experts_read", "experts read", "experts",
               "different experts that a layer reads in a step, mean; where they are placed on devices, those that the "
               "device reads which has the most of the layer (devices.fold: false: the first device)",
               Adds::mean},
              &M::experts_read)
          .value({"bytes_per_token", "weights a token", "B", "bytes of all weights read, for each token counted"},
                 &M::bytes_per_token)
          .value(
              {"dense_bytes_per_token", "weights a token, dense", "B",
               "the same as if a layer had no more experts than a token is sent through; of placed ones as few as the "
               "device with the most can have"},
              &M::dense_bytes_per_token)
          .value({"all_bytes_per_token", "weights a token, all experts", "B",
                  "the same as if every step read all experts that the device has"},
                 &M::all_bytes_per_token);
  return record;
}

const Record<StageResult>& stage_figures() {
  using S = StageResult;
  static const Record<S> record =
      Record<S>()
          .value({"stage", "stage", "", "its number, from 0"}, &S::stage)
          .value({"layers", "layers", "layers", "that it has"}, &S::layers)
          .value({"weight_bytes", "weights", "B", "of one of its devices, stored, with embedding or lm_head"},
                 &S::weight_bytes)
          .value({"memory_bytes", "memory", "B", "everything in the memory of one of its devices, KV cache included"},
                 &S::memory_bytes)
          .value({"busy_s", "busy", "s", "with micro-batches, all-reduces included", Adds::sum}, &S::busy_s)
          .value({"busy_share", "busy share", "share", "of the simulated time; else it waits"}, &S::busy_share);
  return record;
}

const Record<DevicesResult>& devices_figures() {
  using D = DevicesResult;
  static const Record<D> record =
      Record<D>()
          .value({"tensor", "devices", "devices", "equal devices that share every tensor"}, &D::tensor)
          .value({"pipeline", "stages", "stages",
                  "groups of layers one behind the other, each on so many devices; where layers do not divide the "
                  "first stages have one more"},
                 &D::pipeline)
          .value({"micro_batches", "micro-batches", "micro-batches",
                  "of a step at most, which pass the stages one behind the other; of a pipeline"},
                 &D::micro_batches)
          .only_if([](const D& d) { return d.pipeline > 1; })
          .value({"simulated", "devices simulated", "devices",
                  "one that stands for all, or all; of a pipeline one of "
                  "each kind of stage"},
                 &D::simulated)
          .value({"link", "link", "", "its name"}, &D::link)
          .value({"topology", "topology", "", "who has a link to whom"}, &D::topology)
          .value({"algorithm", "algorithm", "", "of the all-reduces; several where sizes differ"}, &D::algorithm)
          .value({"experts", "experts", "",
                  "divided: every device has a part of each expert; placed: whole ones on each device; of a mixture"},
                 &D::experts)
          .only_if([](const D& d) { return !d.experts.empty(); })
          .value({"experts_mean", "experts, mean device", "experts",
                  "placed experts that a device reads of a layer in a step, mean of all devices", Adds::mean},
                 &D::experts_mean)
          .only_if([](const D& d) { return d.experts_mean > 0; })
          .value({"experts_most", "experts, busiest device", "experts",
                  "the same of the device that reads the most of a layer, for which the others wait", Adds::mean},
                 &D::experts_most)
          .only_if([](const D& d) { return d.experts_mean > 0; })
          .value({"all_reduces", "all-reduces", "all-reduces", "in all steps", Adds::sum}, &D::all_reduces)
          .value({"sends", "sends", "", "to the next stage, of the mean device of a pipeline", Adds::sum}, &D::sends)
          .only_if([](const D& d) { return d.pipeline > 1; })
          .value({"bubble_s", "bubbles", "s", "the mean device of a pipeline waits for other stages", Adds::sum},
                 &D::bubble_s)
          .only_if([](const D& d) { return d.pipeline > 1; })
          .value({"bubble_share", "bubble share", "share", "the same of the simulated time"}, &D::bubble_share)
          .only_if([](const D& d) { return d.pipeline > 1; })
          .value({"link_bytes", "link bytes", "B", "values sent by one device, of a pipeline the mean one", Adds::sum},
                 &D::link_bytes)
          .value({"link_wire_bytes", "link bytes on the wires", "B", "the same with the headers of packets", Adds::sum},
                 &D::link_wire_bytes)
          .value(
              {"link_bytes_per_token", "link bytes a token", "B", "values sent by all devices, for each token counted"},
              &D::link_bytes_per_token)
          .value({"dram_bytes", "DRAM bytes of all", "B", "of all devices, each with the experts that it reads",
                  Adds::sum},
                 &D::dram_bytes)
          .value({"link_j", "energy of the links", "J", "of all devices", Adds::sum}, &D::link_j)
          .value({"total_j", "energy of all", "J", "all devices with their DRAM, and the links", Adds::sum},
                 &D::total_j)
          .value({"per_token_j", "energy of all a token", "J", "for each token counted"}, &D::per_token_j)
          .value({"phy_mm2", "PHYs of the link", "mm2", "of one device, not part of `area`"}, &D::phy_mm2)
          .list({"stages", "stages", "", "of a pipeline"}, stage_figures(), &D::stages)
          .only_if([](const D& d) { return d.pipeline > 1; });
  return record;
}

const Record<ServingResult>& serving_figures() {
  using S = ServingResult;
  static const Record<S> record =
      Record<S>()
          .value({"trace", "trace", "", "its file"}, &S::trace)
          .value({"requests", "requests", "requests", "in the trace", Adds::sum}, &S::requests)
          .value({"completed", "completed", "requests", "served to their last token", Adds::sum}, &S::completed)
          .value({"refused", "refused", "requests", "longer than the KV cache", Adds::sum}, &S::refused)
          .value({"idle_s", "idle", "s", "time with nothing in flight", Adds::sum}, &S::idle_s)
          .value({"running_mean", "in flight, mean", "requests", "in flight, mean over time", Adds::mean},
                 &S::running_mean)
          .value({"running_max", "in flight, most", "requests", "in flight, most at any time", Adds::maximum},
                 &S::running_max)
          .value({"waiting_mean", "waiting, mean", "requests", "not yet admitted, mean over time", Adds::mean},
                 &S::waiting_mean)
          .value({"waiting_max", "waiting, most", "requests", "not yet admitted, most at any time", Adds::maximum},
                 &S::waiting_max)
          .value(
              {"kv_tokens_mean", "KV tokens, mean", "tokens", "reserved in the KV cache, mean over time", Adds::mean},
              &S::kv_tokens_mean)
          .value({"kv_tokens_max", "KV tokens, most", "tokens", "reserved in the KV cache, most at any time",
                  Adds::maximum},
                 &S::kv_tokens_max)
          .value({"kv_tokens_capacity", "KV tokens, room", "tokens", "that the KV cache holds"},
                 &S::kv_tokens_capacity);
  return record;
}

const Record<config::Assumption>& assumption_figures() {
  using A = config::Assumption;
  static const Record<A> record = Record<A>()
                                      .value({"key", "key", "", "of the configuration"}, &A::key)
                                      .value({"value", "value", "", "that was assumed"}, &A::value)
                                      .value({"unit", "unit", "", "of the value"}, &A::unit)
                                      .value({"meaning", "meaning", "", "of the key"}, &A::meaning)
                                      .value({"source", "why this value", "", "reason for the value"}, &A::source)
                                      .value({"given_at", "given at", "", "default, or file and line"}, &A::given_at);
  return record;
}

const Record<ProvenanceResult>& provenance_figures() {
  using P = ProvenanceResult;
  static const Record<P> record =
      Record<P>()
          .value({"version", "version", "", "of the program"}, &P::version)
          .value({"scenario", "scenario", "", "its name"}, &P::scenario)
          .value({"source", "source", "", "its file"}, &P::source)
          .value({"seed", "seed", "", "of every random choice"}, &P::seed)
          .value({"config", "configuration", "", "every key as resolved; it reads back as a scenario"},
                 [](const P& p) { return Json::parse(config::to_json(p.config)); });
  return record;
}

}  // namespace

const Record<RunResult>& run_figures() {
  using R = RunResult;
  static const Record<R> record =
      Record<R>()
          .value({"schema", "schema", "", "number of this schema; a key that changes its meaning or goes raises it"},
                 [](const R&) { return R::kSchema; })
          .value({"model", "model", "", "its name"}, &R::model)
          .value({"accelerator", "accelerator", "", "its name"}, &R::accelerator)
          .value({"weight_bytes", "weight bytes", "B", "stored weights, scales and codebooks included"},
                 &R::weight_bytes)
          .value({"effective_bits_per_weight", "bits/weight", "bits",
                  "of the quantised linears, scales and codebooks included"},
                 &R::effective_bits_per_weight)
          .value({"complete", "complete", "",
                  "false when an interrupt stopped the run; what is here is of the steps that were complete"},
                 &R::complete)
          .value({"simulated_seconds", "simulated time", "s", "time on the modelled machine", Adds::sum},
                 &R::simulated_seconds)
          .value({"wall_seconds", "wall time", "s", "time on this computer; differs from run to run", Adds::sum},
                 &R::wall_seconds)
          .value({"simulation_events", "events", "events", "handled by the simulation kernel; may differ", Adds::sum},
                 &R::simulation_events)
          .value({"steps", "steps", "steps", "that were run", Adds::sum}, &R::steps)
          .value({"prompt_tokens", "prompt tokens", "tokens", "that were read", Adds::sum}, &R::prompt_tokens)
          .value({"output_tokens", "output tokens", "tokens", "that were generated", Adds::sum}, &R::output_tokens)
          .value({"output_tokens_per_s", "throughput", "token/s", "output_tokens / simulated_seconds", Adds::mean},
                 &R::output_tokens_per_s)
          .object({"fidelity", "fidelity", "", "how much of the run was simulated, and how"}, fidelity_figures(),
                  &R::fidelity)
          .object({"latency", "latency", "", "distributions of waiting times"}, latency_figures(), &R::latency)
          .object({"bandwidth", "bandwidth", "", "of the DRAM"}, bandwidth_figures(), &R::bandwidth)
          .list({"channels", "channels", "", "per DRAM channel"}, channel_figures(), &R::channels)
          .list({"units", "units", "", "where the time of each unit went"}, unit_figures(), &R::units)
          .list({"operations", "operations", "", "per class of operations"}, operation_figures(), &R::operations)
          .value({"bound", "limit", "",
                  "of the run: the resource that bounds operations for the longest time; none when nothing was run"},
                 &R::bound)
          .list({"limits", "limits", "", "the whole time by what bounds the operations in it, largest first"},
                limit_figures(), &R::limits)
          .object({"energy", "energy", "", "of the machine and its DRAM"}, energy_of_run_figures(), &R::energy)
          .object({"area", "area", "", "of the chip"}, area_of_run_figures(), &R::area)
          .list({"checks", "checks", "",
                 "what must hold of every run: counts agree with the formulas, nothing is negative, no time is below "
                 "its bounds; one that fails fails the run"},
                check_figures(), &R::checks)
          .object({"address_map", "address map", "", "where everything lies in memory"}, address_map_figures(),
                  &R::address_map)
          .object({"mixture", "mixture", "", "what mixtures of experts read, of a model that has some"},
                  mixture_figures(), &R::mixture)
          .only_if([](const R& r) { return r.mixture.layers > 0; })
          .object({"devices", "devices", "", "devices that share the model, and what goes between them"},
                  devices_figures(), &R::devices)
          .only_if([](const R& r) { return r.devices.tensor * r.devices.pipeline > 1; })
          .object({"serving", "serving", "", "queue and batch, when a trace was replayed"}, serving_figures(),
                  &R::serving)
          .only_if([](const R& r) { return r.serving.requests > 0; })
          .list({"requests", "requests", "", "of a trace, those completed"}, request_figures(), &R::requests)
          .list({"assumptions", "assumptions", "", "every value that is assumed"}, assumption_figures(),
                &R::assumptions)
          .value({"notices", "notices", "", "list of sentences that a reader of the result must know"}, &R::notices)
          .object({"provenance", "provenance", "", "what made this result"}, provenance_figures(), &R::provenance);
  return record;
}

const std::vector<std::string>& energy_components() {
  static const std::vector<std::string> names = {"pe_array",  "dram",         "sram",    "decoder",
                                                 "converter", "vector_unit",  "aligner", "smoother",
                                                 "dma",       "interconnect", "static"};
  return names;
}

// ------------------------------------------------------------------------------------------------------- look-ups

const Figure& result_figure(const std::string& path) {
  static const std::vector<Figure> all = run_figures().figures();
  const auto at = std::find_if(all.begin(), all.end(), [&path](const Figure& f) { return f.path == path; });
  if (at == all.end()) throw std::logic_error("result.json has no figure " + path);
  return *at;
}

double value_at(const nlohmann::json& document, const Figure& figure) {
  const nlohmann::json* at = &document;
  const std::string& path = figure.path;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    std::string key = path.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t bracket = key.find('[');
    if (bracket == std::string::npos) {
      at = &at->at(key);
      continue;
    }
    const std::string name = key.substr(bracket + 1, key.size() - bracket - 2);
    key.resize(bracket);
    Figure rest = figure;
    rest.path = path.substr(begin);
    std::vector<double> parts;
    for (const nlohmann::json& item : at->at(key))
      if (name.empty() || item.value("name", "") == name || item.value("component", "") == name)
        parts.push_back(value_at(item, rest));
    return whole_of(figure, parts);
  }
  return at->get<double>();
}

// -------------------------------------------------------------------------------------------------- documentation

std::string figures_markdown(const std::vector<Figure>& figures) {
  // A table for the keys of the whole, one for each object or list inside it, in the order of the JSON.
  std::vector<std::pair<std::string, std::string>> sections = {{"", ""}};
  for (const Figure& f : figures) {
    const std::size_t dot = f.path.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : f.path.substr(0, dot);
    auto section =
        std::find_if(sections.begin(), sections.end(), [&parent](const auto& s) { return s.first == parent; });
    if (section == sections.end()) section = sections.insert(sections.end(), {parent, ""});
    section->second += "| `" + (dot == std::string::npos ? f.path : f.path.substr(dot + 1)) + "` | " + f.unit + " | " +
                       f.meaning + " | " + name_of(f.adds) + " |\n";
  }
  std::string out;
  for (const auto& [name, rows] : sections) {
    if (!name.empty()) out += "\n### `" + name + "`\n\n";
    out += "| key | unit | meaning | adds up as |\n|---|---|---|---|\n" + rows;
  }
  return out;
}

Json figures_json(const std::vector<Figure>& figures) {
  Json list = Json::array();
  for (const Figure& f : figures)
    list.push_back(
        {{"path", f.path}, {"title", f.title}, {"unit", f.unit}, {"meaning", f.meaning}, {"adds", name_of(f.adds)}});
  return list;
}

}  // namespace harmonia::testbench
