// Bools within a captured step: made, joined and chosen by in one kernel, kept for later, and on the way back.

#include <vector>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class MasksTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(MasksTest);

/// Every way to make a mask and to join two.
std::vector<Tensor> chosen(const Tensor& x, const Tensor& y) {
  const Tensor above = x.gt(y), finite = isfinite(x), small = logical_and(x.ge(-1), x.le(1)), odd = x.ne(x);
  const Tensor either = logical_or(above, logical_not(finite)), one = logical_xor(small, y.lt(0));
  const Tensor a = where(either, x * 2, where(one, y, x - y)), b = where(odd, 1, where(x.eq(y), 2, a));
  const Tensor c = where(logical_xor(logical_not(isnan(b)), either), b * 0.5, y * y);
  return {a, b, c};
}

TEST_P(MasksTest, InAKernelAsEagerly) {
  const std::vector<double> special{kNaN, kInfinity, -kInfinity, 0, -0.0, 1, -1, 0.5, 3, 1e30};
  for (const DType dtype : {float32, float64})
    for (const std::int64_t n : {1, 2, 7, 16, 33, 1000, 5000})
      for (const bool keeps : {false, true}) {
        SCOPED_TRACE(::testing::Message() << name(dtype) << " " << n << (keeps ? " kept" : ""));
        std::vector<double> first, second;
        for (std::int64_t i = 0; i < n; ++i) {
          first.push_back(special[static_cast<std::size_t>(i) % 10]);
          second.push_back(special[static_cast<std::size_t>(i) / 10 % 10]);
        }
        Tensor x = from_host(first, {n}, device()).to(dtype), y = from_host(second, {n}, device()).to(dtype);
        x.requires_grad_();
        y.requires_grad_();
        const auto body = [&] {
          x.zero_grad();
          y.zero_grad();
          std::vector<Tensor> results = chosen(x, y);
          (results[2] * 3 + results[0]).sum().backward();
          if (keeps) results.push_back(logical_and(x.gt(y), isfinite(y)));
          results.push_back(where(results[0].detach().lt(y), x.detach(), 7));
          return results;
        };
        std::vector<Tensor> expected;
        for (const Tensor& result : body()) expected.push_back(result.detach().clone());
        for (const Tensor& leaf : {x, y}) expected.push_back(leaf.grad().clone());
        Step step = capture(body);
        step();
        std::vector<Tensor> got = step();
        for (const Tensor& leaf : {x, y}) got.push_back(leaf.grad());
        ASSERT_EQ(got.size(), expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
      }
}

}  // namespace
}  // namespace luge::test
