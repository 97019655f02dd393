// Chains as kernels that are generated and compiled at run time: what is compiled, what is found again, what
// happens when it fails. That they compute the right bits is tested in tests/capture.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/luge.h>

#include "kernels/cuda/fused/cache.h"
#include "kernels/cuda/fused/load.h"
#include "simt/executor/executor.h"

namespace luge::test {
namespace {

namespace fs = std::filesystem;

/// A folder of its own, named by LUGE_CACHE.
class FusedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const before = std::getenv("LUGE_CACHE");
    before_ = before ? before : "";
    std::string name = (fs::temp_directory_path() / "luge_fused_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    setenv("LUGE_CACHE", name.c_str(), 1);
  }
  void TearDown() override {
    before_.empty() ? unsetenv("LUGE_CACHE") : setenv("LUGE_CACHE", before_.c_str(), 1);
    fs::remove_all(folder_);
  }
  fs::path folder_;

 private:
  std::string before_;
};

/// The demo: x after some steps; `slope` makes the program another one.
std::vector<float> demo(std::int64_t sets, double slope, int steps) {
  Parameters params({.sets = sets, .device = Device::cuda(), .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.01});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = (3 * x * x - slope * x + 3).sum();
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (int i = 0; i < steps; ++i) step();
  return x.to_vector<float>();
}

TEST_F(FusedTest, OneKernelServesEverySize) {
  const int before = cuda::compiled_sources();
  const std::vector<float> small = demo(1000, 2.5, 3);
  const int first = cuda::compiled_sources();
  EXPECT_EQ(first, before + 1);
  const std::vector<float> large = demo(5003, 2.5, 3);
  EXPECT_EQ(cuda::compiled_sources(), first);
  EXPECT_EQ(std::vector<float>(large.begin(), large.begin() + 3), std::vector<float>(small.begin(), small.begin() + 3));
  demo(1000, 2.25, 2);
  EXPECT_EQ(cuda::compiled_sources(), first + 1);
}

TEST_F(FusedTest, AStepOfTheDemoIsOneLaunch) {
  Parameters params({.sets = 3000, .device = Device::cuda(), .seed = 3});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  Sgd optimizer(params, {.lr = 0.01});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = (3 * x * x - 2 * x + 3).sum();
    loss.backward();
    optimizer.step();
    return loss;
  });
  step();
  backend(Device::cuda()).synchronize();
  const auto launches = [&](int times, std::int64_t steps) {
    const std::uint64_t before = simt::counts().launches;
    for (int i = 0; i < times; ++i) step.run(steps);
    backend(Device::cuda()).synchronize();
    return simt::counts().launches - before;
  };
  EXPECT_EQ(launches(3, 1), 3u);
  EXPECT_EQ(launches(1, 3), 1u) << "the parameters stay in registers";
  EXPECT_EQ(launches(1, 80), 3u) << "of at most 32 steps";
}

/// Captured, which must fuse something, and run once more; or run twice.
std::vector<double> twice(bool captured, const std::function<Tensor()>& body) {
  auto step = capture(body);
  for (int i = 0; i < 2; ++i) {
    const Tensor result = captured ? step() : body();
    if (i == 0) continue;
    if (captured) {
      EXPECT_LT(step.figures().launches, step.figures().recorded_calls);
    }
    return result.to_vector<double>();
  }
  return {};
}

TEST_F(FusedTest, RowsOfManyLengths) {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t length : {1, 3, 4, 25, 129, 1024, 1025, 3000}) {
      const TensorOptions options{.dtype = dtype, .device = Device::cuda()};
      const Tensor x = rand({7, length}, options), scale = rand({7, 1}, options), shift = rand({length}, options);
      for (const bool mean : {false, true}) {
        const auto body = [&] {
          const Tensor product = x * scale + shift;
          return mean ? product.mean(1) : product.sum(1);
        };
        EXPECT_EQ(twice(true, body), twice(false, body)) << name(dtype) << ", rows of " << length;
      }
    }
}

