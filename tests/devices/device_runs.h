// Short runs of the program over several devices with a model and a link of the test's own.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {

struct DeviceRuns {
  Scratch folder;
  DeviceRuns(const char* model, const char* link) {
    folder.write("model.yaml", model);
    folder.write("link.yaml", link);
  }
  std::string command(const std::string& settings) const {
    return "run default --set model=model.yaml --set workload.context=64 --set workload.tokens=2 --set "
           "output.timeline=false " +
           settings;
  }
  nlohmann::json result(const std::string& settings) const {
    const Outcome o = run_harmonia(folder, command(settings + " -o out"));
    INFO(o.err);
    REQUIRE(o.status == 0);
    return nlohmann::json::parse(Scratch::read(folder / "out/result.json"));
  }
  std::string refusal(const std::string& settings) const {
    const Outcome o = run_harmonia(folder, command(settings));
    CHECK(o.status == 2);
    return o.err;
  }
};

}  // namespace harmonia::test
