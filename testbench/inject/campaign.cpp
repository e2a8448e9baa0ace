#include "harmonia/testbench/inject/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/pe/descriptor.h"
#include "harmonia/hw/vector/descriptor.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/system/functional.h"
#include "harmonia/tlm/fault_injector.h"
#include "harmonia/tlm/protocol_checker.h"

namespace harmonia::testbench {

using bus::Fault;
using bus::FaultKind;
using Json = nlohmann::ordered_json;

namespace {

// Of processor time, so that a computer with other work to do changes no outcome.
constexpr unsigned kLimitSeconds = 20;
constexpr const char* kNames[] = {"protocol checker",   "block",          "host",         "deadlock watch",
                                  "accounts",           "golden outputs", "golden cache", "masked",
                                  "masked, other time", "time limit",     "crash",        "not injected"};

// Of simulated time, in runs without a fault: no fault that the machine survives makes it so slow.
constexpr std::uint64_t kLimitRuns = 1000;

/// A transaction of the run without a fault.
struct Request {
  std::uint32_t bytes = 0;
  bool read = false;
  std::uint32_t kind = 0;  // of the descriptor that it carries, among those of its socket
};

/// Which of its alternatives a descriptor of type D carries, or of which length it is where it has none.
template <class D>
std::uint32_t kind_in(const tlm::tlm_generic_payload& payload) {
  D d;
  std::memcpy(static_cast<void*>(&d), payload.get_data_ptr(),
              std::min<std::size_t>(sizeof d, payload.get_data_length()));
  if constexpr (std::is_same_v<D, pe::Descriptor>)
    return static_cast<std::uint32_t>(d.b.index());
  else
    return static_cast<std::uint32_t>(d.kind.index());
}

/// The kind of a transaction. Descriptors differ in which of their fields hold: transactions of a kind have the same.
std::uint32_t kind_of(const std::string& socket, const tlm::tlm_generic_payload& payload) {
  if (socket == "sequencer_to_vector_unit") return kind_in<vector::Descriptor>(payload);
  if (socket == "sequencer_to_pe_array") return kind_in<pe::Descriptor>(payload);
  if (socket == "sequencer_to_converter" || socket == "sequencer_to_smoother")
    return kind_in<converter::Descriptor>(payload);
  return 0;
}

struct Socket {
  std::string name;
  std::unique_ptr<bus::ProtocolChecker<>> checker;
  std::unique_ptr<bus::FaultInjector<>> injector;
  std::vector<Request> requests;

  bool memory() const { return name.compare(0, 16, "interconnect_to_") == 0; }
};

void write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

/// The run under way in a child. What is seen first ends it.
struct Child {
  int fd = -1;
  const Socket* socket = nullptr;

