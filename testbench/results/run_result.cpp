#include "harmonia/testbench/results/run_result.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"

namespace harmonia::testbench {
namespace {

using Json = nlohmann::ordered_json;

double finite(double value, const std::string& key) {
  if (!std::isfinite(value)) throw config::RunError("result: " + key + " is not a finite number");
  return value;
}

// An object whose numbers are checked as they are put in, under the path that an error names.
class Object {
 public:
  explicit Object(std::string path) : path_(std::move(path)), json_(Json::object()) {}
  Object& put(const char* key, double value) {
    json_[key] = finite(value, path_ + key);
    return *this;
  }
  Object& put(const char* key, std::uint64_t value) {
    json_[key] = value;
    return *this;
  }
  Object& put(const char* key, std::int64_t value) {
    json_[key] = value;
    return *this;
  }
  Object& put(const char* key, int value) {
    json_[key] = value;
    return *this;
  }
  Object& put(const char* key, bool value) {
    json_[key] = value;
    return *this;
  }
  Object& put(const char* key, const std::string& value) {
    json_[key] = value;
    return *this;
  }
  Object& put(const char* key, const char* value) { return put(key, std::string(value)); }
  Object& put(const char* key, Json value) {
    json_[key] = std::move(value);
    return *this;
  }
  Object& put(const char* key, const Distribution& d) {
    Object o(path_ + key + ".");
    o.put("count", d.count)
        .put("mean", d.mean)
        .put("min", d.min)
        .put("p50", d.p50)
        .put("p95", d.p95)
        .put("p99", d.p99)
        .put("max", d.max);
    return put(key, o.take());
  }
  Object& put(const char* key, const BytesByClass& bytes) {
    Object o(path_ + key + ".");
    for (std::size_t c = 0; c < kTrafficClasses; ++c) o.put(traffic_name(c), bytes[c]);
    return put(key, o.take());
  }
  Json take() { return std::move(json_); }

