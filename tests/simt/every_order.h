#pragma once
// Tests that run under each schedule of the executor.

#include <gtest/gtest.h>

#include <string>

#include "simt/simt.h"

namespace simt::test {

inline constexpr const char* kOrders[] = {"ascending", "descending", "random:1",   "random:2",  "random:3",
                                          "priority:1", "priority:2", "priority:3", "priority:4"};

class EveryOrder : public ::testing::TestWithParam<const char*> {
 protected:
  EveryOrder() : before_(order()) { set_order(parse_order(GetParam())); }
  ~EveryOrder() override { set_order(before_); }

 private:
  Order before_;
};

#define SIMT_IN_EVERY_ORDER(Suite)                                                                                 \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(::simt::test::kOrders), [](const auto& suite_info) {       \
    std::string name = suite_info.param;                                                                           \
    std::erase(name, ':');                                                                                         \
    return name;                                                                                                   \
  })

/// What an execution is stopped for; empty if it is not.
template <class Thread>
std::string mistake(dim3 grid, dim3 block, const Thread& thread, std::size_t shared = 0) {
  try {
    execute({grid, block, shared, thread});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// "file.cpp:12", to look for in an error.
inline std::string at_line(const char* file, int line) { return std::string(file) + ":" + std::to_string(line); }

}  // namespace simt::test