  [[noreturn]] void end(Seen seen, const std::string& checker, const std::string& text, sc_core::sc_time when) const {
    const auto& injected = socket->injector->injected();
    Json j = {{"seen", static_cast<int>(injected ? seen : Seen::not_injected)}, {"checker", checker}, {"text", text}};
    j["after_ps"] = injected && when > *injected ? (when - *injected).value() : 0;
    write_all(fd, j.dump(-1, ' ', false, Json::error_handler_t::replace));
    ::_exit(0);
  }
};
Child* child = nullptr;

void on_report(const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
  // A refusal is a warning, and its sender's error follows: the refusal says what was wrong.
  const bool refusal = std::strcmp(report.get_msg_type(), "/harmonia/bus/refused") == 0;
  if (report.get_severity() < sc_core::SC_ERROR && !refusal) return;
  if (child != nullptr)
    child->end(std::strcmp(report.get_msg_type(), "/harmonia/bus/protocol") == 0 ? Seen::protocol : Seen::block,
               report.get_msg_type(), report.get_msg(), sc_core::sc_time_stamp());
  if (!refusal) sc_core::sc_report_handler::default_handler(report, actions);
}

/// A child at work, and where it writes.
struct Running {
  pid_t pid = 0;
  int fd = -1;
};

class Runner {
 public:
  Runner(Scenario scenario, const CampaignConfig& config)
      : scenario_(std::move(scenario)),
        weights_(small_weights(scenario_, config.work)),
        steps_(small_steps(*weights_, config.work)) {
    accelerator::GoldenLlama golden(weights_, golden_settings(scenario_));
    Capacity capacity;
    capacity.slots = 1;
    capacity.tokens_per_slot = 0;
    for (const auto& step : steps_) {
      capacity.tokens_per_slot += step.size();
      capacity.max_step_tokens = std::max<std::uint64_t>(capacity.max_step_tokens, step.size());
      golden_logits_.emplace_back(static_cast<std::size_t>(weights_->shape.vocab_size));
      golden.step(step.data(), step.size(), golden_logits_.back().data(), true);
    }
    capacity.sequence_step_tokens = capacity.max_step_tokens;
    golden_ = std::make_unique<accelerator::GoldenLlama>(std::move(golden));
    accelerator::MachineOptions options = functional_options(scenario_, weights_);
    options.connect = [this](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
      auto s = std::make_unique<Socket>();
      s->name = name;
      s->checker = std::make_unique<bus::ProtocolChecker<>>(("check_" + name).c_str());
      s->injector = std::make_unique<bus::FaultInjector<>>(("inject_" + name).c_str());
      from.bind(s->checker->tsock);
      s->checker->isock.bind(s->injector->tsock);
      s->injector->isock.bind(to);
      sockets_.push_back(std::move(s));
    };
    try {
      machine_ = std::make_unique<Machine>(
          scenario_, capacity, [this](Host& host) { serve(host); }, options);
      load_weights(*machine_, *weights_);
    } catch (const std::invalid_argument& e) {
      throw config::InputError(std::string("the machine cannot run the small model: ") + e.what());
    }
  }

  const std::vector<std::unique_ptr<Socket>>& sockets() const { return sockets_; }
  std::uint64_t run_ps() const { return run_ps_; }

  /// The run without a fault, in a child: the transactions of every socket, and that it equals the golden model.
  void survey() {
    const std::string text = in_child([this](int fd) {
      for (const auto& s : sockets_) {
        Socket* socket = s.get();
        socket->injector->on_request([socket](const tlm::tlm_generic_payload& payload, std::uint64_t) {
          socket->requests.push_back({payload.get_data_length(), payload.is_read(), kind_of(socket->name, payload)});
        });
      }
      Json j;
      try {
        machine_->simulate();
        j["differs"] = difference();
      } catch (const std::exception& e) {
        j["differs"] = e.what();
      }
      j["run_ps"] = end_.value();
      for (const auto& s : sockets_) {
        Json requests = Json::array();
        for (const Request& r : s->requests) requests.push_back({r.bytes, r.read, r.kind});
        j["sockets"].push_back(std::move(requests));
      }
      write_all(fd, j.dump(-1, ' ', false, Json::error_handler_t::replace));
    });
    if (text.empty()) throw config::RunError("the run without a fault died");
    const Json j = Json::parse(text);
    if (const std::string differs = j.at("differs"); !differs.empty())
      throw config::RunError("the run without a fault: " + config::printable(differs));
    run_ps_ = j.at("run_ps");
    for (std::size_t i = 0; i < sockets_.size(); ++i)
      for (const Json& r : j.at("sockets").at(i)) sockets_[i]->requests.push_back({r.at(0), r.at(1), r.at(2)});
  }

  Socket* find(const std::string& name) const {
    for (const auto& s : sockets_)
      if (s->name == name) return s.get();
    return nullptr;
  }

