// Every operation of the layer graph has a generator, and every product's results have somewhere to go.
#include <stdexcept>

#include "harmonia/hw/model/layer_graph.h"
#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

TEST_CASE("Generators: all operations of the layer graph and their results are registered") {
  const ModelShape shape = Machine{}.shape;
  const LayerGraph& graph = layer_graph(shape);
  for (const auto* list : {&graph.input, &graph.layer})
    for (const LayerOperation& operation : *list) {
      INFO(operation.name);
      REQUIRE(generators().of(operation.kind) != nullptr);
      if (operation.kind != "linear") continue;
      for (const Product& product : operation.products) REQUIRE(generators().of(product, 0));
    }
}

TEST_CASE("Generators: what no file registers is refused by its name") {
  REQUIRE_THROWS_WITH(generators().of(OperationKind("convolution")), ContainsSubstring("'convolution'"));
  Product product = layer_graph(Machine{}.shape).user_of(ModelTensor::o).products.front();
  product.step = "clamp";
  REQUIRE_THROWS_AS(generators().of(product, 0), std::logic_error);
}
