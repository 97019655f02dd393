#pragma once
// Internal: views whose strides are sums and multiples of those of their base: diagonals and windows.

#include <functional>

#include <luge/tensor/tensor.h>

namespace luge {

/// How a view looks at a tensor of its base's shape, whatever the strides of that are, and how a gradient of the view is
/// added to one of the base. Both work below autograd.
struct Seen {
  std::function<Tensor(const Tensor& whole)> see;
  std::function<void(const Tensor& gradient, const Tensor& whole)> add;
};

/// The view, recorded in the graph in the name of `op`.
Tensor seen_view(const char* op, const Tensor& x, Seen seen);

}  // namespace luge