  /// In a child, which it ends.
  [[noreturn]] void run(int fd, const Fault& fault) {
    Socket* socket = find(fault.socket);
    Child c{fd, socket};
    child = &c;
    const rlimit limit = {kLimitSeconds, kLimitSeconds + 1};
    ::setrlimit(RLIMIT_CPU, &limit);
    socket->injector->arm(fault);
    Seen seen = Seen::deadlock;
    try {
      simulate(c);
      for (const auto& s : sockets_) s->checker->rules.finish();
    } catch (const config::RunError& e) {
      c.end(Seen::deadlock, "deadlock watch", e.what(), sc_core::sc_time_stamp());
    } catch (const std::exception& e) {
      c.end(Seen::host, "host", e.what(), sc_core::sc_time_stamp());
    }
    if (const std::string accounts = account_difference(); !accounts.empty())
      c.end(Seen::account, "accounts", accounts, end_);
    for (std::size_t i = 0; i < logits_.size(); ++i)
      if (const std::string d = logits_difference(i); !d.empty())
        c.end(Seen::outputs, "golden outputs", d, step_ends_[i]);
    if (const std::string d = cache_difference(); !d.empty()) c.end(Seen::cache, "golden cache", d, end_);
    seen = end_.value() == run_ps_ ? Seen::masked : Seen::time_only;
    c.end(seen, "", "", end_);
  }

  /// To the end of the work, or to that of the simulated time that a run may take.
  void simulate(const Child& c) {
    const sc_core::sc_time limit = sc_core::sc_time::from_value(kLimitRuns * run_ps_);
    const Host& host = *machine_->host;
    const auto goes_on = [&] { return !host.finished() && !host.failure && sc_core::sc_pending_activity(); };
    do {
      sc_core::sc_start(limit - sc_core::sc_time_stamp(), sc_core::SC_EXIT_ON_STARVATION);
    } while (goes_on() && sc_core::sc_time_stamp() + sc_core::sc_time_to_pending_activity() < limit);
    if (goes_on())
      c.end(Seen::limit, "time limit",
            fmt::format("no end after {} times the time of a run without a fault", kLimitRuns), limit);
    if (!host.finished()) machine_->simulate();  // which says why not
  }

