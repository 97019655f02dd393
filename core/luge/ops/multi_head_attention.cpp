#include <luge/ops/multi_head_attention.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/attention.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/drop_factors.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/matmul.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr const char* kName = "multi_head_attention_forward";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A sum over the last dimension of x (.., a, b, n), with the sets of the weight before it.
Tensor projected(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.ndim() == 2) return linear(x, weight, bias);
  const int ndim = x.ndim();
  Shape rows{x.size(-3) * x.size(-2), x.size(-1)};
  if (ndim == 4) rows.insert(0, x.size(0));
  return linear(x.reshape(rows), weight, bias).reshape({weight.size(0), x.size(-3), x.size(-2), weight.size(-2)});
}

Tensor part(const Tensor& x, int dim, std::int64_t first, std::int64_t count, std::int64_t size) {
  return x.defined() ? x.slice(dim, first * size, (first + count) * size) : x;
}

struct Projections {
  Tensor q, k, v;  ///< (sets.., a, b, E)
};

Projections project(const Tensor& query, const Tensor& key, const Tensor& value, const MultiHeadWeights& w, std::int64_t size) {
  const Tensor &bias = w.in_proj_bias, &weight = w.in_proj_weight;
  if (!weight.defined())
    return {projected(query, w.q_proj_weight, part(bias, -1, 0, 1, size)), projected(key, w.k_proj_weight, part(bias, -1, 1, 1, size)),
            projected(value, w.v_proj_weight, part(bias, -1, 2, 1, size))};
  const bool one_source = key.impl() == value.impl();
  if (one_source && query.impl() == key.impl()) {
    const Tensor all = projected(query, weight, bias);
    return {part(all, -1, 0, 1, size), part(all, -1, 1, 1, size), part(all, -1, 2, 1, size)};
  }
  const auto one = [&](const Tensor& x, std::int64_t first, std::int64_t count) {
    return projected(x, part(weight, -2, first, count, size), part(bias, -1, first, count, size));
  };
  if (!one_source) return {one(query, 0, 1), one(key, 1, 1), one(value, 2, 1)};
  const Tensor both = one(key, 1, 2);
  return {one(query, 0, 1), part(both, -1, 0, 1, size), part(both, -1, 1, 1, size)};
}

/// (.., a, b, E) as (.., batch, heads, sequence, E / heads).
Tensor in_heads(const Tensor& x, std::int64_t heads, bool batch_first) {
  Shape shape = x.shape();
  const int a = x.ndim() - 3;
  shape[a + 2] = heads;
  shape.push_back(x.size(-1) / heads);
  Tensor split = x.reshape(shape);  // (.., a, b, heads, head)
  if (!batch_first) split = split.transpose(a, a + 1);
  return split.transpose(a + 1, a + 2);
}

/// One key more, or its value: `bias` (sets.., 1, 1, E), or zeros.
Tensor with_one_more(const Tensor& x, const Tensor& bias) {
  Shape shape = x.shape();
  shape[x.ndim() - 2] = 1;
  if (!bias.defined()) return cat({x, zeros(shape, {.dtype = x.dtype(), .device = x.device()})}, -2);
  Shape own = shape;
  own[x.ndim() - 4] = 1;
  return cat({x, bias.reshape(own).expand(shape)}, -2);
}
/// A key more that is looked at.
Tensor with_column(const Tensor& mask) {
  Shape shape = mask.shape();
  shape[mask.ndim() - 1] = 1;
  return cat({mask, zeros(shape, {.dtype = mask.dtype(), .device = mask.device()})}, -1);
}

Tensor as_scores(const Tensor& mask, DType dtype) {
  if (mask.dtype() != DType::Bool) return mask.to(dtype);
  return where(mask, -kInfinity, zeros({}, {.dtype = dtype, .device = mask.device()}));
}
/// Of two masks that hide keys, or add to scores.
Tensor merged(const Tensor& a, const Tensor& b, DType dtype) {
  if (!a.defined() || !b.defined()) return a.defined() ? a : b;
  if (a.dtype() == DType::Bool && b.dtype() == DType::Bool) return logical_or(a, b);
  return as_scores(a, dtype) + as_scores(b, dtype);
}

