#pragma once
// Internal: how the library words and raises its errors. Never included by a public header.

#include <fmt/format.h>

#include <luge/error.h>

namespace luge {

template <class E, class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::vformat(format, fmt::make_format_args(args...)));
}

}  // namespace luge

/// LUGE_CHECK(ShapeError, a == b, "op: sizes differ: a is {}, b is {}", a, b)
#define LUGE_CHECK(ErrorType, condition, ...)                            \
  do {                                                                   \
    if (!(condition)) [[unlikely]] ::luge::raise<::luge::ErrorType>(__VA_ARGS__); \
  } while (false)