  /// What a child writes; empty when it dies.
  template <class Body>
  std::string in_child(Body body) {
    const Running r = start(body);
    std::string text = read_all(r.fd);
    wait_for(r.pid);
    return text;
  }
  /// A child of the elaborated machine, which writes to the descriptor that `body` gets.
  template <class Body>
  static Running start(Body body) {
    int pipe[2];
    if (::pipe(pipe) != 0) throw config::RunError(std::string("no pipe: ") + std::strerror(errno));
    const pid_t pid = ::fork();
    if (pid < 0) throw config::RunError(std::string("no child process: ") + std::strerror(errno));
    if (pid == 0) {
      ::close(pipe[0]);
      body(pipe[1]);
      ::_exit(0);
    }
    ::close(pipe[1]);
    return {pid, pipe[0]};
  }
  /// The status with which a child ended.
  static int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }
  static std::string read_all(int fd) {
    std::string text;
    char buffer[65536];
    for (;;) {
      const ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      text.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(fd);
    return text;
  }

 private:
  void serve(Host& host) {
    std::uint64_t cached = 0;
    for (const auto& tokens : steps_) {
      accelerator::StepWork work;
      work.sequences.push_back({0, cached, tokens.size(), true});
      work.token_ids.assign(tokens.begin(), tokens.end());
      host.step(work);
      logits_.push_back(host.logits(static_cast<std::size_t>(weights_->shape.vocab_size)));
      cached += tokens.size();
      end_ = sc_core::sc_time_stamp();
      step_ends_.push_back(end_);
    }
  }
  std::string difference() {
    std::string d = account_difference();
    for (std::size_t i = 0; i < steps_.size() && d.empty(); ++i) d = logits_difference(i);
    return d.empty() ? cache_difference() : d;
  }
  std::string logits_difference(std::size_t step) const {
    for (std::size_t i = 0; i < golden_logits_[step].size(); ++i)
      if (logits_[step][i].bits != golden_logits_[step][i].bits)
        return fmt::format("step {}: logit {} is {}, expected {}", step, i, formats::to_float(logits_[step][i]),
                           formats::to_float(golden_logits_[step][i]));
    return {};
  }
  std::string cache_difference() {
    for (int l = 0; l < weights_->shape.num_hidden_layers; ++l)
      if (std::string d = compare_kv(*machine_, 0, l, golden_->layer(static_cast<std::size_t>(l)).cache()); !d.empty())
        return d;
    return {};
  }
  std::string account_difference() const {
    const accelerator::Expected& expected = machine_->accelerator->sequencer.expected();
    for (std::size_t c = 0; c < bus::traffic_class_count; ++c) {
      std::uint64_t bytes = 0;
      for (const auto& channel : machine_->accelerator->channels) bytes += channel->counts().request_bytes[c];
      if (bytes != expected.bytes[c])
        return fmt::format("{} bytes of class {}, expected {}", bytes, bus::name_of(static_cast<bus::TrafficClass>(c)),
                           expected.bytes[c]);
    }
    if (machine_->accelerator->pe_array.macs() != expected.macs)
      return fmt::format("{} products, expected {}", machine_->accelerator->pe_array.macs(), expected.macs);
    return {};
  }

  Scenario scenario_;
  std::shared_ptr<accelerator::GoldenModelWeights> weights_;
  std::vector<std::vector<int>> steps_;
  std::vector<std::vector<formats::Fp16>> golden_logits_, logits_;
  std::unique_ptr<accelerator::GoldenLlama> golden_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::unique_ptr<Machine> machine_;
  std::vector<sc_core::sc_time> step_ends_;
  sc_core::sc_time end_;
  std::uint64_t run_ps_ = 0;
};

bool can_strike(FaultKind kind, const Socket& s, std::size_t transaction) {
  const Request& r = s.requests[transaction];
  switch (kind) {
    case FaultKind::flipped_cell:
      return s.memory() && r.read;
    case FaultKind::wrong_length:
      return r.bytes > 1;
    case FaultKind::reordered:
      return transaction + 1 < s.requests.size();
    default:
      return true;
  }
}

/// The sockets that are to be struck.
std::vector<const Socket*> struck(const Runner& runner, const CampaignConfig& config) {
  std::vector<const Socket*> sockets;
  for (const auto& s : runner.sockets())
    if (config.sockets.empty() ||
        std::find(config.sockets.begin(), config.sockets.end(), s->name) != config.sockets.end())
      sockets.push_back(s.get());
  return sockets;
}

/// Each bit of the first transaction of each kind and length, socket by socket; or so many of these as are wanted.
std::vector<Fault> every_bit(const Runner& runner, const CampaignConfig& config) {
  std::vector<Fault> faults;
  for (const Socket* s : struck(runner, config)) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> had;
    for (std::size_t t = 0; t < s->requests.size(); ++t) {
      const Request& r = s->requests[t];
      if (!had.insert({r.kind, r.bytes}).second) continue;
      for (std::uint64_t bit = 0; bit < 8ull * r.bytes; ++bit)
        faults.push_back({FaultKind::flipped_bit, s->name, t, bit});
    }
  }
  if (faults.empty()) throw config::InputError("no transaction of the run goes over the sockets to strike");
  if (config.faults == 0 || config.faults >= faults.size()) return faults;
  // The same order as without a draw.
  formats::SplitMix64 random(config.seed);
  std::vector<Fault> drawn;
  std::uint64_t wanted = config.faults;
  for (std::size_t i = 0; i < faults.size(); ++i)
    if (random.next() % (faults.size() - i) < wanted) {
      drawn.push_back(faults[i]);
      --wanted;
    }
  return drawn;
}

/// Kinds by turns; socket, transaction and bit at random.
std::vector<Fault> draw(const Runner& runner, const CampaignConfig& config) {
  formats::SplitMix64 random(config.seed);
  const std::vector<const Socket*> sockets = struck(runner, config);
  std::vector<Fault> faults;
  while (faults.size() < config.faults) {
    const FaultKind kind = config.kinds[faults.size() % config.kinds.size()];
    std::vector<const Socket*> possible;
    for (const auto& s : sockets) {
      bool any = false;
      for (std::size_t t = 0; t < s->requests.size() && !any; ++t) any = can_strike(kind, *s, t);
      if (any) possible.push_back(s);
    }
    if (possible.empty())
      throw config::InputError(
          fmt::format("no transaction of the run can have a fault of kind {}", bus::name_of(kind)));
    const Socket& s = *possible[random.next() % possible.size()];
    std::uint64_t transaction = random.next() % s.requests.size();
    while (!can_strike(kind, s, transaction)) transaction = (transaction + 1) % s.requests.size();
    const std::uint64_t bytes = s.requests[transaction].bytes;
    std::uint64_t amount = 0;
    if (kind == FaultKind::flipped_bit || kind == FaultKind::flipped_cell) amount = random.next() % (8 * bytes);
    if (kind == FaultKind::wrong_length) amount = 1 + random.next() % (bytes - 1);
    if (kind == FaultKind::late) amount = 1000 * (1 + random.next() % 2000);  // 1 ns to 2 us
    faults.push_back({kind, s.name, transaction, amount});
  }
  return faults;
}

/// The socket of that name, which `what` names.
const Socket& found(const Runner& runner, const char* what, const std::string& name) {
  if (const Socket* s = runner.find(name)) return *s;
  std::vector<std::string> names;
  for (const auto& known : runner.sockets()) names.push_back(known->name);
  throw config::InputError(fmt::format("{} is '{}'{}", what, config::printable(name),
                                       config::nearest_hint(name, names, "socket of the machine")));
}

void check(const Runner& runner, const Fault& f) {
  const Socket* s = &found(runner, "the fault's socket", f.socket);
  if (f.transaction >= s->requests.size())
    throw config::InputError(fmt::format("the fault's transaction is {}, expected less than {}, the transactions of {}",
                                         f.transaction, s->requests.size(), f.socket));
  if (!can_strike(f.kind, *s, f.transaction))
    throw config::InputError(fmt::format("transaction {} of {} cannot have a fault of kind {}", f.transaction, f.socket,
                                         bus::name_of(f.kind)));
}

FaultOutcome outcome_of(const Fault& fault, const std::string& text, int status) {
  FaultOutcome o;
  o.fault = fault;
  if (!text.empty() && WIFEXITED(status)) {
    const Json j = Json::parse(text);
    o.seen = kSeen[j.at("seen").get<std::size_t>()];
    o.checker = j.at("checker");
    o.text = j.at("text");
    o.after_ps = j.at("after_ps");
    return o;
  }
  o.seen = WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? Seen::limit : Seen::crash;
  o.checker = name_of(o.seen);
  o.text = WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : fmt::format("exit status {}", WEXITSTATUS(status));
  return o;
}

}  // namespace

