// gradcheck finds what is wrong, accepts what is right, and leaves its inputs alone.

#include <luge/autograd/detail/node.h>
#include <luge/tensor/detail/tensor_impl.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

/// d(x^2)/dx, times a factor that should be 1, in one element.
class WrongSquareNode final : public Node {
 public:
  WrongSquareNode(const Tensor& x, double factor, std::int64_t element) : Node("wrong_square"), factor_(factor), element_(element) {
    add_input(x);
    x_.save(x);
  }
  void backward(const Tensor& gradient) override {
    Tensor result = gradient * x_.get(name()) * 2.0;
    if (element_ < result.numel()) result.view({-1})[element_].mul_(factor_);
    target(0)->add(result, true);
  }
  void release_saved() override { x_.clear(); }

 private:
  double factor_;
  std::int64_t element_;
  SavedTensor x_;
};

Tensor wrong_square(const Tensor& x, double factor, std::int64_t element) {
  Tensor result = no_grad([&] { return x * x; });
  if (grad_enabled() && x.requires_grad()) record(result, Ref<Node>(new WrongSquareNode(x, factor, element)));
  return result;
}

class GradcheckTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(GradcheckTest);

TEST_P(GradcheckTest, FindsOneWrongElement) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, on(float64, true));
  for (std::int64_t element = 0; element < 6; ++element) {
    const GradcheckResult result = gradcheck([&](const std::vector<Tensor>& in) { return wrong_square(in[0], 1.01, element); }, {x});
    EXPECT_FALSE(result);
    EXPECT_NE(result.message.find("input 0, element " + std::to_string(element)), std::string::npos) << result.message;
    EXPECT_GT(result.worst_error, 0.01);
  }
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return wrong_square(in[0], 1, 0); }, {x}));
}

TEST_P(GradcheckTest, NamesTheInput) {
  const Tensor x = tensor({1, 2}, on(float64, true)), y = tensor({3, 4}, on(float64, true)), z = tensor({5, 6}, on());
  const GradcheckResult result =
      gradcheck([](const std::vector<Tensor>& in) { return in[0] * in[2].to(float64) + wrong_square(in[1], -1, 1); }, {x, y, z});
  EXPECT_FALSE(result);
  EXPECT_NE(result.message.find("input 1, element 1"), std::string::npos) << result.message;
}

TEST_P(GradcheckTest, NamesTheElementThatFailsBesideOneThatIsFurtherOff) {
  // Rounding makes the difference quotient of the large square inexact, within the relative tolerance.
  const Tensor x = tensor({1.2345e6, 1}, on(float64, true));
  const GradcheckResult result = gradcheck([](const std::vector<Tensor>& in) { return wrong_square(in[0], 1.01, 1); }, {x});
  EXPECT_FALSE(result);
  EXPECT_GT(result.worst_error, 0.1);
  EXPECT_NE(result.message.find("input 0, element 1"), std::string::npos) << result.message;
}

TEST_P(GradcheckTest, FindsAMissingGradient) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  EXPECT_FALSE(gradcheck([](const std::vector<Tensor>& in) { return in[0] * in[0].detach(); }, {x}));
  const Tensor y = tensor({1, 2}, on(float64, true));
  EXPECT_FALSE(gradcheck([](const std::vector<Tensor>& in) { return in[0] + in[1].detach(); }, {x, y}));
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return in[0] + in[1].detach() * 0; }, {x, y}));
}

TEST_P(GradcheckTest, FindsWrongNotANumber) {
  const Tensor x = tensor({1, 2}, on(float64, true));
  EXPECT_FALSE(gradcheck([](const std::vector<Tensor>& in) { return wrong_square(in[0], std::nan(""), 0); }, {x}));
}

TEST_P(GradcheckTest, LeavesValuesAndGradientsAlone) {
  Tensor x = tensor({{1, 2}, {3, 4}}, on(float64, true)), t = x.detach().t().requires_grad_();
  (x * 2).sum().backward();
  const Tensor value = x.detach().clone(), gradient = x.grad().clone();
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].exp() * in[0].sin(); }, {x}));
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0].exp() * in[0].sin(); }, {t}));
  EXPECT_TRUE(same(x, value));
  EXPECT_TRUE(same(x.grad(), gradient));
}

TEST_P(GradcheckTest, ChecksItsArguments) {
  const Tensor single = tensor({1, 2}, on(float32, true)), plain = tensor({1, 2}, on(float64)), x = tensor({1, 2}, on(float64, true));
  const auto square = [](const std::vector<Tensor>& in) { return in[0] * in[0]; };
  expect_errors({
      LUGE_ERROR(DTypeError, "gradcheck: input 0 requires a gradient and is float32; only float64", gradcheck(square, {single})),
      LUGE_ERROR(AutogradError, "gradcheck: the output does not depend", gradcheck(square, {plain})),
      LUGE_ERROR(ValueError, "gradcheck: input 0 was expanded", gradcheck(square, {x.detach().view({2, 1}).expand({2, 3}).requires_grad_()})),
      LUGE_ERROR(ValueError, "gradcheck: input 1 is an undefined tensor", gradcheck(square, {x, Tensor()})),
      LUGE_ERROR(DTypeError, "gradcheck: the output is float32; it must be float64",
                 gradcheck([](const std::vector<Tensor>& in) { return in[0].to(float32); }, {x})),
  });
}

TEST_P(GradcheckTest, OfNothing) {
  EXPECT_TRUE(gradients_agree([](const std::vector<Tensor>& in) { return in[0] * 2; }, {zeros({0, 3}, on(float64, true))}));
}

}  // namespace
}  // namespace luge::test
