// Collectives without the kernel: schedules, the order of their sums, bytes by formula, times worked by hand.
#include <cmath>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/link/network.h"
#include "tests/support/catch.h"

using namespace harmonia::link;
using harmonia::formats::to_float;
using harmonia::formats::to_fp16;

namespace {

/// 1 GB/s is 1000 ps a byte: 8 bytes of data and 2 of header a packet, latency 5 ns.
Config plain() {
  Config c;
  c.bandwidth_gb_per_s = 1;
  c.latency_ns = 5;
  c.payload_bytes = 8;
  c.header_bytes = 2;
  c.message_bytes = 1024;
  c.buffer_bytes = 1 << 20;
  return c;
}

Request request(Collective collective, Algorithm algorithm, unsigned devices, std::uint64_t elements,
                Reduction reduction = Reduction::fp16, Topology topology = Topology::switched) {
  return {collective, algorithm, topology, devices, elements, reduction};
}

const std::vector<Algorithm> all_algorithms = {Algorithm::ring, Algorithm::direct, Algorithm::direct_two_step,
                                               Algorithm::tree};

std::vector<std::vector<float>> random_values(unsigned devices, std::size_t elements, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> values(devices, std::vector<float>(elements));
  for (auto& of_device : values)
    for (float& x : of_device) x = normal(random);
  return values;
}

}  // namespace

TEST_CASE("collectives: an all-reduce leaves the same bits on every device") {
  for (const Algorithm algorithm : all_algorithms)
    for (const unsigned devices : {2u, 3u, 4u, 7u, 8u})
      for (const Reduction reduction : {Reduction::fp16, Reduction::fp32}) {
        const std::size_t elements = 37;
        const Schedule schedule = make_schedule(Collective::all_reduce, algorithm, devices, elements, 5);
        const auto values = random_values(devices, elements, devices);
        const auto results = reduce(schedule, reduction, values);
        for (unsigned r = 1; r < devices; ++r) REQUIRE(results[r] == results[0]);
        for (std::size_t i = 0; i < elements; ++i) {
          double sum = 0;
          for (const auto& own : values) sum += own[i];
          REQUIRE(std::abs(results[0][i] - sum) < (reduction == Reduction::fp16 ? 0.05 : 1e-4));
        }
      }
}

TEST_CASE("collectives: the order of the sums is the documented one") {
  // 2048 + 1 is 2048 in FP16, so that the order decides what a sum is.
  const std::vector<std::vector<float>> values = {{2048}, {1}, {1}, {-2048}};
  const auto sum = [&](Algorithm algorithm) {
    return reduce(make_schedule(Collective::all_reduce, algorithm, 4, 1, 1), Reduction::fp16, values)[0][0];
  };
  CHECK(sum(Algorithm::direct) == 0);           // ((2048 + 1) + 1) - 2048
  CHECK(sum(Algorithm::direct_two_step) == 0);  // the same
  CHECK(sum(Algorithm::ring) == 2);             // element 0 is part 0: ((1 + 1) - 2048) + 2048
  CHECK(sum(Algorithm::tree) == 2);             // device 3 is the child of 1: (2048 + (1 - 2048)) + 1
}

TEST_CASE("collectives: reduce-scatter and all-gather leave what their names say") {
  for (const Algorithm algorithm : {Algorithm::ring, Algorithm::direct})
    for (const unsigned devices : {2u, 3u, 5u}) {
      const std::size_t elements = 11;
      const auto values = random_values(devices, elements, 3);
      const auto scattered =
          reduce(make_schedule(Collective::reduce_scatter, algorithm, devices, elements, 2), Reduction::fp32, values);
      const auto gathered =
          reduce(make_schedule(Collective::all_gather, algorithm, devices, elements, 2), Reduction::fp32, values);
      for (unsigned r = 0; r < devices; ++r) {
        const Piece own = piece_of(elements, devices, r);
        for (std::uint64_t i = own.begin; i < own.begin + own.count; ++i) {
          float sum = 0;
          for (unsigned d = 0; d < devices; ++d) sum += values[d][i];
          CHECK(std::abs(scattered[r][i] - sum) < 1e-5f);
          for (unsigned d = 0; d < devices; ++d) CHECK(gathered[d][i] == values[r][i]);
        }
      }
    }
}

TEST_CASE("collectives: a ring's time is 2 (N-1) steps, each a part on the wires and a latency") {
  // 4 devices, 64 values of 2 bytes: parts of 32 bytes, 4 packets, 40 bytes on the wires, 40 ns and 5 ns of latency a step.
  const Cost cost = cost_of(plain(), request(Collective::all_reduce, Algorithm::ring, 4, 64));
  CHECK(cost.time == 6 * (40000 + 5000));
  CHECK(cost.payload_bytes == 4 * 6 * 32);
  CHECK(cost.wire_bytes == 4 * 6 * 40);
  Config slow = plain();
  slow.message_ns = 3;
  slow.collective_us = 1;
  CHECK(cost_of(slow, request(Collective::all_reduce, Algorithm::ring, 4, 64)).time == 1000000 + 6 * (48000));
  // Above the eager limit a ring agrees about buffers first; an exchange does not.
  slow.eager_bytes = 127;
  slow.rendezvous_us = 2;
  CHECK(cost_of(slow, request(Collective::all_reduce, Algorithm::ring, 4, 64)).time == 3000000 + 6 * (48000));
  slow.eager_bytes = 128;
  CHECK(cost_of(slow, request(Collective::all_reduce, Algorithm::ring, 4, 64)).time == 1000000 + 6 * (48000));
}