/// One chain, run 45 times at once, is 45 steps.
TEST_F(FusedTest, ManyStepsInOneKernel) {
  struct Program {
    const char* name;
    std::function<Tensor(const Tensor&)> loss;  ///< of (sets, 6) parameters
  };
  const TensorOptions on{.dtype = float64, .device = Device::cuda()};
  manual_seed(11);
  const Tensor goal = rand({6}, on), wide = rand({300, 10}, on), slope = rand({}, on);
  const Program programs[] = {
      {"broadcast", [&](const Tensor& w) { return (w - goal).square(); }},
      {"columns", [&](const Tensor& w) { return (w * wide.slice(1, 3, 9) - slope).square(); }},
      {"sums of rows", [&](const Tensor& w) { return (w * 2 - 1).square().sum(1); }},
  };
  for (const Program& program : programs)
    for (const bool adam : {false, true}) {
      const auto trained = [&](bool captured) {
        Parameters params({.sets = 300, .device = Device::cuda(), .dtype = float64, .seed = 4});
        const Tensor w = params.add("w", {6}, init::uniform(-1, 1));
        const PerSet lr = linspace(0.001, 0.1, 300).to(float64).to(Device::cuda());
        std::unique_ptr<Optimizer> optimizer;
        if (adam)
          optimizer = std::make_unique<Adam>(params, AdamOptions{.lr = lr});
        else
          optimizer = std::make_unique<Sgd>(params, SgdOptions{.lr = lr, .momentum = 0.5});
        const auto body = [&] {
          optimizer->zero_grad();
          const Tensor loss = program.loss(w);
          loss.sum().backward();
          optimizer->step();
          return loss;
        };
        auto step = capture(body);
        Tensor loss;
        if (captured) {
          step();
          EXPECT_EQ(step.figures().launches, 1) << program.name << ": meant to be one chain\n" << step.plan();
          backend(Device::cuda()).synchronize();
          const std::uint64_t before = simt::counts().launches;
          loss = step.run(45);
          backend(Device::cuda()).synchronize();
          EXPECT_EQ(simt::counts().launches - before, 2u) << program.name;
        } else {
          for (int i = 0; i < 46; ++i) loss = body();
        }
        std::vector<double> all = w.flatten().to_vector<double>();
        for (const Tensor& part : {w.grad(), loss}) {
          const std::vector<double> values = part.flatten().to_vector<double>();
          all.insert(all.end(), values.begin(), values.end());
        }
        return all;
      };
      EXPECT_EQ(trained(true), trained(false)) << program.name << (adam ? ", Adam" : ", SGD");
    }
}

/// A curve fit of several chains and calls: each set takes its steps on its own, in one kernel.
TEST_F(FusedTest, ManyStepsOfEachSetInOneKernel) {
  struct Program {
    const char* name;
    std::int64_t launches;  ///< of 45 steps: two of the kernel, and what is done once; 0: of each item at each step
    std::function<Tensor(Tensor a, Tensor b)> loss;  ///< of (sets, 1) parameters
  };
  constexpr std::int64_t kSets = 19, kPoints = 25;
  const TensorOptions on{.device = Device::cuda()};
  manual_seed(11);
  const Tensor t = linspace(0, 3, kPoints, on), y = rand({kSets, kPoints}, on), wide = rand({kSets, kPoints + 3}, on),
               many = linspace(0, 3, 1024, on), more = linspace(0, 3, 1025, on);
  const Program programs[] = {
      {"points for all", 2, [&](Tensor a, Tensor b) { return (a * exp(-b * t) - t).square().mean(1); }},
      {"points for each", 2, [&](Tensor a, Tensor b) { return (a * tanh(b * t) - y).square().sum(1); }},
      {"columns", 2, [&](Tensor a, Tensor b) { return abs(a * t + b - wide.slice(1, 2, 2 + kPoints)).sum(1); }},
      {"known points", 4, [&](Tensor a, Tensor b) { return (a * t + b - exp(t * -0.7)).square().mean(1); }},
      {"a chunk", 3, [&](Tensor a, Tensor b) { return (a * many - b).square().mean(1); }},
      {"too long for a warp", 0, [&](Tensor a, Tensor b) { return (a * more - b).square().mean(1); }},
      {"sets that meet", 0, [&](Tensor a, Tensor b) { return (a * t - b.mean()).square().mean(1); }},
  };
  for (const Program& program : programs)
    for (const bool recorded : {false, true}) {
      const bool by_sets = program.launches > 0;
      const int steps = by_sets ? 45 : 3;
      const auto trained = [&](bool captured) {
        Parameters params({.sets = kSets, .device = Device::cuda(), .seed = 4});
        const Tensor a = params.add("a", {1}, init::uniform(0.5, 2)), b = params.add("b", {1}, init::uniform(0.1, 1));
        Adam optimizer(params, {.lr = 0.02});
        Monitor monitor({.keep_sets = 2, .capacity = 64, .progress = false});
        const auto body = [&] {
          optimizer.zero_grad();
          const Tensor loss = program.loss(a, b);
          loss.sum().backward();
          optimizer.step();
          if (recorded) monitor.record(loss);
          return loss;
        };
        auto step = capture(body);
        Tensor loss;
        if (captured) {
          step();
          EXPECT_GT(step.figures().launches, 1) << program.name;
          backend(Device::cuda()).synchronize();
          const std::uint64_t before = simt::counts().launches;
          loss = step.run(steps);
          backend(Device::cuda()).synchronize();
          const auto launches = static_cast<std::int64_t>(simt::counts().launches - before);
          if (by_sets)
            EXPECT_EQ(launches, program.launches + (recorded ? 4 : 0)) << program.name << '\n' << step.plan();
          else
            EXPECT_GE(launches, steps * step.figures().launches) << program.name;
        } else {
          for (int i = 0; i < steps + 1; ++i) loss = body();
        }
        std::vector<double> all = loss.to_vector<double>();
        for (const HistoryRow& row : monitor.history()) {
          for (const double value : {row.mean, row.min, row.max}) all.push_back(value);
          all.insert(all.end(), row.sets.begin(), row.sets.end());
        }
        for (const Tensor& part : {a, a.grad(), b, b.grad()}) {
          const std::vector<double> values = part.flatten().to_vector<double>();
          all.insert(all.end(), values.begin(), values.end());
        }
        return all;
      };
      EXPECT_EQ(trained(true), trained(false)) << program.name;
    }
}

