// No memory, at every point of a training step: a typed error, nothing lost, nothing half done.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

/// A limit for the CPU's allocator that goes away with its scope.
class Limit {
 public:
  explicit Limit(std::size_t bytes) { set_memory_limit(bytes); }
  ~Limit() { set_memory_limit(0); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
};

/// Blocks of this size are mapped one by one, so a limit decides on each of them.
constexpr std::int64_t kRows = 64, kColumns = 512;

struct Model {
  Tensor data, labels, w, b;

  Model() {
    manual_seed(9);
    data = randn({kRows, kColumns});
    labels = randint(0, kColumns, {kRows});
    w = (randn({kColumns, kColumns}) * 0.05).detach().requires_grad_();
    b = zeros({kColumns}, {.requires_grad = true});
  }
  Tensor loss() const {
    const Tensor hidden = linear(data, w, b).tanh();
    return cross_entropy(hidden * hidden.sigmoid() + hidden, labels) + (w * w).mean() + maximum(w, b).mean();
  }
  void zero_grad() {
    w.zero_grad();
    b.zero_grad();
  }
};

TEST(Failures, EveryAllocationOfAStepMayFail) {
  Model model;
  model.loss().backward();
  const Tensor w = model.w.detach().clone(), gradient = model.w.grad().clone(), bias_gradient = model.b.grad().clone();
  model.zero_grad();
  release_cache();
  const MemoryStats start = memory_stats();
  int failures = 0;
  bool succeeded = false;
  for (std::size_t room = 0; !succeeded; room += std::size_t{64} << 10) {
    ASSERT_LT(room, std::size_t{64} << 20);
    release_cache();
    const Limit limit(memory_stats().reserved + room + 1);
    try {
      model.loss().backward();
      succeeded = true;
    } catch (const OutOfMemoryError& error) {
      ++failures;
      EXPECT_NE(std::string(error.what()).find("allocate: "), std::string::npos);
      EXPECT_FALSE(model.w.grad().defined()) << "a gradient of a failed pass, at " << room;
      EXPECT_FALSE(model.b.grad().defined()) << "a gradient of a failed pass, at " << room;
      ASSERT_EQ(memory_stats().allocated, start.allocated) << "leaked at " << room;
    }
    EXPECT_EQ(model.w.version(), 0u);
  }
  EXPECT_GT(failures, 10);
  EXPECT_TRUE(same(model.w, w));
  EXPECT_TRUE(same(model.w.grad(), gradient));
  EXPECT_TRUE(same(model.b.grad(), bias_gradient));
}

TEST(Failures, AFailedSweepCanBeRepeated) {
  // With the graph retained, what failed is run again with more memory and gives the exact gradients.
  Model model;
  const Tensor hidden = (model.w * 2) * model.w.exp(), loss = (hidden * hidden.sin() * (hidden + model.w)).sum();
  loss.backward({}, true);
  const Tensor gradient = model.w.grad().clone();
  model.zero_grad();
  int failures = 0;
  bool succeeded = false;
  for (std::size_t room = 0; !succeeded; room += std::size_t{512} << 10) {
    ASSERT_LT(room, std::size_t{64} << 20);
    release_cache();
    const std::size_t before = memory_stats().allocated;
    const Limit limit(memory_stats().reserved + room + 1);
    try {
      loss.backward({}, true);
      succeeded = true;
    } catch (const OutOfMemoryError&) {
      ++failures;
      EXPECT_FALSE(model.w.grad().defined());
      EXPECT_EQ(memory_stats().allocated, before) << "leaked at " << room;
    }
  }
  EXPECT_GT(failures, 2);
  EXPECT_TRUE(same(model.w.grad(), gradient));
}

TEST(Failures, AnErrorInTheMiddleOfASweepLeavesNoGradients) {
  Tensor x = tensor({1, 2}, {.requires_grad = true}), y = tensor({3, 4}, {.requires_grad = true}), p = tensor({5, 6});
  const Tensor early = x * p, loss = (early + y * 2).sum() + (y * y).sum();
  p.add_(1);
  EXPECT_THROW(loss.backward({}, true), AutogradError);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(y.grad().defined());
  EXPECT_THROW(loss.backward({}, true), AutogradError);
  EXPECT_FALSE(y.grad().defined());
}

TEST(Failures, InPlaceOperationsThatCannotRunChangeNothing) {
  Tensor x = ones({1 << 20});
  release_cache();
  {
    const Limit limit(memory_stats().reserved + 1);
    EXPECT_THROW(x.slice(0, 1).add_(x.slice(0, 0, (1 << 20) - 1)), OutOfMemoryError);
    EXPECT_THROW(x.copy_(x.view({1024, 1024}).t().reshape({1 << 20})), OutOfMemoryError);
    EXPECT_NO_THROW(x.add_(1));
  }
  EXPECT_EQ(x.version(), 1u);
  EXPECT_EQ(x.sum().item(), 2 << 20);
}

}  // namespace
}  // namespace luge::test