const char* name_of(Seen seen) { return kNames[static_cast<std::size_t>(seen)]; }

Campaign run_campaign(Scenario scenario, const CampaignConfig& config,
                      const std::function<void(std::uint64_t)>& progress) {
  sc_core::sc_report_handler::set_handler(on_report);
  Runner runner(std::move(scenario), config);
  runner.survey();
  for (const Fault& f : config.only) check(runner, f);
  for (const std::string& name : config.sockets) found(runner, "the socket to strike", name);
  const std::vector<Fault> faults = !config.only.empty() ? config.only
                                    : config.every_bit   ? every_bit(runner, config)
                                                         : draw(runner, config);

  Campaign campaign;
  campaign.run_ps = runner.run_ps();
  for (const auto& s : runner.sockets()) campaign.transactions[s->name] = s->requests.size();
  campaign.outcomes.resize(faults.size());
  std::deque<Running> running;
  std::size_t collected = 0;
  const auto collect = [&] {
    const std::string text = Runner::read_all(running.front().fd);
    const int status = Runner::wait_for(running.front().pid);
    running.pop_front();
    campaign.outcomes[collected] = outcome_of(faults[collected], text, status);
    ++collected;
    if (progress) progress(collected);
  };
  for (const Fault& fault : faults) {
    running.push_back(Runner::start([&](int fd) { runner.run(fd, fault); }));
    if (running.size() >= static_cast<std::size_t>(config.jobs)) collect();
  }
  while (!running.empty()) collect();
  sc_core::sc_report_handler::set_handler(nullptr);
  return campaign;
}

