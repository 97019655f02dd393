// Messages of operations: typed, on one line, naming what was given and what is allowed.

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class OpErrors : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(OpErrors);

TEST_P(OpErrors, Elementwise) {
  const Tensor a = zeros({2, 3}, on()), b = zeros({2, 4}, on()), i = tensor({1, 2}, on(int64));
  expect_errors({
      LUGE_ERROR(ShapeError, "^add: shapes \\(2, 3\\) and \\(2, 4\\) do not broadcast: size 3 meets 4 in dimension -1; sizes must be equal or 1", a + b),
      LUGE_ERROR(ShapeError, "^mul: shapes", a * zeros({3, 3, 3}, on())),
      LUGE_ERROR(ShapeError, "^maximum: shapes", maximum(a, b)),
      LUGE_ERROR(ShapeError, "^lt: shapes", a < b),
      LUGE_ERROR(ShapeError, "^where: shapes", where(a > 0, a, b)),
      LUGE_ERROR(ShapeError, "^where: shapes", where(b > 0, a, a)),
      LUGE_ERROR(ValueError, "^pow: the base is int64 and the exponent -1; an integer base allows integer exponents of 0 or more", pow(i, -1)),
      LUGE_ERROR(ValueError, "^pow_: the base is int64 and the exponent -1; an integer base allows integer exponents of 0 or more", i.clone().pow_(-1)),
  });
}

TEST_P(OpErrors, Reductions) {
  const Tensor x = zeros({2, 3}, on()), empty = zeros({2, 0}, on()), i = zeros({3}, on(int64));
  expect_errors({
      LUGE_ERROR(IndexError, "^sum: dim 2 is out of range; a 2-d tensor allows -2 to 1", x.sum(2)),
      LUGE_ERROR(IndexError, "^mean: dim -3 is out of range", x.mean(-3)),
      LUGE_ERROR(IndexError, "^max: dim 0 is given twice", x.max({0, 0})),
      LUGE_ERROR(IndexError, "^prod: dim -1 is given twice", x.prod({1, -1})),
      LUGE_ERROR(ShapeError, "^max: nothing to reduce: the tensor has shape \\(2, 0\\); the reduced dimensions must not be empty", empty.max()),
      LUGE_ERROR(ShapeError, "^min: nothing to reduce", empty.min(1)),
      LUGE_ERROR(ShapeError, "^argmax: nothing to reduce", empty.argmax()),
      LUGE_ERROR(ShapeError, "^argmin: nothing to reduce", empty.argmin(1, true)),
      LUGE_ERROR(DTypeError, "^mean: the tensor is int64; allowed are the floating dtypes", i.mean()),
      LUGE_ERROR(DTypeError, "^var: the tensor is int64; allowed are the floating dtypes", i.var()),
      LUGE_ERROR(DTypeError, "^std: the tensor is int64; allowed are the floating dtypes", i.std()),
      LUGE_ERROR(IndexError, "^max: dim 5 is out of range", max_along(x, 5)),
      LUGE_ERROR(ShapeError, "^min: nothing to reduce", min_along(zeros({0, 2}, on()), 0)),
      LUGE_ERROR(ValueError, "^clamp: neither min nor max is given", x.clamp(std::nullopt, std::nullopt)),
      LUGE_ERROR(ValueError, "^clamp: neither min nor max is given", x.clamp(Tensor(), Tensor())),
      LUGE_ERROR(ShapeError, "^clamp: ", x.clamp(zeros({7}, on()), Tensor())),
      LUGE_ERROR(ValueError, "^clamp: ", ones({2}, on(int32)).clamp(std::int64_t{1} << 40, {})),
      LUGE_ERROR(ValueError, "^clamp_: ", ones({2}, on(int32)).clamp_({}, std::int64_t{1} << 40)),
      LUGE_ERROR(DTypeError, "^logsumexp: the tensor is bool", (i == 0).logsumexp(0)),
      LUGE_ERROR(IndexError, "^logsumexp: dim 1 is out of range", i.to(float32).logsumexp(1)),
      LUGE_ERROR(IndexError, "^var: dim 5 is out of range", x.var(5)),
  });
}

