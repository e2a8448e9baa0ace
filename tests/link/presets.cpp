// The built-in links, and what `harmonia link` refuses.
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/hw/link/network.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"

using namespace harmonia;
namespace tb = harmonia::testbench;

namespace {

std::string refused(const std::vector<std::string>& arguments) {
  try {
    tb::kLinkCommand.run(arguments);
  } catch (const config::InputError& e) {
    return e.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("links: every preset reads, and an all-reduce takes longer over fewer bytes a second") {
  const tb::Library library;
  const std::vector<std::string> names = library.names(tb::BuiltIn::kLink);
  CHECK(names.size() >= 7);
  for (const std::string& name : names) {
    const link::Config config = tb::load_link(name, {}, library);
    CHECK(config.name == name);
    CHECK_FALSE(config.description.empty());
  }
  const link::Request request{link::Collective::all_reduce, link::Algorithm::ring, link::Topology::switched, 4, 1 << 24,
                              link::Reduction::fp16};
  link::Ps before = 0;
  for (const char* name : {"nvlink5", "nvlink4", "nvlink3", "pcie5", "pcie4"}) {
    const link::Ps time = link::cost_of(tb::load_link(name, {}, library), request).time;
    CHECK(time > before);
    before = time;
  }
}

TEST_CASE("links: the time of one all-reduce of eight H100 lies within a fifth of the measured one") {
  const link::Config nvlink4 = tb::load_link("nvlink4", {}, tb::Library());
  const link::Request request{link::Collective::all_reduce, link::Algorithm::ring, link::Topology::switched, 8, 1 << 21,
                              link::Reduction::fp16};
  CHECK(1e-6 * static_cast<double>(link::cost_of(nvlink4, request).time) == Approx(50.32).epsilon(0.2));
}

TEST_CASE("links: bad input is refused by name") {
  CHECK_THAT(refused({"nvlnk4", "--bytes", "4"}), ContainsSubstring("nearest known link is 'nvlink4'"));
  CHECK_THAT(refused({"nvlink4"}), ContainsSubstring("--bytes is missing"));
  CHECK_THAT(refused({"nvlink4", "--bytes", "3"}), ContainsSubstring("expected a multiple of 2"));
  CHECK_THAT(refused({"nvlink4", "--bytes", "4", "--topology", "star"}), ContainsSubstring("--topology is 'star'"));
  CHECK_THAT(refused({"nvlink4", "--bytes", "4", "--devices", "4", "--topology", "ring", "--algorithm", "direct"}),
             ContainsSubstring("a ring of 4 has none"));
  CHECK_THAT(refused({"nvlink4", "--bytes", "4", "--set", "message_bytes=8 MiB"}),
             ContainsSubstring("expected at most buffer_bytes"));
  CHECK_THAT(refused({"nvlink4", "--bytes", "4", "--set", "bandwith_gb_per_s=8"}),
             ContainsSubstring("bandwidth_gb_per_s"));
}
