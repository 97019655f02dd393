#include <luge/nn/pooling.h>

#include <utility>

#include <luge/base/detail/check.h>

namespace luge::nn {

namespace {

/// One number for each dimension.
Window each(const char* argument, Window given, int dims) {
  if (given.size() == 1) given.assign(static_cast<std::size_t>(dims), given[0]);
  LUGE_CHECK(ValueError, given.size() == static_cast<std::size_t>(dims),
             "MaxUnpool: {} has {} numbers; it must have one, or one for each of {} dimensions", argument, given.size(), dims);
  return given;
}

}  // namespace

MaxUnpool::MaxUnpool(int dims, Window kernel, Window stride, Window padding) {
  LUGE_CHECK(ValueError, dims >= 1 && dims <= 3, "MaxUnpool: dims is {}; it must be from 1 to 3", dims);
  kernel_ = each("kernel", std::move(kernel), dims);
  stride_ = stride.empty() ? kernel_ : each("stride", std::move(stride), dims);
  padding_ = each("padding", std::move(padding), dims);
}

Tensor MaxUnpool::operator()(const Tensor& x, const Tensor& indices, const Window& size) const {
  const int dims = static_cast<int>(kernel_.size());
  LUGE_CHECK(ValueError, x.defined(), "MaxUnpool: x is an undefined tensor");
  LUGE_CHECK(ShapeError, x.ndim() > dims, "MaxUnpool: x has shape {}; it must have {} dimensions or more", to_string(x.shape()), dims + 1);
  if (!size.empty()) return max_unpool(x, indices, each("size", size, dims));
  Window usual;
  for (int d = 0; d < dims; ++d) {
    const auto i = static_cast<std::size_t>(d);
    usual.push_back((x.size(d - dims) - 1) * stride_[i] - 2 * padding_[i] + kernel_[i]);
  }
  return max_unpool(x, indices, usual);
}

}  // namespace luge::nn
