// Both backends have every entry point of the seam, and nothing besides: declared alike, and defined in
// files of the same names.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace luge::test {
namespace {

const std::filesystem::path kSource = LUGE_SOURCE_DIR;
using Names = std::set<std::string>;

/// The first group of every match in a file.
Names find(const std::filesystem::path& path, const char* pattern) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::regex regex(pattern);
  Names result;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) result.insert((*at)[1]);
  return result;
}

/// "softmax" -> the calls that softmax.cpp or softmax.cu defines an entry point for.
std::set<std::pair<std::string, std::string>> definitions(const char* folder, const char* pattern) {
  std::set<std::pair<std::string, std::string>> result;
  for (const auto& file : std::filesystem::directory_iterator(kSource / "kernels" / folder))
    for (const std::string& call : find(file.path(), pattern)) result.emplace(call, file.path().stem());
  return result;
}

TEST(TableTest, BackendsHaveTheSameEntryPoints) {
  const Names seam = find(kSource / "core/backend.h", "virtual void run\\(const (\\w+)& call\\)");
  EXPECT_GE(seam.size(), 12u);
  for (const char* const folder : {"cpu", "cuda"}) {
    const auto kernels = kSource / "kernels" / folder;
    EXPECT_EQ(find(kernels / "kernels.h", "void run\\((?:const Context& context, )?const (\\w+)& call\\);"), seam);
    EXPECT_EQ(find(kernels / "backend.h", "void run\\(const (\\w+)& call\\) override"), seam);
  }
}

TEST(TableTest, FilesHaveTheSameNames) {
  EXPECT_EQ(definitions("cpu", "\nvoid run\\(const (\\w+)& call\\) \\{"),
            definitions("cuda", "\nvoid run\\(const Context& context, const (\\w+)& call\\) \\{"));
}

}  // namespace
}  // namespace luge::test