// ---- arguments ----------------------------------------------------------------------------------

void check_mask(const char* argument, const Tensor& mask, const Tensor& query) {
  LUGE_CHECK(DTypeError, mask.dtype() == DType::Bool || is_floating(mask.dtype()), "{}: {} is {}; allowed are bool and the floating dtypes",
             kName, argument, name(mask.dtype()));
  LUGE_CHECK(DeviceError, mask.device() == query.device(), "{}: query is on {} and {} on {}; bring them together with to()", kName,
             to_string(query.device()), argument, to_string(mask.device()));
}

struct Sizes {
  bool unbatched;
  std::int64_t sets;  ///< 0: weights have none
  std::int64_t batch, queries, keys, size;
};

void check_weight(const char* argument, const Tensor& weight, const Shape& one, const Sizes& sizes) {
  Shape shape = one;
  if (sizes.sets) shape.insert(0, sizes.sets);
  LUGE_CHECK(ShapeError, checked(weight, kName, argument).shape == shape, "{}: {} has shape {}; it must be {}", kName, argument,
             to_string(weight.shape()), to_string(shape));
}

Sizes sizes_of(const Tensor& query, const Tensor& key, const Tensor& value, std::int64_t heads, const MultiHeadWeights& w,
               const MultiHeadOptions& options) {
  checked(query, kName, "query");
  checked(key, kName, "key");
  checked(value, kName, "value");
  const Tensor& out = w.out_proj_weight;
  checked(out, kName, "out_proj_weight");
  Sizes sizes{};
  sizes.size = out.size(-1);
  sizes.sets = out.ndim() == 3 ? out.size(0) : 0;
  LUGE_CHECK(ShapeError, out.ndim() == 2 || out.ndim() == 3, "{}: out_proj_weight has shape {}; it must be (E, E), or that with sets before it",
             kName, to_string(out.shape()));
  LUGE_CHECK(ValueError, heads >= 1 && sizes.size % heads == 0, "{}: embed_dim is {} and num_heads {}; it must divide it", kName, sizes.size, heads);
  const int ndim = query.ndim();
  sizes.unbatched = ndim == 2;
  const bool fits = ndim == 2 || ndim == 3 || (ndim == 4 && sizes.sets);
  const auto alike = [&](const Tensor& x) { return x.ndim() == ndim || (sizes.sets && ndim >= 3 && (x.ndim() == 3 || x.ndim() == 4)); };
  LUGE_CHECK(ShapeError, fits && alike(key) && alike(value),
             "{}: query is {}, key is {} and value is {}; all must have 2 dimensions or 3{}", kName, to_string(query.shape()),
             to_string(key.shape()), to_string(value.shape()), sizes.sets ? ", or 4 with sets" : "");
  const int sequence = options.batch_first && !sizes.unbatched ? -2 : ndim == 2 ? -2 : -3, batch = sequence == -2 ? -3 : -2;
  sizes.queries = query.size(sequence);
  sizes.keys = key.size(sequence);
  sizes.batch = sizes.unbatched ? 1 : query.size(batch);
  LUGE_CHECK(ShapeError, query.size(-1) == sizes.size, "{}: query is {}; its last size must be the embedding's, {}", kName,
             to_string(query.shape()), sizes.size);
  LUGE_CHECK(ShapeError, value.size(sequence) == sizes.keys && (sizes.unbatched || (key.size(batch) == sizes.batch && value.size(batch) == sizes.batch)),
             "{}: query is {}, key is {} and value is {}; there must be as many keys as values, and one size of the batch", kName,
             to_string(query.shape()), to_string(key.shape()), to_string(value.shape()));
  for (const Tensor* const x : {&query, &key, &value}) {
    LUGE_CHECK(ShapeError, x->ndim() < 4 || x->size(0) == sizes.sets, "{}: an input is {} and the weights have {} sets", kName,
               to_string(x->shape()), sizes.sets);
    LUGE_CHECK(DTypeError, x->dtype() == out.dtype(), "{}: query is {}, key is {}, value is {} and the weights are {}; all must be of one dtype",
               kName, name(query.dtype()), name(key.dtype()), name(value.dtype()), name(out.dtype()));
  }
  return sizes;
}