TEST_P(OpErrors, MatrixProducts) {
  const Tensor a = zeros({8, 3, 4}, on()), b = zeros({8, 5, 2}, on()), w = zeros({4, 3}, on());
  expect_errors({
      LUGE_ERROR(ShapeError, "^matmul: inner dimensions differ: a is \\(8, 3, 4\\), b is \\(8, 5, 2\\); a\\[-1\\] must equal b\\[-2\\]", matmul(a, b)),
      LUGE_ERROR(ShapeError, "^matmul: inner dimensions differ: .*a\\[-1\\] must equal b\\[-1\\]", matmul(a, zeros({5}, on()))),
      LUGE_ERROR(ShapeError, "^matmul: a is \\(\\), b is \\(2,\\); both need at least one dimension", matmul(scalar(1.0, on()), zeros({2}, on()))),
      LUGE_ERROR(ShapeError, "^matmul: shapes \\(8,\\) and \\(7,\\) do not broadcast", matmul(a, zeros({7, 4, 2}, on()))),
      LUGE_ERROR(DTypeError, "^matmul: a is float32 and b is float64; both must be of one floating or integer dtype", matmul(w, zeros({3, 2}, on(float64)))),
      LUGE_ERROR(DTypeError, "^matmul: a is bool and b is bool", matmul(zeros({2, 2}, on()) == 0, zeros({2, 2}, on()) == 0)),
      LUGE_ERROR(ShapeError, "^linear: x is \\(2, 5\\), weight is \\(4, 3\\); x\\[-1\\] must equal weight\\[-1\\]", linear(zeros({2, 5}, on()), w)),
      LUGE_ERROR(ShapeError, "^linear: weight is \\(3,\\); allowed are \\(out, in\\) and \\(sets, out, in\\)", linear(zeros({2, 3}, on()), zeros({3}, on()))),
      LUGE_ERROR(ShapeError, "^linear: bias is \\(3,\\); weight \\(4, 3\\) asks for \\(4,\\)", linear(zeros({2, 3}, on()), w, zeros({3}, on()))),
      LUGE_ERROR(DTypeError, "^linear: x is float32 and bias is float64", linear(zeros({2, 3}, on()), w, zeros({4}, on(float64)))),
      LUGE_ERROR(ShapeError, "^linear: x is \\(5, 2, 3\\) and weight is \\(6, 4, 3\\); allowed are x \\(batch, in\\) or \\(sets, \\.\\.\\., in\\)", linear(zeros({5, 2, 3}, on()), zeros({6, 4, 3}, on()))),
      LUGE_ERROR(ShapeError, "^linear: x is \\(3,\\) and weight is \\(6, 4, 3\\)", linear(zeros({3}, on()), zeros({6, 4, 3}, on()))),
      LUGE_ERROR(ShapeError, "^linear: x is \\(\\)", linear(scalar(1.0, on()), w)),
  });
}

