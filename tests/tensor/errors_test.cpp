// Messages of tensors, factories, views and copies: typed, on one line, naming what was given and allowed.

#include "devices.h"
#include "expect.h"

#include <luge/base/detail/check.h>

namespace luge::test {
namespace {

class TensorErrors : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(TensorErrors);

TEST_P(TensorErrors, UndefinedTensorsAreNamed) {
  const Tensor u;
  Tensor v;
  const Tensor x = zeros({2}, on());
  expect_errors({
      LUGE_ERROR(ValueError, "^shape: input is an undefined tensor", u.shape()),
      LUGE_ERROR(ValueError, "^item: .*undefined", u.item()),
      LUGE_ERROR(ValueError, "^to_vector: .*undefined", u.to_vector<float>()),
      LUGE_ERROR(ValueError, "^exp: .*undefined", u.exp()),
      LUGE_ERROR(ValueError, "^add: b is an undefined", x + u),
      LUGE_ERROR(ValueError, "^add: a is an undefined", u + x),
      LUGE_ERROR(ValueError, "^sum: .*undefined", u.sum()),
      LUGE_ERROR(ValueError, "^matmul: b is an undefined", x.matmul(u)),
      LUGE_ERROR(ValueError, "^view: .*undefined", u.view({1})),
      LUGE_ERROR(ValueError, "^detach: .*undefined", u.detach()),
      LUGE_ERROR(ValueError, "^backward: .*undefined", u.backward()),
      LUGE_ERROR(ValueError, "^requires_grad_: .*undefined", v.requires_grad_()),
      LUGE_ERROR(ValueError, "^fill_: self is an undefined", v.fill_(1)),
      LUGE_ERROR(ValueError, "^add_: self is an undefined", v.add_(1)),
      LUGE_ERROR(ValueError, "^zeros_like: .*undefined", zeros_like(u)),
      LUGE_ERROR(ValueError, "^clone: .*undefined", u.clone()),
      LUGE_ERROR(ValueError, "^softmax: .*undefined", u.softmax(0)),
      LUGE_ERROR(ValueError, "^where: a is an undefined", where(u, x, x)),
  });
}

TEST_P(TensorErrors, Factories) {
  expect_errors({
      LUGE_ERROR(ShapeError, "^zeros: the shape \\(2, -3\\) has a negative size; sizes must be 0 or more",
                 zeros({2, -3}, on())),
      LUGE_ERROR(DTypeError, "zeros: requires_grad with dtype int64; only floating", zeros({2}, on(int64, true))),
      LUGE_ERROR(DTypeError, "tensor: requires_grad with dtype bool", tensor({1}, on(boolean, true))),
      LUGE_ERROR(ValueError, "arange: step 0 does not lead from 0 to 3", arange(0, 3, 0, on(int64))),
      LUGE_ERROR(ValueError, "arange: step -1 does not lead from 0 to 3", arange(0, 3, -1, on(int64))),
      LUGE_ERROR(ValueError, "arange: start, stop and step must be finite; they are 0, nan", arange(0, std::nan(""), 1, on())),
      LUGE_ERROR(DTypeError, "arange: dtype is bool", arange(0, 3, 1, on(boolean))),
      LUGE_ERROR(ValueError, "linspace: count is -1; it must be 0 or more", linspace(0, 1, -1, on())),
      LUGE_ERROR(DTypeError, "linspace: dtype is int32; allowed are the floating dtypes", linspace(0, 1, 3, on(int32))),
      LUGE_ERROR(ShapeError, "^eye: the shape \\(-1, -1\\) has a negative size", eye(-1, on())),
      LUGE_ERROR(ShapeError, "from_host: 3 values given; shape \\(2, 2\\) has 4 elements",
                 from_host(std::vector<float>{1, 2, 3}, {2, 2}, device())),
      LUGE_ERROR(ShapeError, "tensor: rows have 2 and 1 values; all must have the same", tensor({{1, 2}, {3}}, on())),
      LUGE_ERROR(DTypeError, "rand: dtype is int64; allowed are the floating dtypes", rand({2}, on(int64))),
      LUGE_ERROR(DTypeError, "randn: dtype is bool", randn({2}, on(boolean))),
      LUGE_ERROR(ValueError, "randint: low is 3 and high is 3; low must be less", randint(3, 3, {2}, on(int64))),
      LUGE_ERROR(DTypeError, "randint: dtype is float32; allowed are the integer dtypes", randint(0, 3, {2}, on())),
      LUGE_ERROR(ValueError, "randint: \\[0, 4294967296\\) does not fit int32", randint(0, std::int64_t{1} << 32, {2}, on(int32))),
      LUGE_ERROR(ValueError, "randperm: n is -1; it must be 0 or more", randperm(-1)),
  });
}

/// What is built from other operations says its own name, not theirs.
TEST_P(TensorErrors, TheOperationCalledIsNamed) {
  const Tensor u, eight = zeros({1, 1, 1, 1, 1, 1, 1, 1}, on());
  Tensor leaf = zeros({2}, on(float32, true)), v;
  const Shape negative = {-1};
  expect_errors({
      LUGE_ERROR(AutogradError, "^zero_: a leaf that requires a gradient", leaf.zero_()),
      LUGE_ERROR(ValueError, "^zero_: self is an undefined tensor", v.zero_()),
      LUGE_ERROR(ShapeError, "^unsqueeze: the shape .* has too many", eight.unsqueeze(0)),
      LUGE_ERROR(ShapeError, "^empty: the shape \\(-1,\\) has a negative size", empty(negative, on())),
      LUGE_ERROR(ShapeError, "^full: the shape", full(negative, 1, on())),
      LUGE_ERROR(ShapeError, "^rand: the shape", rand(negative, on())),
      LUGE_ERROR(ShapeError, "^randn: the shape", randn(negative, on())),
      LUGE_ERROR(ShapeError, "^randint: the shape", randint(0, 2, negative, on(int64))),
      LUGE_ERROR(ShapeError, "^from_host: the shape", from_host(std::vector<float>{1}, negative, device())),
      LUGE_ERROR(ValueError, "^rand_like: .*undefined", rand_like(u)),
      LUGE_ERROR(DTypeError, "^rand_like: dtype is int64", rand_like(zeros({1}, on(int64)))),
      LUGE_ERROR(DTypeError, "^randn_like: dtype is bool", randn_like(zeros({1}, on(boolean)))),
      LUGE_ERROR(ValueError, "^full_like: .*undefined", full_like(u, 1)),
      LUGE_ERROR(ValueError, "^scalar: 'tpu' is not a device",
                 [] {
                   const Operation called("scalar");
                   Device::parse("tpu");
                 }()),
  });
  // Nothing remains of a call that failed.
  expect_errors({LUGE_ERROR(ValueError, "^fill_: self is an undefined tensor", v.fill_(0))});
}

TEST(Renamed, TheNameInFrontIsReplaced) {
  EXPECT_EQ(renamed("amax", "max: dim 5 is out of range"), "amax: dim 5 is out of range");
  EXPECT_EQ(renamed("Monitor.record", "Monitor::record: the loss is empty"), "Monitor.record: the loss is empty");
  EXPECT_EQ(renamed("add", "Parameters.add: a: b"), "add: a: b");
  EXPECT_EQ(renamed("to", "cuda:1: there is no such GPU"), "to: cuda:1: there is no such GPU");
  EXPECT_EQ(renamed("Linear a", "Linear a: x is (2,)"), "Linear a: x is (2,)");
  EXPECT_EQ(renamed("to", "no colon"), "to: no colon");
  EXPECT_EQ(renamed("to", ": nothing before"), "to: : nothing before");
}

TEST_P(TensorErrors, HostAccess) {
  const Tensor x = zeros({2, 3}, on());
  expect_errors({
      LUGE_ERROR(ShapeError, "item: the tensor has shape \\(2, 3\\) and 6 elements; exactly one is allowed", x.item()),
      LUGE_ERROR(ShapeError, "item: the tensor has shape \\(0,\\) and 0 elements", zeros({0}, on()).item()),
      LUGE_ERROR(IndexError, "size: dim 2 is out of range; a 2-d tensor allows -2 to 1", x.size(2)),
      LUGE_ERROR(IndexError, "size: dim 0 given; a 0-d tensor has no sizes", scalar(1).size(0)),
  });
}

TEST_P(TensorErrors, Views) {
  const Tensor x = zeros({2, 3}, on()), s = scalar(1.0, on());
  expect_errors({
      LUGE_ERROR(ShapeError, "view: shape \\(4,\\) has 4 elements; the tensor of shape \\(2, 3\\) has 6", x.view({4})),
      LUGE_ERROR(ShapeError, "reshape: shape \\(-1, -1\\) has more than one -1", x.reshape({-1, -1})),
      LUGE_ERROR(ShapeError, "reshape: shape \\(-1, 4\\) does not fit 6 elements", x.reshape({-1, 4})),
      LUGE_ERROR(ShapeError, "view: shape \\(-2, 3\\) has size -2 in dimension 0", x.view({-2, 3})),
      LUGE_ERROR(ShapeError, "reshape: shape \\(-1, 0\\) does not fit", zeros({0, 3}, on()).reshape({-1, 0})),
      LUGE_ERROR(ShapeError, "more than 2\\^63 - 1", x.view({std::int64_t{1} << 62, 4})),
      LUGE_ERROR(ShapeError, "view: a tensor of shape \\(3, 2\\) with strides \\(1, 3\\) cannot be seen as \\(6,\\) without a copy; use reshape", x.t().view({6})),
      LUGE_ERROR(IndexError, "flatten: dim 2 is out of range", x.flatten(2)),
      LUGE_ERROR(IndexError, "flatten: first_dim 1 comes after last_dim 0", x.flatten(1, 0)),
      LUGE_ERROR(ShapeError, "permute: 1 dims given; the tensor has 2", x.permute({0})),
      LUGE_ERROR(IndexError, "permute: dim 0 is given twice; each of the 2 dims must appear once", x.permute({0, 0})),
      LUGE_ERROR(IndexError, "permute: dim -1 is given twice", x.permute({1, -1})),
      LUGE_ERROR(IndexError, "permute: dim 2 is out of range", x.permute({0, 2})),
      LUGE_ERROR(IndexError, "transpose: dim -3 is out of range; a 2-d tensor allows -2 to 1", x.transpose(0, -3)),
      LUGE_ERROR(ShapeError, "t: the tensor has shape \\(2,\\); a 2-d tensor is needed", x[0].slice(0, 0, 2).t()),
      LUGE_ERROR(IndexError, "slice: a 0-d tensor cannot be sliced", s.slice(0, 0)),
      LUGE_ERROR(ValueError, "slice: step is 0; it must be 1 or more", x.slice(0, 0, 1, 0)),
      LUGE_ERROR(ValueError, "slice: step is -1", x.slice(0, 0, 1, -1)),
      LUGE_ERROR(IndexError, "select: index 2 is out of range for dimension 0 of size 2; allowed are -2 to 1", x[2]),
      LUGE_ERROR(IndexError, "select: index -4 is out of range for dimension 1 of size 3", x.select(1, -4)),
      LUGE_ERROR(IndexError, "select: a 0-d tensor cannot be indexed", s[0]),
      LUGE_ERROR(IndexError, "select: index 0 is out of range for dimension 0 of size 0", zeros({0}, on())[0]),
      LUGE_ERROR(ShapeError, "expand: \\(3,\\) has fewer dimensions than the tensor of shape \\(2, 3\\)", x.expand({3})),
      LUGE_ERROR(ShapeError, "expand: shape \\(2, 3\\) does not broadcast to \\(2, 4\\)", x.expand({2, 4})),
      LUGE_ERROR(ShapeError, "expand: shape \\(-1, 2, 3\\) has size -1 in dimension 0; a new dimension needs a size", x.expand({-1, 2, 3})),
      LUGE_ERROR(IndexError, "squeeze: dim 2 is out of range", x.squeeze(2)),
      LUGE_ERROR(IndexError, "unsqueeze: dim 3 is out of range; a 3-d tensor allows -3 to 2", x.unsqueeze(3)),
      LUGE_ERROR(ShapeError, "too many; at most 8 are supported", zeros({1, 1, 1, 1, 1, 1, 1, 1}, on()).unsqueeze(0)),
  });
}

TEST_P(TensorErrors, WritesInPlace) {
  Tensor x = zeros({2, 3}, on()), repeated = zeros({3}, on()).expand({2, 3});
  Tensor leaf = zeros({2}, on(float32, true)), result = leaf * 2;
  expect_errors({
      LUGE_ERROR(ShapeError, "copy_: source of shape \\(4, 2, 3\\) does not broadcast to \\(2, 3\\)", x.copy_(zeros({4, 2, 3}, on()))),
      LUGE_ERROR(ShapeError, "copy_: shapes \\(2, 3\\) and \\(2,\\) do not broadcast", x.copy_(zeros({2}, on()))),
      LUGE_ERROR(ShapeError, "add_: the other argument of shape \\(4, 1, 3\\) does not broadcast to \\(2, 3\\)", x.add_(zeros({4, 1, 3}, on()))),
      LUGE_ERROR(ShapeError, "mul_: shapes", x.mul_(zeros({2}, on()))),
      LUGE_ERROR(DTypeError, "add_: the result is float64 and does not fit the tensor, which is int64", zeros({3}, on(int64)).add_(zeros({3}, on(float64)))),
      LUGE_ERROR(DTypeError, "div_: the result is float32 and does not fit the tensor, which is int64", zeros({2}, on(int64)).div_(2)),
      LUGE_ERROR(DTypeError, "mul_: the result is float32", zeros({2}, on(int32)).mul_(1.5)),
      LUGE_ERROR(ShapeError, "fill_: the tensor of shape \\(2, 3\\) was expanded, .*along dim 0; clone\\(\\) it first", repeated.fill_(1)),
      LUGE_ERROR(ShapeError, "add_: the tensor of shape \\(2, 3\\) was expanded", repeated.add_(1)),
      LUGE_ERROR(AutogradError, "fill_: a leaf that requires a gradient, or a view of one, cannot be changed in place .*no_grad", leaf.fill_(1)),
      LUGE_ERROR(AutogradError, "sub_: a leaf that requires a gradient", leaf.sub_(1)),
      LUGE_ERROR(AutogradError, "requires_grad_: only a leaf can be changed; this tensor was made by mul; use detach", result.requires_grad_(false)),
      LUGE_ERROR(DTypeError, "requires_grad_: the tensor is int64; only floating", zeros({2}, on(int64)).requires_grad_()),
  });
  EXPECT_TRUE(same(x, zeros({2, 3}, on())));
  EXPECT_TRUE(same(leaf, zeros({2}, on())));
}

}  // namespace
}  // namespace luge::test
