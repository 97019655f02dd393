#include <luge/ops/embedding.h>

#include <limits>
#include <vector>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/nn/embedding.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/rounded_once.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/norm.h>
#include <luge/ops/scatter.h>
#include <luge/ops/search.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

std::optional<std::int64_t> padding_row(const char* op, std::optional<std::int64_t> padding, const Tensor& weight) {
  if (!padding) return {};
  const std::int64_t count = weight.size(-2);
  LUGE_CHECK(ValueError, *padding >= -count && *padding < count, "{}: padding_idx is {}; the table has {} rows", op, *padding,
             count);
  return *padding < 0 ? *padding + count : *padding;
}

void check_table(const char* op, const Tensor& index, const Tensor& weight) {
  checked(index, op, "index");
  const TensorImpl& table = checked(weight, op, "weight");
  LUGE_CHECK(DTypeError, is_index(index.dtype()), "{}: index is {}; allowed are int32 and int64", op, name(index.dtype()));
  LUGE_CHECK(ShapeError, table.shape.ndim() == 2 || table.shape.ndim() == 3,
             "{}: weight is {}; allowed are (count, dim) and (sets, count, dim)", op, to_string(table.shape));
}

/// How often each row is named, (count) or (sets, count), in `dtype`.
Tensor frequencies(const Tensor& index, const Tensor& weight, DType dtype) {
  const std::int64_t count = weight.size(-2);
  const TensorOptions options{.dtype = dtype, .device = weight.device()};
  if (weight.ndim() == 2 || index.ndim() == 1) {
    const Tensor flat = index.reshape({index.numel()});
    return index_add(zeros({count}, options), 0, flat, ones({flat.numel()}, options));
  }
  const Tensor flat = index.flatten(1).to(DType::Int64);
  return scatter_add(zeros({weight.size(0), count}, options), 1, flat, ones(flat.shape(), options));
}

/// The rows, whose gradient is divided by their frequencies.
Tensor rows_by_frequency(const char* op, const Tensor& index, const Tensor& weight) {
  return with_derivative(
      op, {weight}, [&] { return nn::embedding(index, weight, op); },
      [index](const Tensor& gradient, std::span<const Tensor> inputs) {
        const Tensor& table = inputs[0];
        const DType wide = arithmetic_dtype(table.dtype());
        const Tensor counts = no_grad([&] { return frequencies(index, table, wide); });
        const bool shared = table.ndim() == 2 || index.ndim() == 1;
        const Tensor flat = shared ? index.reshape({index.numel()}) : index.flatten(1);
        const std::int64_t dim = table.size(-1);
        const Tensor zero = zeros(table.shape(), {.dtype = wide, .device = table.device()});
        if (table.ndim() == 2) {
          const Tensor rows = gradient.to(wide).reshape({flat.numel(), dim});
          const Tensor often = index_select(counts, 0, flat).unsqueeze(1);
          return std::vector<Tensor>{index_add(zero, 0, flat, rows / often).to(table.dtype())};
        }
        const std::int64_t sets = table.size(0);
        const Tensor rows = gradient.to(wide).reshape({sets, shared ? flat.numel() : flat.size(1), dim});
        const Tensor often = shared ? index_select(counts, 0, flat).unsqueeze(1) : gather(counts, 1, flat).unsqueeze(2);
        const Tensor each = shared ? flat.reshape({1, flat.numel(), 1}) : flat.unsqueeze(2);
        return std::vector<Tensor>{scatter_add(zero, 1, each.to(DType::Int64).expand(rows.shape()), rows / often).to(table.dtype())};
      });
}

}  // namespace

Tensor embedding(const Tensor& index, const Tensor& weight, const EmbeddingOptions& options) {
  const Operation called("embedding");
  check_table("embedding", index, weight);
  const auto padding = padding_row("embedding", options.padding_idx, weight);
  const Tensor rows = options.scale_grad_by_freq ? rows_by_frequency("embedding", index, weight) : nn::embedding(index, weight);
  if (!padding || !grad_enabled() || !weight.requires_grad()) return rows;
  return where((index == *padding).unsqueeze(-1), rows.detach(), rows);
}

Tensor& renormalize_rows_(Tensor& weight, const Tensor& index, double max_norm, double p) {
  constexpr const char* kOp = "renormalize_rows_";
  const Operation called(kOp);
  check_table(kOp, index, weight);
  const NoGrad guard;
  const DType wide = arithmetic_dtype(weight.dtype());
  const Tensor used = frequencies(index, weight, wide) > 0;
  const Tensor norms = vector_norm(weight.to(wide), p, -1);
  const Tensor factors = where(used.logical_and(norms > max_norm), max_norm / (norms + 1e-7), 1);
  weight.mul_(factors.unsqueeze(-1).to(weight.dtype()));
  return weight;
}

