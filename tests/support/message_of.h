// What a refusal says.
#pragma once

#include <exception>
#include <string>

#include "tests/support/catch.h"

namespace harmonia::test {

/// What an error says; fails the test when there is none.
template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const std::exception& e) {
    return e.what();
  }
  FAIL("expected an error");
  return {};
}

}  // namespace harmonia::test
