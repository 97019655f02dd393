#include <luge/base/detail/check.h>

#include <algorithm>
#include <cctype>

namespace luge {

namespace {

/// "max", "Parameters.add", "Monitor::record"; not "cuda" or "cuda:1", which are devices.
bool is_name(std::string_view text) {
  if (const std::size_t pair = text.find("::"); pair != std::string_view::npos)
    return is_name(text.substr(0, pair)) && is_name(text.substr(pair + 2));
  return !text.empty() && text != "cuda" &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.'; });
}

}  // namespace

std::string renamed(std::string_view name, std::string_view message) {
  const std::size_t end = message.find(": ");
  if (message.substr(0, end) == name) return std::string(message);
  if (end != std::string_view::npos && is_name(message.substr(0, end))) message.remove_prefix(end + 2);
  return fmt::format("{}: {}", name, message);
}

}  // namespace luge