namespace {

struct Bags {
  Tensor index;         ///< flat
  Tensor of;            ///< the bag of each index, int64
  std::int64_t count;   ///< of bags
};

Bags bags_of(const Tensor& index, const EmbeddingBagOptions& options) {
  constexpr const char* kOp = "embedding_bag";
  const TensorOptions whole{.dtype = DType::Int64, .device = index.device()};
  if (index.ndim() == 2) {
    LUGE_CHECK(ValueError, !options.offsets.defined(), "{}: offsets are given, and index is {}; they go with one dimension", kOp,
               to_string(index.shape()));
    const Tensor rows = arange(0, index.size(0), 1, whole).unsqueeze(1).expand(index.shape());
    return {index.reshape({index.numel()}), rows.reshape({index.numel()}), index.size(0)};
  }
  LUGE_CHECK(ShapeError, index.ndim() == 1, "{}: index is {}; allowed are (bags, size) and (total)", kOp, to_string(index.shape()));
  LUGE_CHECK(ValueError, options.offsets.defined(), "{}: index is {}; it needs offsets", kOp, to_string(index.shape()));
  const Tensor& offsets = options.offsets;
  LUGE_CHECK(DTypeError, is_index(offsets.dtype()), "{}: offsets are {}; allowed are int32 and int64", kOp, name(offsets.dtype()));
  LUGE_CHECK(ShapeError, offsets.ndim() == 1, "{}: offsets have shape {}; they must have one dimension", kOp,
             to_string(offsets.shape()));
  const std::int64_t ends = options.include_last_offset ? 1 : 0;
  LUGE_CHECK(ValueError, offsets.size(0) >= ends, "{}: offsets are empty; with include_last_offset there must be one", kOp);
  if (!observer && offsets.device().is_cpu() && offsets.numel() > 0) {
    const auto first = no_grad([&] { return offsets.slice(0, 0, 1).to(DType::Int64).item<std::int64_t>(); });
    const auto last = no_grad([&] { return offsets.slice(0, -1).to(DType::Int64).item<std::int64_t>(); });
    LUGE_CHECK(ValueError, first == 0, "{}: offsets begin with {}; they must begin with 0", kOp, first);
    LUGE_CHECK(ValueError, last <= index.numel(), "{}: the last of the offsets is {}; index has {} elements", kOp, last,
               index.numel());
  }
  const std::int64_t count = offsets.size(0) - ends;
  LUGE_CHECK(ValueError, count > 0 || index.numel() == 0, "{}: there are no bags for {} indices", kOp, index.numel());
  const Tensor starts = offsets.slice(0, 0, count).to(DType::Int64);
  const Tensor places = arange(0, index.numel(), 1, whole);
  if (count == 0) return {index, places, 0};
  return {index, searchsorted(starts, places, {.right = true}) - 1, count};
}

}  // namespace

Tensor embedding_bag(const Tensor& index, const Tensor& weight, const EmbeddingBagOptions& options) {
  constexpr const char* kOp = "embedding_bag";
  const Operation called(kOp);
  check_table(kOp, index, weight);
  LUGE_CHECK(ShapeError, weight.ndim() == 2, "{}: weight is {}; it must be (count, dim)", kOp, to_string(weight.shape()));
  LUGE_CHECK(ValueError, !options.weights.defined() || options.mode == BagMode::Sum,
             "{}: per_sample_weights are given; they go with mode 'sum' alone", kOp);
  LUGE_CHECK(ValueError, !options.scale_grad_by_freq || options.mode != BagMode::Max,
             "{}: scale_grad_by_freq does not go with mode 'max'", kOp);
  if (options.weights.defined()) {
    LUGE_CHECK(ShapeError, options.weights.shape() == index.shape(), "{}: per_sample_weights have shape {} and index has {}; they must be equal",
               kOp, to_string(options.weights.shape()), to_string(index.shape()));
    LUGE_CHECK(DTypeError, options.weights.dtype() == weight.dtype(), "{}: per_sample_weights are {} and weight is {}; they must be equal",
               kOp, name(options.weights.dtype()), name(weight.dtype()));
  }
  const auto padding = padding_row(kOp, options.padding_idx, weight);
  const auto [flat, bag, count] = bags_of(index, options);
  const DType dtype = weight.dtype(), wide = arithmetic_dtype(dtype);
  const std::int64_t dim = weight.size(1);
  const TensorOptions wide_options{.dtype = wide, .device = weight.device()};
  Tensor rows = options.scale_grad_by_freq ? rows_by_frequency(kOp, flat, weight) : nn::embedding(flat, weight, kOp);
  rows = rows.to(wide);
  if (options.weights.defined()) rows = rows * options.weights.reshape({flat.numel(), 1}).to(wide);
  Tensor counted;
  if (padding) counted = flat != *padding;
  if (options.mode == BagMode::Max) {
    if (padding) rows = where(counted.unsqueeze(1), rows, -std::numeric_limits<double>::infinity());
    const Tensor lowest = full({count, dim}, -std::numeric_limits<double>::infinity(), wide_options);
    const Tensor largest = scatter_reduce(lowest, 0, bag.unsqueeze(1).expand({-1, dim}), rows, "amax", false);
    Tensor filled = index_add(zeros({count}, wide_options), 0, bag, padding ? counted.to(wide) : ones({flat.numel()}, wide_options));
    return where((filled > 0).unsqueeze(1), largest, 0).to(dtype);
  }
  if (padding) rows = where(counted.unsqueeze(1), rows, 0);
  const Tensor sums = index_add(zeros({count, dim}, wide_options), 0, bag, rows);
  if (options.mode == BagMode::Sum) return sums.to(dtype);
  const Tensor sizes = index_add(zeros({count}, wide_options), 0, bag, padding ? counted.to(wide) : ones({flat.numel()}, wide_options));
  return (sums / sizes.clamp(1, {}).unsqueeze(1)).to(dtype);
}

}  // namespace luge