/// The chunks' sums make more than one chunk themselves.
TEST_F(FusedTest, ATotalOfThreeLevels) {
  const Tensor x = rand({1024 * 1024 + 5}, {.device = Device::cuda()});
  const auto body = [&] { return (x * 3 - 1).sum(); };
  EXPECT_EQ(twice(true, body), twice(false, body));
}

TEST_F(FusedTest, EveryDType) {
  for (const DType dtype : {int32, int64, float32, float64}) {
    const Tensor x = arange(-40, 61).to(dtype).to(Device::cuda()), y = (x * x - 5).clone();
    const auto body = [&] {
      const Tensor mixed = where(x.lt(y).logical_and(y.ne(0)), maximum(x, y) * 3, clamp(y, -7, 900));
      return (mixed + sign(x)).to(float64);
    };
    EXPECT_EQ(twice(true, body), twice(false, body)) << name(dtype);
  }
}

TEST_F(FusedTest, CodeIsKeptAndCheckedWhenItIsFound) {
  const std::string key = "a key\nof two lines", code(5000, 'c');
  EXPECT_FALSE(cuda::find_cached(folder_, key));
  ASSERT_TRUE(cuda::keep_cached(folder_, key, code));
  EXPECT_EQ(cuda::find_cached(folder_, key), code);
  EXPECT_FALSE(cuda::find_cached(folder_, key + "!"));
  const fs::path file = cuda::cache_file(folder_, key);
  fs::rename(file, cuda::cache_file(folder_, "another key"));
  EXPECT_FALSE(cuda::find_cached(folder_, "another key")) << "the key is compared, not its hash alone";
  ASSERT_TRUE(cuda::keep_cached(folder_, key, code));
  const auto size = fs::file_size(file);
  for (const auto damaged : {size - 1, size / 2, std::uintmax_t{20}, std::uintmax_t{0}}) {
    fs::resize_file(file, damaged);
    EXPECT_FALSE(cuda::find_cached(folder_, key)) << damaged << " of " << size << " bytes";
  }
  ASSERT_TRUE(cuda::keep_cached(folder_, key, code));
  {
    std::fstream change(file, std::ios::in | std::ios::out | std::ios::binary);
    change.seekp(-100, std::ios::end);
    change.put('x');
  }
  EXPECT_FALSE(cuda::find_cached(folder_, key)) << "one byte differs";
}

TEST_F(FusedTest, WritersDoNotDisturbEachOther) {
  const std::string key = "key", code(100000, 'c');
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(cuda::keep_cached(folder_, key, code));
        EXPECT_EQ(cuda::find_cached(folder_, key), code);
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1) << "nothing is left behind";
}

TEST_F(FusedTest, AFolderThatCannotBeWrittenIsNoError) {
  setenv("LUGE_CACHE", "/proc/luge", 1);
  EXPECT_FALSE(cuda::keep_cached(cuda::cache_folder(), "key", "code"));
  EXPECT_EQ(demo(10, 1.75, 2).size(), 10u);
}

/// The warning comes once per process, so the only test that makes compilations fail.
TEST_F(FusedTest, AFailedCompilationFallsBackAndNamesItsSource) {
  setenv("SIMT_NVRTC", "broken", 1);
  ::testing::internal::CaptureStderr();
  const std::vector<float> unfused = demo(100, 1.5, 3);
  demo(100, 1.25, 2);
  const std::string warning = ::testing::internal::GetCapturedStderr();
  unsetenv("SIMT_NVRTC");
  const std::string place = "its source is ";
  const std::size_t at = warning.find(place);
  ASSERT_NE(at, std::string::npos) << warning;
  EXPECT_EQ(warning.find(place, at + 1), std::string::npos) << "said once";
  EXPECT_NE(warning.find("luge_chain.cu(1): error: the stand-in was told to fail"), std::string::npos) << warning;
  const fs::path file = warning.substr(at + place.size(), warning.find('\n', at) - at - place.size());
  EXPECT_TRUE(fs::exists(file)) << file;
  EXPECT_EQ(file.parent_path(), folder_);
  setenv("LUGE_NVRTC", "0", 1);
  EXPECT_EQ(demo(100, 1.5, 3), unfused);
  unsetenv("LUGE_NVRTC");
}

}  // namespace
}  // namespace luge::test
