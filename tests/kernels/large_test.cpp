// Calls on more memory than the caches hold take other ways through it (tiles, non-temporal stores). The
// bits must be those of the same work in small pieces.

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/loss.h>
#include <luge/ops/softmax.h>

namespace luge {
namespace {

constexpr std::int64_t kCount = 5'000'011;
constexpr std::int64_t kPiece = 100'003;

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

class LargeCalls : public testing::Test {
 protected:
  using Op = std::function<Tensor(const Tensor&, const Tensor&)>;

  void expect_same(const Op& op) const {
    std::vector<Tensor> pieces;
    for (std::int64_t i = 0; i < kCount; i += kPiece) {
      const std::int64_t end = std::min(kCount, i + kPiece);
      pieces.push_back(op(a_.slice(0, i, end), b_.slice(0, i, end)));
    }
    EXPECT_TRUE(same_bits(op(a_, b_), cat(pieces, -1)));
  }

  Tensor a_ = rand({kCount}) + 0.5, b_ = rand({kCount}) + 0.5;
};

TEST_F(LargeCalls, ForwardEqualsPieces) {
  expect_same([](const Tensor& a, const Tensor& b) { return a + b; });
  expect_same([](const Tensor& a, const Tensor&) { return exp(a); });
  expect_same([](const Tensor& a, const Tensor&) { return 3 * a; });
  expect_same([](const Tensor& a, const Tensor& b) { return a < b; });
  expect_same([](const Tensor& a, const Tensor& b) { return where(a < b, a, b); });
  expect_same([](const Tensor& a, const Tensor&) { return a.to(float64); });
}

TEST_F(LargeCalls, GradientsEqualPieces) {
  expect_same([](const Tensor& a, const Tensor& b) {
    Tensor x = a.clone().requires_grad_(), y = b.clone().requires_grad_();
    for (int i = 0; i < 2; ++i) (x * y + exp(x)).backward(a);  // written, then added to
    return stack({x.grad(), y.grad()});
  });
  const auto of_one_input = [this](Tensor (*op)(const Tensor&)) {
    expect_same([op](const Tensor& a, const Tensor& b) {
      Tensor x = a.clone().requires_grad_();
      const Tensor y = op(x);
      y.backward(b);
      return stack({y.detach(), x.grad()});
    });
  };
  of_one_input([](const Tensor& x) { return gelu(x); });     // its derivative reads the input
  of_one_input([](const Tensor& x) { return sigmoid(x); });  // and this one's the output
}

TEST_F(LargeCalls, InPlaceEqualsOutOfPlace) {
  Tensor x = a_.clone();
  x.add_(b_);
  EXPECT_TRUE(same_bits(x, a_ + b_));
}

TEST_F(LargeCalls, UnalignedAndStridedEqualPacked) {
  EXPECT_TRUE(same_bits(a_.slice(0, 1) + b_.slice(0, 1), (a_ + b_).slice(0, 1).contiguous()));
  EXPECT_TRUE(same_bits(a_.slice(0, 0, {}, 2) * b_.slice(0, 0, {}, 2), (a_ * b_).slice(0, 0, {}, 2).contiguous()));
}

TEST_F(LargeCalls, BroadcastEqualsRowByRow) {
  constexpr std::int64_t kSide = 2237;
  const Tensor m = rand({kSide, kSide}), row = rand({kSide}), column = rand({kSide, 1});
  std::vector<Tensor> sums, products;
  for (std::int64_t i = 0; i < kSide; ++i) {
    sums.push_back(m[i] + row);
    products.push_back(m[i] * column[i]);
  }
  EXPECT_TRUE(same_bits(m + row, stack(sums)));
  EXPECT_TRUE(same_bits(m * column, stack(products)));
  EXPECT_TRUE(same_bits(column.expand({kSide, kSide}).clone(), column * ones({kSide, kSide})));
  EXPECT_TRUE(same_bits(row.expand({kSide, kSide}).clone(), row * ones({kSide, kSide})));
}

void rows_equal_row_by_row(std::int64_t columns) {
  constexpr std::int64_t kRows = 499;
  const Tensor masked = (rand({kRows, 1}) < 0.3).to(float32) * (rand({kRows, columns}) < 0.5).to(float32);
  const Tensor x = 8 * rand({kRows, columns}) - 4 - 200 * masked, dy = rand({kRows, columns});
  const Tensor labels = randint(0, columns, {kRows});
  const auto softmax_and_gradient = [](const Tensor& in, const Tensor& gradient, bool log) {
    Tensor leaf = in.clone().requires_grad_();
    const Tensor y = log ? log_softmax(leaf, -1) : softmax(leaf, -1);
    y.backward(gradient);
    return stack({y.detach(), leaf.grad()}, -2);
  };
  const auto entropy_gradient = [](const Tensor& in, const Tensor& label) {
    Tensor leaf = in.clone().requires_grad_();
    cross_entropy(leaf, label, {.reduction = Reduction::Sum}).backward();
    return leaf.grad();
  };
  std::vector<Tensor> plain, logs, entropies;
  for (std::int64_t r = 0; r < kRows; ++r) {
    const Tensor row = x.slice(0, r, r + 1), gradient = dy.slice(0, r, r + 1);
    plain.push_back(softmax_and_gradient(row, gradient, false));
    logs.push_back(softmax_and_gradient(row, gradient, true));
    entropies.push_back(entropy_gradient(row, labels.slice(0, r, r + 1)));
  }
  EXPECT_TRUE(same_bits(softmax_and_gradient(x, dy, false), cat(plain, 0)));
  EXPECT_TRUE(same_bits(softmax_and_gradient(x, dy, true), cat(logs, 0)));
  EXPECT_TRUE(same_bits(entropy_gradient(x, labels), cat(entropies, 0)));
}

/// Rows of several blocks that begin between cache lines, or at them. In some, exponentials vanish.
TEST_F(LargeCalls, RowsEqualRowByRow) {
  for (const std::int64_t columns : {8501, 8512}) rows_equal_row_by_row(columns);
}

}  // namespace
}  // namespace luge