void check_weights(const MultiHeadWeights& w, const Tensor& key, const Tensor& value, const Sizes& sizes) {
  const std::int64_t size = sizes.size;
  const Tensor& out = w.out_proj_weight;
  check_weight("out_proj_weight", out, {size, size}, sizes);
  if (w.in_proj_weight.defined()) {
    check_weight("in_proj_weight", w.in_proj_weight, {3 * size, size}, sizes);
    LUGE_CHECK(ShapeError, key.size(-1) == size && value.size(-1) == size, "{}: key is {} and value is {}; their last sizes must be the embedding's, {}",
               kName, to_string(key.shape()), to_string(value.shape()), size);
  } else {
    check_weight("q_proj_weight", w.q_proj_weight, {size, size}, sizes);
    check_weight("k_proj_weight", w.k_proj_weight, {size, key.size(-1)}, sizes);
    check_weight("v_proj_weight", w.v_proj_weight, {size, value.size(-1)}, sizes);
  }
  if (w.in_proj_bias.defined()) check_weight("in_proj_bias", w.in_proj_bias, {3 * size}, sizes);
  if (w.out_proj_bias.defined()) check_weight("out_proj_bias", w.out_proj_bias, {size}, sizes);
  LUGE_CHECK(ValueError, w.bias_k.defined() == w.bias_v.defined(), "{}: one of bias_k and bias_v is missing", kName);
  if (!w.bias_k.defined()) return;
  check_weight("bias_k", w.bias_k, {1, 1, size}, sizes);
  check_weight("bias_v", w.bias_v, {1, 1, size}, sizes);
}

/// Both masks of `options` as one that hides keys or adds to scores: broadcast to (sets.., batch, heads, L, S).
Tensor mask_of(const Tensor& query, const Sizes& sizes, std::int64_t heads, const MultiHeadOptions& options, int more) {
  Tensor mask = options.attn_mask, padding = options.key_padding_mask;
  if (mask.defined()) {
    check_mask("attn_mask", mask, query);
    const Shape flat{sizes.queries, sizes.keys}, whole{sizes.batch * heads, sizes.queries, sizes.keys};
    LUGE_CHECK(ShapeError, mask.shape() == flat || mask.shape() == whole, "{}: attn_mask has shape {}; it must be {} or {}", kName,
               to_string(mask.shape()), to_string(flat), to_string(whole));
    if (mask.ndim() == 3) mask = mask.reshape({sizes.batch, heads, sizes.queries, sizes.keys});
    for (int i = 0; i < more; ++i) mask = with_column(mask);
  }
  if (padding.defined()) {
    check_mask("key_padding_mask", padding, query);
    const Shape one = sizes.unbatched ? Shape{sizes.keys} : Shape{sizes.batch, sizes.keys};
    Shape in_sets = one;
    if (sizes.sets) in_sets.insert(0, sizes.sets);
    LUGE_CHECK(ShapeError, padding.shape() == one || padding.shape() == in_sets, "{}: key_padding_mask has shape {}; it must be {}", kName,
               to_string(padding.shape()), to_string(one));
    for (int i = 0; i < more; ++i) padding = with_column(padding);
    padding = padding.unsqueeze(-2).unsqueeze(-2);  // (.., batch, 1, 1, S)
  }
  return merged(mask, padding, query.dtype());
}

/// As PyTorch computes it where the weights are asked for.
std::pair<Tensor, Tensor> with_weights(const Projections& p, const Tensor& mask, double dropout_p, bool sets, std::int64_t first_set) {
  Tensor scores = matmul(p.q * std::sqrt(1 / static_cast<double>(p.q.size(-1))), p.k.transpose(-1, -2));
  if (mask.defined()) scores = mask.dtype() == DType::Bool ? where(mask, -kInfinity, scores) : scores + mask.to(scores.dtype());
  Tensor weights = scores.softmax(-1);
  if (dropout_p == 1) weights = weights * 0;
  if (dropout_p > 0 && dropout_p < 1)
    weights = weights * no_grad([&] {
                return drop_factors(weights, dropout_p, sets, first_set);
              });
  return {matmul(weights, p.v), weights};
}

}  // namespace

