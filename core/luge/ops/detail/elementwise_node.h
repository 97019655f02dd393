#pragma once
// The node of an elementwise operation.

#include <array>
#include <span>

#include <luge/autograd/detail/node.h>
#include <luge/seam/op.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// One argument as the user gave it: a tensor, or a number.
struct ElementwiseArgument {
  ElementwiseArgument(const Tensor& t) : tensor(&t) {}           // NOLINT(google-explicit-constructor)
  ElementwiseArgument(Scalar s) : tensor(nullptr), number(s) {}  // NOLINT(google-explicit-constructor)
  const Tensor* tensor;
  Scalar number;
};

/// What a formula takes at most.
constexpr int kMostElementwiseArguments = 3;
using ElementwiseParameters = std::array<double, 2>;

/// The node of `result`, which `op` made of these arguments. It keeps what the wanted gradients read.
Ref<Node> elementwise_node(Op op, const ElementwiseParameters& parameters, const Tensor& result,
                           std::span<const ElementwiseArgument> arguments);

}  // namespace luge