TEST_P(OpErrors, JoinsAndIndices) {
  const Tensor x = zeros({2, 3}, on()), index = tensor({0, 1}, on(int64));
  expect_errors({
      LUGE_ERROR(ValueError, "^cat: no tensors given", cat({})),
      LUGE_ERROR(ShapeError, "^cat: tensor 0 is 0-d; use stack", cat({scalar(1.0, on())})),
      LUGE_ERROR(ShapeError, "^cat: tensor 1 is \\(2, 4\\) and tensor 0 is \\(2, 3\\); sizes may differ in dim 0 only", cat({x, zeros({2, 4}, on())})),
      LUGE_ERROR(ShapeError, "^cat: tensor 1 is \\(3,\\)", cat({x, zeros({3}, on())})),
      LUGE_ERROR(IndexError, "^cat: dim 2 is out of range", cat({x, x}, 2)),
      LUGE_ERROR(ValueError, "^cat: .*undefined", cat({x, Tensor()})),
      LUGE_ERROR(ValueError, "^stack: no tensors given", stack({})),
      LUGE_ERROR(ShapeError, "^stack: tensor 1 is \\(3, 2\\) and tensor 0 is \\(2, 3\\); all shapes must be equal", stack({x, x.t()})),
      LUGE_ERROR(IndexError, "^stack: dim 3 is out of range; a 3-d tensor allows -3 to 2", stack({x, x}, 3)),
      LUGE_ERROR(ShapeError, "^index_select: index is \\(1, 2\\); it must have one dimension", x.index_select(0, index.view({1, 2}))),
      LUGE_ERROR(IndexError, "^index_select: dim 2 is out of range", x.index_select(2, index)),
      LUGE_ERROR(DTypeError, "^index_select: the index is float32; allowed are int32 and int64",
                 x.index_select(0, zeros({2}, on()))),
      LUGE_ERROR(ShapeError, "^gather: the tensor is \\(2, 3\\) and the index \\(2,\\); both need the same number",
                 x.gather(0, index)),
      LUGE_ERROR(ShapeError,
                 "^gather: the index \\(3, 1\\) is larger than the tensor \\(2, 3\\) in dimension 0; only dim 1 may be",
                 x.gather(1, zeros({3, 1}, on(int64)))),
      LUGE_ERROR(DTypeError, "^gather: the index is bool", x.gather(0, x == 0)),
      LUGE_ERROR(IndexError, "^gather: dim -3 is out of range", x.gather(-3, zeros({2, 3}, on(int64)))),
  });
  if (device().is_cuda()) return;  // there the kernels guard themselves
  expect_errors({
      LUGE_ERROR(IndexError, "^index_select: index 2 at position 1 is out of range; allowed are 0 to 1", x.index_select(0, tensor({0, 2}, on(int32)))),
      LUGE_ERROR(IndexError, "^index_select: index -1 at position 0", x.index_select(1, tensor({-1, 2}, on(int64)))),
      LUGE_ERROR(IndexError, "^index_select: index 1 at position 1 is out of range; allowed are 0 to 0", scalar(1.0, on()).index_select(0, tensor({0, 1}, on(int64)))),
      LUGE_ERROR(IndexError, "^gather: index 3 at position 5 is out of range; allowed are 0 to 2",
                 x.gather(1, tensor({0, 0, 0, 1, 1, 3}, on(int64)).view({2, 3}))),
      LUGE_ERROR(IndexError, "^index_select: index 0 at position 0 is out of range",
                 zeros({0, 2}, on()).index_select(0, tensor({0}, on(int64)))),
  });
}

