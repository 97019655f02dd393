#pragma once
// What every page of a report has to be.

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace luge::test {

/// Without it reports have no pictures.
inline bool gnuplot_is_there() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

/// Every address in the page is a name space, a file beside it or a place in it.
inline void expect_self_contained(const std::string& html) {
  for (const char* tag : {"<script", "<link", "<img", "<iframe", "@import", "<?xml"})
    EXPECT_EQ(html.find(tag), std::string::npos) << tag;
  for (std::size_t at = html.find("http"); at != std::string::npos; at = html.find("http", at + 1)) {
    const std::string address = html.substr(at, html.find('"', at) - at);
    EXPECT_TRUE(address == "http://www.w3.org/2000/svg" || address == "http://www.w3.org/1999/xlink") << address;
  }
}

/// Pictures inside one page keep their names apart.
inline void expect_no_repeated_ids(const std::string& html) {
  std::vector<std::string> ids;
  for (std::size_t at = html.find(" id="); at != std::string::npos; at = html.find(" id=", at + 1))
    ids.push_back(html.substr(at + 5, html.find(html[at + 4], at + 5) - at - 5));
  std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  EXPECT_TRUE(twice == ids.end()) << *twice;
}

}  // namespace luge::test
