#include <luge/nn/embedding.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>

namespace luge::nn {

Tensor embedding(const Tensor& index, const Tensor& weight, std::string_view op) {
  const std::string name(op);
  const Operation called(name.c_str());
  LUGE_CHECK(ValueError, index.defined(), "{}: index is an undefined tensor", op);
  LUGE_CHECK(ValueError, weight.defined(), "{}: weight is an undefined tensor", op);
  LUGE_CHECK(DTypeError, is_index(index.dtype()), "{}: index is {}; allowed are int32 and int64", op,
             luge::name(index.dtype()));
  LUGE_CHECK(ShapeError, weight.ndim() == 2 || weight.ndim() == 3,
             "{}: weight is {}; allowed are (count, dim) and (sets, count, dim)", op, to_string(weight.shape()));
  const std::int64_t dim = weight.shape().back();
  if (weight.ndim() == 2) {
    Shape shape = index.shape();
    shape.push_back(dim);
    return index_select(weight, 0, index.reshape({index.numel()})).reshape(shape);
  }
  const std::int64_t sets = weight.size(0);
  LUGE_CHECK(ShapeError, index.ndim() == 1 || (index.ndim() >= 2 && index.size(0) == sets),
             "{}: index is {}; allowed are (batch) and ({}, ...)", op, to_string(index.shape()), sets);
  if (index.ndim() == 1) return index_select(weight, 1, index);
  Shape shape = index.shape();
  shape.push_back(dim);
  const Tensor flat = index.ndim() == 2 ? index : index.flatten(1);
  return gather(weight, 1, flat.unsqueeze(-1).expand({-1, -1, dim})).reshape(shape);
}

Embedding::Embedding(Parameters& params, std::string_view name, std::int64_t count, std::int64_t dim,
                     std::optional<Init> init, std::optional<std::int64_t> padding_idx)
    : name_(name) {
  LUGE_CHECK(ValueError, count >= 1 && dim >= 1, "Embedding {}: count is {} and dim is {}; both must be 1 or more",
             name, count, dim);
  LUGE_CHECK(ValueError, !padding_idx || (*padding_idx >= -count && *padding_idx < count),
             "Embedding {}: padding_idx is {}; the table has {} rows", name, padding_idx.value_or(0), count);
  weight_ = params.add(name_ + ".weight", {count, dim}, init.value_or(init::normal(0, 1)));
  if (!padding_idx) return;
  padding_ = *padding_idx < 0 ? *padding_idx + count : *padding_idx;
  const NoGrad guard;
  weight_.slice(-2, *padding_, *padding_ + 1).fill_(0);
}

Embedding Embedding::on(const Parameters& params, std::string_view name) {
  Embedding layer(name);
  layer.weight_ = params[layer.name_ + ".weight"];
  LUGE_CHECK(ShapeError, layer.weight_.ndim() == (params.batched() ? 3 : 2),
             "Embedding {}: the weight has shape {}; it must be {}", name, to_string(layer.weight_.shape()),
             params.batched() ? "(sets, count, dim)" : "(count, dim)");
  return layer;
}

Tensor Embedding::operator()(const Tensor& index) const {
  const Tensor rows = embedding(index, weight_, "Embedding " + name_);
  if (!padding_ || !rows.requires_grad()) return rows;
  return where((index == *padding_).unsqueeze(-1), rows.detach(), rows);
}

}  // namespace luge::nn