TEST_P(OpErrors, SoftmaxAndLosses) {
  const Tensor x = zeros({2, 3}, on()), i = zeros({2}, on(int64));
  expect_errors({
      LUGE_ERROR(IndexError, "^softmax: dim 2 is out of range", x.softmax(2)),
      LUGE_ERROR(DTypeError, "^log_softmax: the tensor is int64; allowed are the floating dtypes", i.log_softmax(0)),
      LUGE_ERROR(ShapeError, "^mse_loss: prediction is \\(2, 3\\) and target is \\(3,\\); the target must be \\(2, 3\\)", mse_loss(x, zeros({3}, on()))),
      LUGE_ERROR(ShapeError, "^mse_loss: prediction is \\(4, 1\\) and target is \\(4,\\)", mse_loss(zeros({4, 1}, on()), zeros({4}, on()))),
      LUGE_ERROR(ShapeError, "^mse_loss: prediction is \\(2, 3\\) and target is \\(2,\\); the target must be \\(2, 3\\) or, shared by all sets, \\(3,\\)", mse_loss(x, zeros({2}, on()), Reduction::PerSet)),
      LUGE_ERROR(DTypeError, "^mse_loss: .*int64", mse_loss(i, i)),
      LUGE_ERROR(ValueError, "^mse_loss: target is an undefined tensor", mse_loss(x, Tensor())),
      LUGE_ERROR(ShapeError, "^mse_loss: PerSet needs losses with a leading axis of sets", mse_loss(scalar(1.0, on()), scalar(2.0, on()), Reduction::PerSet)),
      LUGE_ERROR(DTypeError, "^cross_entropy: logits are int64", cross_entropy(i, i)),
      LUGE_ERROR(ShapeError, "^cross_entropy: logits are \\(\\); they need a dimension of classes", cross_entropy(scalar(1.0, on()), i)),
      LUGE_ERROR(ShapeError, "^cross_entropy: logits are \\(2, 0\\)", cross_entropy(zeros({2, 0}, on()), i)),
      LUGE_ERROR(ShapeError, "^cross_entropy: logits are \\(2, 3\\) and target is \\(3,\\); labels must be \\(2,\\)", cross_entropy(x, zeros({3}, on(int64)))),
      LUGE_ERROR(ShapeError, "^cross_entropy: logits are \\(2, 3\\) and target is \\(2, 3\\); labels must be \\(2,\\)", cross_entropy(x, zeros({2, 3}, on(int64)))),
      LUGE_ERROR(DTypeError, "^cross_entropy: target is float32 and has the shape of labels, \\(2,\\); labels are int32 or int64", cross_entropy(x, zeros({2}, on()))),
      LUGE_ERROR(DTypeError, "^cross_entropy: target is float64 and logits are float32", cross_entropy(x, zeros({2, 3}, on(float64)))),
      LUGE_ERROR(ShapeError, "^cross_entropy: weight is \\(2,\\); it must be \\(3,\\), one per class", cross_entropy(x, zeros({2}, on(int64)), {.weight = ones({2}, on())})),
      LUGE_ERROR(ValueError, "^cross_entropy: label_smoothing is 1.5; it must be from 0 to 1", cross_entropy(x, zeros({2}, on(int64)), {.label_smoothing = 1.5})),
      LUGE_ERROR(ValueError, "^cross_entropy: ignore_index is 1 and the target holds probabilities", cross_entropy(x, x, {.ignore_index = 1})),
      LUGE_ERROR(ShapeError, "^cross_entropy: logits are \\(3, 5, 4\\) and target is \\(3, 5\\); labels must be \\(3, 4\\)", cross_entropy(zeros({3, 5, 4}, on()), zeros({3, 5}, on(int64)))),
      LUGE_ERROR(ValueError, "^cross_entropy: logits is an undefined tensor", cross_entropy(Tensor(), i)),
  });
  if (device().is_cuda()) return;
  expect_errors({
      LUGE_ERROR(IndexError, "^cross_entropy: index 3 at position 1 is out of range; allowed are 0 to 2", cross_entropy(x, tensor({0, 3}, on(int64)))),
      LUGE_ERROR(IndexError, "^cross_entropy: index -100 at position 0", cross_entropy(x, tensor({-100, 0}, on(int32)))),
  });
}

TEST_P(OpErrors, ArgumentsOnTwoDevices) {
  if (device().is_cpu()) GTEST_SKIP() << "needs a second device";
  const Tensor here = zeros({2, 2}, on()), there = zeros({2, 2});
  expect_errors({
      LUGE_ERROR(DeviceError, "^add: arguments are on different devices: cuda:0 and cpu; bring them together with to\\(\\)", here + there),
      LUGE_ERROR(DeviceError, "^matmul: a is on cuda:0 and b on cpu", matmul(here, there)),
      LUGE_ERROR(DeviceError, "^cat: tensor 0 is on cuda:0 and tensor 1 on cpu", cat({here, there})),
      LUGE_ERROR(DeviceError, "^gather: the tensor is on cuda:0 and the index on cpu", here.gather(0, there.to(int64))),
      LUGE_ERROR(DeviceError, "^backward: gradient is on cpu", here.clone().requires_grad_().backward(there)),
  });
}

}  // namespace
}  // namespace luge::test