TEST_CASE("collectives: exchanges share a switch's port and have the links of a full topology each") {
  // 3 devices, 16 values of 2 bytes to each of two others: 40 bytes on the wires.
  const auto direct = [&](Topology t) {
    return cost_of(plain(), request(Collective::all_reduce, Algorithm::direct, 3, 16, Reduction::fp16, t)).time;
  };
  CHECK(direct(Topology::switched) == 2 * 40000 + 5000);
  CHECK(direct(Topology::full) == 80000 + 5000);  // both at once, at half the bandwidth
  CHECK(cost_of(plain(), request(Collective::send_receive, Algorithm::direct, 2, 16)).time == 40000 + 5000);
}

TEST_CASE("collectives: bytes equal the formula of the algorithm") {
  for (const Collective collective : {Collective::all_reduce, Collective::reduce_scatter, Collective::all_gather})
    for (const Algorithm algorithm : all_algorithms)
      for (const unsigned devices : {2u, 4u, 8u, 16u}) {
        if (!refusal(collective, algorithm, Topology::switched, devices).empty()) continue;
        const std::uint64_t elements = 1600;
        const Cost cost = cost_of(plain(), request(collective, algorithm, devices, elements));
        CHECK(static_cast<double>(cost.payload_bytes) ==
              Approx(2 * devices * elements_sent(collective, algorithm, devices, elements)));
      }
}

TEST_CASE("collectives: a transfer is cut into messages of the size asked for, the last one shorter and none empty") {
  using Counts = std::vector<std::uint64_t>;
  for (const auto& [elements, expected] :
       {std::pair<std::uint64_t, Counts>{8, {4, 4}}, {9, {4, 4, 1}}, {4, {4}}, {3, {3}}}) {
    CAPTURE(elements);
    const Schedule schedule = make_schedule(Collective::send_receive, Algorithm::direct, 2, elements, 4);
    for (const std::vector<Action>& device : schedule) {
      Counts counts;
      std::uint64_t at = 0;
      for (const Action& action : device) {
        REQUIRE(action.piece.begin == at);
        at += action.piece.count;
        counts.push_back(action.piece.count);
      }
      REQUIRE(counts == expected);
    }
  }
}

TEST_CASE("collectives: a sender waits for room, and smaller buffers never make it faster") {
  Config c = plain();
  c.message_bytes = 16;
  Ps before = 0;
  for (const std::uint64_t buffer : {1024u, 64u, 32u, 16u}) {
    c.buffer_bytes = buffer;
    const Ps time = cost_of(c, request(Collective::send_receive, Algorithm::direct, 2, 64)).time;
    CHECK(time >= before);
    before = time;
  }
  // One message at a time: 20 ns on the wires, 5 ns to arrive, 5 ns until the sender knows of the room.
  CHECK(before == 8 * 25000 + 7 * 5000);
}

TEST_CASE("collectives: no deadlock in 400 random machines") {
  std::mt19937_64 random(1);
  const auto draw = [&](std::uint64_t low, std::uint64_t high) { return low + random() % (high - low + 1); };
  unsigned done = 0;
  for (unsigned i = 0; i < 400; ++i) {
    Config c = plain();
    c.buffer_bytes = draw(4, 300);
    c.message_bytes = draw(4, c.buffer_bytes);
    c.latency_ns = static_cast<double>(draw(0, 50));
    const auto devices = static_cast<unsigned>(draw(2, 9));
    const auto topology = static_cast<Topology>(draw(0, 2));
    const auto reduction = static_cast<Reduction>(draw(0, 1));
    const auto elements = draw(0, 700);
    for (const Algorithm a : all_algorithms) {
      if (!refusal(Collective::all_reduce, a, topology, devices).empty()) continue;
      const Cost cost = cost_of(c, request(Collective::all_reduce, a, devices, elements, reduction, topology));
      CHECK(cost.wire_bytes >= cost.payload_bytes);
      ++done;
    }
  }
  CHECK(done > 400);
}

TEST_CASE("collectives: what there is no path or no algorithm for is refused by name") {
  const auto why = [](Collective c, Algorithm a, Topology t, unsigned n) { return refusal(c, a, t, n); };
  CHECK_THAT(why(Collective::all_reduce, Algorithm::direct, Topology::ring, 4), ContainsSubstring("no neighbours"));
  CHECK_THAT(why(Collective::all_gather, Algorithm::tree, Topology::full, 4), ContainsSubstring("not modelled"));
  CHECK_THAT(why(Collective::all_reduce, Algorithm::ring, Topology::ring, 1), ContainsSubstring("at least 2"));
  CHECK_THROWS_AS(
      cost_of(plain(), request(Collective::all_reduce, Algorithm::tree, 4, 8, Reduction::fp16, Topology::ring)),
      std::invalid_argument);
  CHECK(why(Collective::all_reduce, Algorithm::direct, Topology::ring, 2).empty());
}
