// Convolutions against windows as columns and matrix products, their gradients of both orders, and their errors.

#include <luge/ops/convolution.h>

#include "devices.h"
#include "expect.h"

#include <luge/luge.h>

namespace luge::test {
namespace {

class ConvolutionOps : public DeviceTest {
 protected:
  Tensor random(const Shape& shape) const { return randn(shape, on(float64)); }
  static void expect_close(const Tensor& a, const Tensor& b) {
    ASSERT_EQ(a.shape(), b.shape());
    const std::vector<double> x = a.detach().to_vector<double>(), y = b.detach().to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(x[i], y[i], 1e-12) << "element " << i;
  }
};
LUGE_ON_EVERY_DEVICE(ConvolutionOps);

TEST_P(ConvolutionOps, IsAProductWithColumns) {
  manual_seed(1);
  const Tensor x = random({2, 3, 6, 5}), weight = random({4, 3, 3, 2}), bias = random({4});
  for (const ColumnsOptions& how : {ColumnsOptions{}, ColumnsOptions{.padding = {1, 2}, .stride = {2, 1}}, ColumnsOptions{.dilation = {2, 3}, .padding = 1}}) {
    const Tensor y = conv2d(x, weight, bias, {.stride = how.stride, .padding = how.padding, .dilation = how.dilation});
    const Tensor columns = im2col(x, {3, 2}, how);
    expect_close(y.view({2, 4, columns.size(-1)}), matmul(weight.view({4, 18}), columns) + bias.view({4, 1}));
  }
}

TEST_P(ConvolutionOps, FoldsWhatUnfoldSpreads) {
  manual_seed(2);
  const ColumnsOptions how{.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}};
  const Tensor x = random({2, 3, 6, 5}), columns = im2col(x, {2, 3}, how), other = random(columns.shape());
  // The one is the transpose of the other.
  expect_close((columns * other).sum(), (x * col2im(other, {6, 5}, {2, 3}, how)).sum());
}

TEST_P(ConvolutionOps, TransposedIsTheGradient) {
  manual_seed(3);
  Tensor x = random({2, 4, 9, 7});
  x.requires_grad_();
  const Tensor weight = random({6, 2, 3, 3});
  const Tensor y = conv2d(x, weight, {}, {.stride = 2, .padding = 1, .groups = 2}), gradient = random(y.shape());
  (y * gradient).sum().backward();
  expect_close(conv_transpose2d(gradient, weight, {}, {.stride = 2, .padding = 1, .output_padding = 0, .groups = 2}), x.grad());
}

TEST_P(ConvolutionOps, HasGradientsOfBothOrders) {
  manual_seed(4);
  for (const bool shared : {false, true}) {
    const std::vector<Tensor> in{random(shared ? Shape{1, 2, 4, 3} : Shape{2, 1, 2, 4, 3}).requires_grad_(),
                                 random({2, 2, 1, 2, 2}).requires_grad_(), random({2, 2}).requires_grad_()};
    const auto f = [](const std::vector<Tensor>& t) { return conv2d(t[0], t[1], t[2], {.stride = 2, .padding = 1, .groups = 2}); };
    const auto g = [](const std::vector<Tensor>& t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2, .padding = 1, .groups = 2}); };
    for (const GradcheckResult& result : {gradcheck(f, in), gradgradcheck(f, in), gradcheck(g, in), gradgradcheck(g, in)})
      EXPECT_TRUE(result) << result.message;
  }
}

TEST_P(ConvolutionOps, OfSetsIsThatOfEachSet) {
  manual_seed(5);
  const Tensor weight = random({3, 4, 2, 3}), bias = random({3, 4}), shared = random({2, 2, 8}), own = random({3, 2, 2, 8});
  for (const Tensor& x : {shared, own}) {
    const Tensor y = conv1d(x, weight, bias, {.padding = "same"});
    for (std::int64_t s = 0; s < 3; ++s)
      EXPECT_EQ(y[s].to_vector<double>(),
                conv1d(x.ndim() == 3 ? x : x[s], weight[s], bias[s], {.padding = "same"}).to_vector<double>());
  }
}

TEST_P(ConvolutionOps, SaysWhatDoesNotFit) {
  const Tensor x = zeros({1, 2, 4, 4}, on()), weight = zeros({3, 2, 3, 3}, on());
  EXPECT_THROW(conv2d(x, zeros({3, 1, 3, 3}, on())), ShapeError);
  EXPECT_THROW(conv2d(x, weight, zeros({2}, on())), ShapeError);
  EXPECT_THROW(conv2d(x, weight.to(float64)), DTypeError);
  EXPECT_THROW(conv2d(x, weight, {}, {.stride = 0}), ValueError);
  EXPECT_THROW(conv2d(x, weight, {}, {.stride = {1, 2, 3}}), ValueError);
  EXPECT_THROW(conv2d(x, weight, {}, {.padding = "some"}), ValueError);
  EXPECT_THROW(conv2d(x, weight, {}, {.dilation = 3}), ShapeError);
  EXPECT_THROW(conv_transpose2d(zeros({1, 3, 4, 4}, on()), weight, {}, {.output_padding = 1}), ValueError);
  EXPECT_THROW(conv2d(Tensor(), weight), Error);
  EXPECT_THROW(col2im(zeros({1, 7, 4}, on()), 3, 2), ShapeError);
}

}  // namespace
}  // namespace luge::test