std::string campaign_text(const Campaign& c) {
  std::vector<std::vector<std::string>> rows = {{"fault", "injected"}};
  for (const Seen s : kSeen) rows[0].push_back(name_of(s));
  std::map<Seen, std::uint64_t> all;
  for (const FaultKind kind : bus::kFaultKinds) {
    std::map<Seen, std::uint64_t> of;
    std::uint64_t sum = 0;
    for (const FaultOutcome& o : c.outcomes)
      if (o.fault.kind == kind) {
        ++of[o.seen];
        ++all[o.seen];
        ++sum;
      }
    if (sum == 0) continue;
    rows.push_back({bus::name_of(kind), std::to_string(sum)});
    for (const Seen s : kSeen) rows.back().push_back(std::to_string(of[s]));
  }
  rows.push_back({"all", std::to_string(c.outcomes.size())});
  for (const Seen s : kSeen) rows.back().push_back(std::to_string(all[s]));
  // What never happened needs no column.
  for (std::size_t column = kSeen.size() + 2; column-- > 2;)
    if (rows.back()[column] == "0")
      for (auto& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  std::string text = "First detection of each fault\n" + table(rows);

  std::map<std::string, std::vector<std::uint64_t>> after;
  for (const FaultOutcome& o : c.outcomes)
    if (!o.checker.empty()) after[o.checker].push_back(o.after_ps);
  rows = {{"checker", "faults detected", "median latency (ns)", "maximum latency (ns)"}};
  for (auto& [checker, times] : after) {
    std::sort(times.begin(), times.end());
    rows.push_back({checker, std::to_string(times.size()),
                    fmt::format("{:.1f}", static_cast<double>(times[times.size() / 2]) * 1e-3),
                    fmt::format("{:.1f}", static_cast<double>(times.back()) * 1e-3)});
  }
  text += "\n" + table(rows);
  const std::uint64_t silent = all[Seen::outputs] + all[Seen::cache];
  const std::uint64_t masked = all[Seen::masked] + all[Seen::time_only];
  const std::uint64_t bad = all[Seen::crash] + all[Seen::not_injected];
  text += fmt::format(
      "\n{} faults: {} detected by the machine and its checkers, {} only by the comparison with the golden model, {} "
      "masked "
      "(outputs and KV cache are right)",
      c.outcomes.size(), c.outcomes.size() - silent - masked - bad, silent, masked);
  text += bad == 0 ? ".\n" : fmt::format(", {} with no outcome (crash or not injected).\n", bad);
  return text;
}

std::string campaign_json(const Campaign& c, const CampaignConfig& config) {
  Json j = {
      {"schema", 1}, {"kind", "inject"}, {"seed", config.seed}, {"faults", c.outcomes.size()}, {"run_ps", c.run_ps}};
  j["seen"] = Json::object();
  for (const Seen s : kSeen)
    j["seen"][name_of(s)] =
        std::count_if(c.outcomes.begin(), c.outcomes.end(), [&](const FaultOutcome& o) { return o.seen == s; });
  j["kinds"] = Json::object();
  for (const FaultOutcome& o : c.outcomes) {
    Json& kind = j["kinds"][bus::name_of(o.fault.kind)];
    if (kind.is_null()) kind = Json::object();
    const char* seen = name_of(o.seen);
    kind[seen] = kind.value(seen, 0) + 1;
  }
  j["transactions"] = c.transactions;
  return j.dump(2) + "\n";
}

std::string fault_lines(const Campaign& c) {
  std::string lines;
  for (const FaultOutcome& o : c.outcomes) {
    const Json j = {{"fault", bus::text_of(o.fault)},
                    {"seen", name_of(o.seen)},
                    {"checker", o.checker},
                    {"after_ps", o.after_ps},
                    {"text", o.text}};
    lines += j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return lines;
}

}  // namespace harmonia::testbench
