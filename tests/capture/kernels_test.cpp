// LUGE_KERNELS keeps generated kernels as text, and docs/fusion.md prints those of the demo.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

#include "devices.h"

namespace luge::test {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A folder of its own, named by LUGE_KERNELS.
class KernelsTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    std::string name = (fs::temp_directory_path() / "luge_kernels_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setenv("LUGE_KERNELS", (name + "/new").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("LUGE_KERNELS");
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    if (!fs::exists(folder_ / "new")) return all;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "new")) {
      EXPECT_EQ(entry.path().extension(), device().is_cpu() ? ".txt" : ".cu");
      all.push_back(read(entry.path()));
    }
    return all;
  }

 private:
  fs::path folder_;
};
LUGE_ON_EVERY_DEVICE(KernelsTest);

TEST_P(KernelsTest, OfTheDemoAreInTheDocumentation) {
  Parameters params({.sets = 1000, .device = device()});
  const Tensor x = params.add("x", {}, init::constant(-1));
  Sgd optimizer(params, {.lr = 0.01});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor square = 3 * x * x;  // before 2 * x: the order within an expression is the compiler's
    const Tensor loss = (square - 2 * x + 3).sum();
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (int i = 0; i < 2; ++i) step();
  const std::vector<std::string> kept = texts();
  if (kept.empty()) GTEST_SKIP() << "nothing is generated on this machine";
  const char* const source = std::getenv("LUGE_SOURCE");  // ctest says it; by hand the tests run from there
  const std::string document = read(fs::path(source ? source : ".") / "docs/fusion.md");
  for (const std::string& text : kept)
    EXPECT_NE(document.find("```" + std::string(device().is_cpu() ? "text" : "cuda") + "\n" + text + "```\n"),
              std::string::npos)
        << "docs/fusion.md does not print this kernel:\n"
        << text;
}

TEST_P(KernelsTest, AreNotKeptWithoutAFolder) {
  unsetenv("LUGE_KERNELS");
  Tensor x = ones({100}, on());
  auto step = capture([&] { x.mul_(0.5).add_(3.25); });
  for (int i = 0; i < 2; ++i) step();
  EXPECT_TRUE(texts().empty());
}

}  // namespace
}  // namespace luge::test