 private:
  std::string path_;
  Json json_;
};

template <class Items, class Write>
Json list(const char* key, const Items& items, Write write) {
  Json array = Json::array();
  std::size_t index = 0;
  for (const auto& item : items) {
    Object o(std::string(key) + "[" + std::to_string(index++) + "].");
    write(o, item);
    array.push_back(o.take());
  }
  return array;
}

Json provenance(const ProvenanceResult& p) {
  Object o("provenance.");
  o.put("version", p.version).put("scenario", p.scenario).put("source", p.source).put("seed", p.seed);
  o.put("config", Json::parse(config::to_json(p.config)));
  return o.take();
}

Json fidelity(const FidelityResult& f) {
  Object o("fidelity.");
  o.put("mode", f.mode).put("timing", f.timing).put("data", f.data);
  o.put("layers_simulated", f.layers_simulated).put("layers_total", f.layers_total);
  o.put("steps_simulated", f.steps_simulated).put("steps_total", f.steps_total).put("error_estimate", f.error_estimate);
  return o.take();
}

Json bandwidth(const RunResult& r) {
  Object o("bandwidth.");
  const BandwidthResult& b = r.bandwidth;
  o.put("peak_bytes_per_s", b.peak_bytes_per_s)
      .put("achieved_bytes_per_s", b.achieved_bytes_per_s)
      .put("utilisation", b.utilisation);
  o.put("bytes", total(b.bytes_by_class)).put("bytes_by_class", b.bytes_by_class);
  o.put("pin_bytes_by_class", b.pin_bytes_by_class);
  return o.take();
}

void channel(Object& o, const ChannelResult& c) {
  Object commands("channels[].commands.");
  for (const auto& [name, count] : c.commands) commands.put(name.c_str(), count);
  o.put("bytes_read", c.bytes_read).put("bytes_written", c.bytes_written).put("utilisation", c.utilisation);
  o.put("commands", commands.take());
  o.put("row_hits", c.row_hits).put("row_misses", c.row_misses).put("row_conflicts", c.row_conflicts);
  o.put("refresh_share", c.refresh_share)
      .put("queue_occupancy_mean", c.queue_occupancy_mean)
      .put("queue_occupancy_max", c.queue_occupancy_max);
  o.put("read_latency_s", c.read_latency_s);
}

void unit(Object& o, const UnitResult& u) {
  Object stalled("units." + u.name + ".stalled.");
  double sum = u.busy;
  for (const StallShare& s : u.stalled) {
    stalled.put(s.cause.c_str(), s.share);
    sum += s.share;
  }
  // Shares come from integer counts of cycles; more than rounding means that some time was lost or counted twice.
  if (!(std::fabs(sum - 1) < 1e-9))
    throw config::RunError("result: the shares of unit " + u.name + " add up to " + std::to_string(sum) +
                           ", expected 1");
  o.put("name", u.name).put("busy", u.busy).put("stalled", stalled.take());
}

void operation(Object& o, const OperationResult& p) {
  o.put("name", p.name)
      .put("count", p.count)
      .put("macs", p.macs)
      .put("bytes", p.bytes)
      .put("simulated_s", p.simulated_s);
  o.put("memory_s", p.memory_s)
      .put("decode_s", p.decode_s)
      .put("compute_s", p.compute_s)
      .put("vector_s", p.vector_s)
      .put("bound", p.bound);
}

std::string number(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace

std::uint64_t total(const BytesByClass& bytes) {
  std::uint64_t sum = 0;
  for (const std::uint64_t b : bytes) sum += b;
  return sum;
}

std::string bound_of(const OperationResult& p) {
  const std::pair<double, const char*> times[] = {
      {p.memory_s, "memory"}, {p.decode_s, "decode"}, {p.compute_s, "compute"}, {p.vector_s, "vector"}};
  return std::max_element(std::begin(times), std::end(times),
                          [](const auto& a, const auto& b) { return a.first < b.first; })
      ->second;
}

std::string bound_of(const std::vector<OperationResult>& operations) {
  std::pair<std::string, double> sums[] = {{"memory", 0}, {"decode", 0}, {"compute", 0}, {"vector", 0}};
  for (const OperationResult& p : operations)
    for (auto& [name, seconds] : sums)
      if (p.bound == name) seconds += p.simulated_s;
  return std::max_element(std::begin(sums), std::end(sums),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::string to_json(const RunResult& r) {
  Object o("");
  o.put("schema", RunResult::kSchema);
  o.put("model", r.model).put("accelerator", r.accelerator);
  o.put("weight_bytes", r.weight_bytes).put("effective_bits_per_weight", r.effective_bits_per_weight);
  o.put("complete", r.complete).put("simulated_seconds", r.simulated_seconds).put("wall_seconds", r.wall_seconds);
  o.put("simulation_events", r.simulation_events);
  o.put("steps", r.steps)
      .put("prompt_tokens", r.prompt_tokens)
      .put("output_tokens", r.output_tokens)
      .put("output_tokens_per_s", r.output_tokens_per_s);
  o.put("fidelity", fidelity(r.fidelity));
  Object latency("latency.");
  latency.put("time_to_first_token_s", r.latency.time_to_first_token_s);
  latency.put("time_per_output_token_s", r.latency.time_per_output_token_s);
  latency.put("end_to_end_s", r.latency.end_to_end_s);
  o.put("latency", latency.take());
  o.put("bandwidth", bandwidth(r));
  o.put("channels", list("channels", r.channels, channel));
  o.put("units", list("units", r.units, unit));
  o.put("operations", list("operations", r.operations, operation));
  o.put("bound", r.bound);
  Object energy("energy.");
  energy.put("total_j", r.energy.total_j).put("per_token_j", r.energy.per_token_j);
  energy.put("components", list("energy.components", r.energy.components, [](Object& c, const ComponentEnergy& e) {
               c.put("component", e.component).put("joules", e.joules);
             }));
  o.put("energy", energy.take());
  Object area("area.");
  area.put("total_mm2", r.area.total_mm2);
  area.put("components", list("area.components", r.area.components, [](Object& c, const ComponentArea& a) {
             c.put("component", a.component).put("mm2", a.mm2);
           }));
  o.put("area", area.take());
  o.put("checks", list("checks", r.checks, [](Object& c, const CheckResult& k) {
          c.put("name", k.name)
              .put("passed", k.passed)
              .put("rule", k.rule)
              .put("expected", k.expected)
              .put("actual", k.actual)
              .put("unit", k.unit);
        }));
  const AddressMapResult& m = r.address_map;
  Object map("address_map.");
  map.put("memory_bytes", m.memory_bytes)
      .put("channels", m.channels)
      .put("interleave_bytes", m.interleave_bytes)
      .put("hashed", m.hashed)
      .put("region_alignment_bytes", m.region_alignment_bytes)
      .put("tensor_alignment_bytes", m.tensor_alignment_bytes)
      .put("kv_slots", m.kv_slots)
      .put("kv_slot_tokens", m.kv_slot_tokens);
  map.put("regions", list("address_map.regions", m.regions, [](Object& c, const AddressMapResult::Region& region) {
            c.put("name", region.name).put("base", region.base).put("bytes", region.bytes);
          }));
  o.put("address_map", map.take());
  if (r.serving.requests > 0) {
    const ServingResult& v = r.serving;
    Object serving("serving.");
    serving.put("trace", v.trace).put("requests", v.requests).put("completed", v.completed).put("refused", v.refused);
    serving.put("idle_s", v.idle_s).put("running_mean", v.running_mean).put("running_max", v.running_max);
    serving.put("waiting_mean", v.waiting_mean).put("waiting_max", v.waiting_max);
    serving.put("kv_tokens_mean", v.kv_tokens_mean)
        .put("kv_tokens_max", v.kv_tokens_max)
        .put("kv_tokens_capacity", v.kv_tokens_capacity);
    o.put("serving", serving.take());
  }
  o.put("requests", list("requests", r.requests, [](Object& c, const RequestResult& q) {
          c.put("index", q.index)
              .put("arrival_s", q.arrival_s)
              .put("prompt_tokens", q.prompt_tokens)
              .put("output_tokens", q.output_tokens);
          c.put("time_to_first_token_s", q.time_to_first_token_s)
              .put("time_per_output_token_s", q.time_per_output_token_s)
              .put("end_to_end_s", q.end_to_end_s)
              .put("waiting_s", q.waiting_s);
        }));
  o.put("assumptions", list("assumptions", r.assumptions, [](Object& c, const config::Assumption& a) {
          c.put("key", a.key)
              .put("value", a.value)
              .put("unit", a.unit)
              .put("meaning", a.meaning)
              .put("source", a.source)
              .put("given_at", a.given_at);
        }));
  o.put("notices", Json(r.notices));
  o.put("provenance", provenance(r.provenance));
  // Names from files may hold anything; a result must be valid JSON all the same.
  return o.take().dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string bandwidth_csv(const RunResult& r) {
  std::string out = "start_s,channel,class,bytes,bytes_per_s\n";
  for (const BandwidthSample& s : r.bandwidth_series) {
    // The run ends within the last interval. What is left of one when an end falls on an edge is rounding.
    const double left = r.simulated_seconds - s.start_s;
    const double length =
        left > 0.01 * r.bandwidth_interval_s ? std::min(left, r.bandwidth_interval_s) : r.bandwidth_interval_s;
    for (std::size_t c = 0; c < kTrafficClasses; ++c) {
      const double rate = length > 0 ? static_cast<double>(s.bytes[c]) / length : 0;
      out += number(s.start_s) + ',' + std::to_string(s.channel) + ',' + traffic_name(c) + ',' +
             std::to_string(s.bytes[c]) + ',' + number(rate) + '\n';
    }
  }
  return out;
}

std::string requests_csv(const RunResult& r) {
  if (r.requests.empty()) return {};
  std::string out =
      "index,arrival_s,prompt_tokens,output_tokens,time_to_first_token_s,time_per_output_token_s,end_to_end_s,waiting_"
      "s\n";
  for (const RequestResult& q : r.requests)
    out += std::to_string(q.index) + ',' + number(q.arrival_s) + ',' + std::to_string(q.prompt_tokens) + ',' +
           std::to_string(q.output_tokens) + ',' + number(q.time_to_first_token_s) + ',' +
           number(q.time_per_output_token_s) + ',' + number(q.end_to_end_s) + ',' + number(q.waiting_s) + '\n';
  return out;
}

bool checks_passed(const RunResult& r, std::string& problem) {
  for (const CheckResult& c : r.checks) {
    if (c.passed) continue;
    problem = "check '" + c.name + "' failed: " + number(c.actual) + ' ' + c.unit + ", expected " +
              (c.rule.empty() ? "" : c.rule + ' ') + number(c.expected);
    return false;
  }
  return true;
}

}  // namespace harmonia::testbench
