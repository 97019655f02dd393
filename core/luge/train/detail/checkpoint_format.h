#pragma once
// Internal: the texts of a checkpoint's metadata.

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace luge::checkpoint {

inline constexpr const char* kFormat = "luge.checkpoint";
inline constexpr const char* kVersion = "1";
/// What the metadata's names of notes and of JSON values begin with.
inline constexpr std::string_view kNote = "note:", kJson = "json:";

/// The whole text as a number; absent: it is none.
template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace luge::checkpoint
