#pragma once

#include <string>

#include <gtest/gtest.h>

namespace luge::test {

/// What an E thrown by `body` says; a failure if nothing, or something else, is thrown.
template <class E, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return {};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace luge::test

#define EXPECT_MESSAGE(ErrorType, expected, ...) \
  EXPECT_EQ(::luge::test::message_of<::luge::ErrorType>([&] { __VA_ARGS__; }), expected)
