#include <luge/nn/embedding_bag.h>

#include <utility>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>

namespace luge::nn {

EmbeddingBag::EmbeddingBag(Parameters& params, std::string_view name, std::int64_t count, std::int64_t dim, EmbeddingBagOptions options)
    : options_(std::move(options)) {
  LUGE_CHECK(ValueError, count >= 1 && dim >= 1, "EmbeddingBag {}: count is {} and dim is {}; both must be 1 or more", name, count, dim);
  LUGE_CHECK(ValueError, !params.batched(), "EmbeddingBag {}: the arena has sets; bags have none, so take Embedding and reduce its result",
             name);
  const std::optional<std::int64_t> padding = options_.padding_idx;
  LUGE_CHECK(ValueError, !padding || (*padding >= -count && *padding < count), "EmbeddingBag {}: padding_idx is {}; the table has {} rows",
             name, padding.value_or(0), count);
  weight_ = params.add(std::string(name) + ".weight", {count, dim}, init::normal(0, 1));
  if (!padding) return;
  const NoGrad guard;
  weight_.select(0, *padding).fill_(0);
}

Tensor EmbeddingBag::operator()(const Tensor& index, const Tensor& offsets, const Tensor& weights) const {
  EmbeddingBagOptions options = options_;
  options.offsets = offsets;
  options.weights = weights;
  return embedding_bag(index, weight_, options);
}

}  // namespace luge::nn