MultiHeadResult multi_head_attention(const Tensor& given_query, const Tensor& given_key, const Tensor& given_value,
                                     std::int64_t heads, const MultiHeadWeights& given, const MultiHeadOptions& options) {
  const Operation called(kName);
  MultiHeadWeights weights = given;
  for (Tensor* const one : {&weights.in_proj_weight, &weights.q_proj_weight, &weights.k_proj_weight, &weights.v_proj_weight,
                            &weights.in_proj_bias, &weights.bias_k, &weights.bias_v, &weights.out_proj_weight,
                            &weights.out_proj_bias})
    *one = autocast_low(*one);
  // One source stays one, so that it is projected at once.
  const Tensor query = autocast_low(given_query);
  const Tensor key = given_key.impl() == given_query.impl() ? query : autocast_low(given_key);
  const Tensor value = given_value.impl() == given_key.impl() ? key : autocast_low(given_value);
  const Sizes sizes = sizes_of(query, key, value, heads, weights, options);
  check_weights(weights, key, value, sizes);
  LUGE_CHECK(ValueError, options.dropout_p >= 0 && options.dropout_p <= 1, "{}: dropout_p is {}; it must be from 0 to 1", kName, options.dropout_p);
  LUGE_CHECK(ValueError, !options.is_causal || options.attn_mask.defined(), "{}: is_causal says what attn_mask is, which must be given", kName);
  const double dropout_p = options.training ? options.dropout_p : 0;
  const bool batch_first = options.batch_first || sizes.unbatched;

  // Without a batch: (1, L, E). One tensor that is given twice stays one.
  const auto batched = [&](const Tensor& x) { return sizes.unbatched ? x.unsqueeze(0) : x; };
  const Tensor q = batched(query), k = key.impl() == query.impl() ? q : batched(key),
               v = value.impl() == key.impl() ? k : value.impl() == query.impl() ? q : batched(value);
  Projections p = project(q, k, v, weights, sizes.size);
  p = {in_heads(p.q, heads, batch_first), in_heads(p.k, heads, batch_first), in_heads(p.v, heads, batch_first)};
  int more = 0;
  if (weights.bias_k.defined()) {
    const auto heads_of = [&](const Tensor& bias) { return in_heads(bias, heads, true); };  // (sets.., 1, heads, 1, head)
    p.k = with_one_more(p.k, heads_of(weights.bias_k));
    p.v = with_one_more(p.v, heads_of(weights.bias_v));
    ++more;
  }
  if (options.add_zero_attn) {
    p.k = with_one_more(p.k, {});
    p.v = with_one_more(p.v, {});
    ++more;
  }
  const bool hint = options.is_causal && !options.key_padding_mask.defined() && !options.need_weights;
  const Tensor mask = mask_of(query, sizes, heads, options, more);

  Tensor output, found;
  if (options.need_weights) {
    std::tie(output, found) = with_weights(p, mask, dropout_p, sizes.sets > 0, options.first_set);
    if (options.average_attn_weights) found = found.mean(-3);
    if (sizes.unbatched) found = found.squeeze(sizes.sets ? 1 : 0);
  } else {
    AttentionOptions how{.dropout_p = dropout_p, .is_causal = hint, .first_set = sizes.sets ? options.first_set : 0};
    if (mask.defined() && !hint) how.attn_mask = mask.dtype() == DType::Bool ? logical_not(mask) : mask.to(p.q.dtype());
    output = scaled_dot_product_attention(p.q, p.k, p.v, how);
  }
  const int b = output.ndim() - 4;
  output = output.transpose(b + 1, b + 2);  // (.., batch, L, heads, head)
  if (!batch_first) output = output.transpose(b, b + 1);
  Shape joined = output.shape();
  joined.erase(output.ndim() - 1);
  joined[output.ndim() - 2] = sizes.size;
  output = projected(output.reshape(joined), weights.out_proj_weight, weights.out_proj_bias);
  return {sizes.unbatched ? output.squeeze(b) : output, found};
}

}  // namespace luge
