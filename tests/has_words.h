#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace luge::test {

/// Whether a message contains all of the words; names the one that is missing.
inline ::testing::AssertionResult has_words(const std::string& text, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (text.find(word) == std::string::npos)
      return ::testing::AssertionFailure() << "no '" << word << "' in: " << (text.empty() ? "(nothing)" : text);
  return ::testing::AssertionSuccess();
}

}  // namespace luge::test
