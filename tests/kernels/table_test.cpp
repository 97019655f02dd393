// Both backends have every entry point of the seam, and nothing besides: declared alike, and defined in
// files of the same names.

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace luge::test {
namespace {

const std::filesystem::path kSource = LUGE_SOURCE_DIR;
using Names = std::set<std::string>;

/// Every name in a file that stands between `before` and `after`.
Names find(const std::filesystem::path& path, const std::string& before, const std::string& after) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  Names result;
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
    const std::size_t begin = at + before.size();
    std::size_t end = begin;
    while (std::isalnum(static_cast<unsigned char>(text[end])) != 0) ++end;
    if (text.compare(end, after.size(), after) == 0) result.insert(text.substr(begin, end - begin));
  }
  return result;
}

struct Folder {
  const char* name;
  const char* entry;  ///< how an entry point begins
};
constexpr Folder kFolders[] = {{"cpu", "void run(const "}, {"cuda", "void run(const Context& context, const "}};

/// "softmax" -> the calls that softmax.cpp or softmax.cu defines an entry point for.
std::set<std::pair<std::string, std::string>> definitions(const Folder& folder) {
  std::set<std::pair<std::string, std::string>> result;
  for (const auto& file : std::filesystem::directory_iterator(kSource / "kernels" / folder.name)) {
    if (!file.is_regular_file()) continue;
    for (const std::string& call : find(file.path(), std::string("\n") + folder.entry, "& call) {"))
      result.emplace(call, file.path().stem());
  }
  return result;
}

TEST(TableTest, BackendsHaveTheSameEntryPoints) {
  const Names seam = find(kSource / "core/backend.h", "virtual void execute(const ", "& call)");
  EXPECT_GE(seam.size(), 12u);
  for (const Folder& folder : kFolders) {
    const auto kernels = kSource / "kernels" / folder.name;
    EXPECT_EQ(find(kernels / "kernels.h", folder.entry, "& call);"), seam);
    EXPECT_EQ(find(kernels / "backend.h", "void execute(const ", "& call) override"), seam);
  }
}

TEST(TableTest, FilesHaveTheSameNames) {
  EXPECT_GE(definitions(kFolders[0]).size(), 12u);
  EXPECT_EQ(definitions(kFolders[0]), definitions(kFolders[1]));
}

}  // namespace
}  // namespace luge::test
