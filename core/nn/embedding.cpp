#include <luge/nn/embedding.h>

#include <luge/check.h>
#include <luge/ops/index.h>

namespace luge::nn {

Embedding::Embedding(Parameters& params, std::string_view name, std::int64_t count, std::int64_t dim,
                     std::optional<Init> init)
    : name_(name) {
  LUGE_CHECK(ValueError, count >= 1 && dim >= 1, "Embedding {}: count is {} and dim is {}; both must be 1 or more",
             name, count, dim);
  weight_ = params.add(name_ + ".weight", {count, dim}, init.value_or(init::normal(0, 1)));
}

Tensor Embedding::operator()(const Tensor& index) const {
  LUGE_CHECK(ValueError, index.defined(), "Embedding {}: index is an undefined tensor", name_);
  LUGE_CHECK(DTypeError, is_integral(index.dtype()), "Embedding {}: index is {}; allowed are int32 and int64", name_,
             luge::name(index.dtype()));
  const std::int64_t dim = weight_.shape().back();
  if (weight_.ndim() == 2) {
    Shape shape = index.shape();
    shape.push_back(dim);
    return index_select(weight_, 0, index.reshape({index.numel()})).reshape(shape);
  }
  const std::int64_t sets = weight_.size(0);
  LUGE_CHECK(ShapeError, index.ndim() == 1 || (index.ndim() == 2 && index.size(0) == sets),
             "Embedding {}: index is {}; allowed are (batch) and ({}, batch)", name_, to_string(index.shape()), sets);
  if (index.ndim() == 1) return index_select(weight_, 1, index);
  return gather(weight_, 1, index.unsqueeze(-1).expand({-1, -1, dim}));
}

}  // namespace luge::nn
