#pragma once
// Internal: how the library words and raises its errors. Never included by a public header.
//
// A message begins with the operation that the user called and a colon: "narrow: dim 3 is out of range". A check says
// the name of the function it stands in. A function that works by means of others, whose checks would say their own
// names, holds an Operation meanwhile: the outermost one's name takes their place. What a binding calls by another
// name, it renames in the same way (bindings/python/calls.cpp).

#include <string>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include <luge/base/error.h>

namespace luge {

/// The operation that the user called, on this thread, while one works by means of others.
inline constinit thread_local const char* operation = nullptr;

/// Names the operation for the errors of what it calls while it lives, unless an outer one does.
class Operation {
 public:
  explicit Operation(const char* name) : outer_(operation) {
    if (!outer_) operation = name;
  }
  ~Operation() { operation = outer_; }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

 private:
  const char* outer_;
};

/// `message` with `name` in place of the operation that it begins with; before it, if it begins otherwise.
std::string renamed(std::string_view name, std::string_view message);

/// Whether errors of this type are about the operation that the user called. The others name a line of the program, a
/// file, a size, or work that was queued earlier.
template <class E>
inline constexpr bool kNamesOperation = !std::is_same_v<E, CaptureError> && !std::is_same_v<E, IoError> &&
                                        !std::is_same_v<E, OutOfMemoryError> && !std::is_same_v<E, CudaError>;

template <class E, class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  std::string message = fmt::vformat(format, fmt::make_format_args(args...));
  if (kNamesOperation<E> && operation) throw E(renamed(operation, message));
  throw E(message);
}

}  // namespace luge

/// LUGE_CHECK(ShapeError, a == b, "op: sizes differ: a is {}, b is {}", a, b)
#define LUGE_CHECK(ErrorType, condition, ...)        \
  do {                                               \
    if (!(condition)) [[unlikely]]                   \
      ::luge::raise<::luge::ErrorType>(__VA_ARGS__); \
  } while (false)
