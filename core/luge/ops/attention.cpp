#include <luge/ops/attention.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/derivative_node.h>
#include <luge/ops/detail/product.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/ops/replace.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Rows of scores that are computed at a time: causal ones waste less in small blocks.
constexpr std::int64_t kRows = 128, kCausalRows = 64;
/// Scores that are computed at a time, of several matrices where they are small: a few such blocks stay in a cache.
constexpr std::int64_t kScores = std::int64_t{1} << 18;
/// Terms of one product over keys: what the CPU's own chains take.
constexpr std::int64_t kTerms = 1024;

/// Which matrices of tensors with leading dimensions, all of which may be of size 1, instead.
struct Matrices {
  std::int64_t first = 0;        ///< their number, counting row-major
  std::vector<std::int64_t> at;  ///< indices of the first dimensions
  std::int64_t start = 0, stop = 0;  ///< along the next one, if there is one

  Tensor of(const Tensor& x) const {
    Tensor part = x;
    for (const std::int64_t index : at) part = part.select(0, part.size(0) == 1 ? 0 : index);
    return part.ndim() > 2 && part.size(0) != 1 ? part.slice(0, start, stop) : part;
  }
};

/// All matrices of these leading dimensions, about `count` at a time.
std::vector<Matrices> groups(const Shape& lead, std::int64_t count) {
  int whole = lead.ndim();  // dimensions from here on are taken whole
  std::int64_t inner = 1;
  while (whole > 0 && inner * lead[whole - 1] <= count) inner *= lead[--whole];
  const int sliced = whole - 1;  // this one in slices
  const std::int64_t step = sliced < 0 ? 0 : std::max<std::int64_t>(count / inner, 1);
  std::vector<Matrices> result;
  if (whole == 0) return {{.first = 0, .at = {}, .start = 0, .stop = lead.empty() ? 0 : lead[0]}};
  std::vector<std::int64_t> at(static_cast<std::size_t>(sliced), 0);
  for (std::int64_t first = 0;; first += lead[sliced] * inner) {
    for (std::int64_t start = 0; start < lead[sliced]; start += step)
      result.push_back({.first = first + start * inner, .at = at, .start = start, .stop = std::min(start + step, lead[sliced])});
    int d = sliced - 1;
    for (; d >= 0 && ++at[static_cast<std::size_t>(d)] == lead[d]; --d) at[static_cast<std::size_t>(d)] = 0;
    if (d < 0) return result;
  }
}

/// A tensor of this shape whose dimensions -3 and -2 lie in memory the other way round, as layers use them, or not.
Tensor made(Shape shape, bool turned, const Tensor& like) {
  const int ndim = shape.ndim();
  if (!turned || ndim < 3) return empty_tensor(shape, like.dtype(), like.storage()->backend());
  std::swap(shape[ndim - 3], shape[ndim - 2]);
  const Tensor laid = empty_tensor(shape, like.dtype(), like.storage()->backend());
  Strides strides = laid.strides();
  std::swap(strides[ndim - 3], strides[ndim - 2]);
  std::swap(shape[ndim - 3], shape[ndim - 2]);
  return Tensor(new TensorImpl(laid.storage(), laid.dtype(), shape, strides, 0, laid.numel()));
}
/// As x lies.
Tensor made_like(const Tensor& x) {
  const int ndim = x.ndim();
  return made(x.shape(), ndim > 2 && x.strides()[ndim - 3] < x.strides()[ndim - 2], x);
}

/// out (=, +=) a b, in parts of the terms.
void multiply_terms(const Tensor& a, const Tensor& b, const Tensor& out, Store store) {
  const std::int64_t terms = b.size(-2);
  for (std::int64_t from = 0; from < std::max<std::int64_t>(terms, 1); from += kTerms) {
    const std::int64_t to = std::min(from + kTerms, terms);
    multiply(a.slice(-1, from, to), b.slice(-2, from, to), out, from == 0 ? store : Store::Accumulate);
  }
}

/// Elements from one row of scores to the next: rows that lie a power of two apart would share few sets of a cache.
std::int64_t distance(std::int64_t keys) { return (keys + 15) / 16 * 16 + 16; }

/// One call's setting: tensors have as many dimensions as the query and its leading sizes, those of the mask or 1.
class Attention {
 public:
  Attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, const AttentionOptions& options)
      : causal_(options.is_causal), scale_(options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))))),
        dropped_(std::max(options.dropout_p, 0.0)), queries_(query.size(-2)), keys_(key.size(-2)),
        wanted_{needs_grad(query), needs_grad(key), needs_grad(value), needs_grad(mask)} {
    if (query.size(-1) == 0 && !options.scale) scale_ = 1;
    lead_ = query.shape();
    lead_.erase(lead_.ndim() - 1);
    lead_.erase(lead_.ndim() - 1);
    if (!lead_.empty() && lead_[0] > 0) first_ = options.first_set * (element_count(lead_) / lead_[0]);
    rows_ = std::min(queries_, causal_ ? kCausalRows : kRows);
    groups_ = groups(lead_, std::max<std::int64_t>(kScores / std::max<std::int64_t>(rows_ * keys_, 1), 1));
    if (element_count(lead_) == 0) groups_.clear();
    if (dropped_ > 0 && dropped_ < 1) state_ = randint(0, std::int64_t{1} << 39, {2}, {.dtype = DType::Int64, .device = query.device()});
  }

  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask) const {
    Shape shape = query.shape();
    shape[shape.ndim() - 1] = value.size(-1);
    const Tensor result = made(shape, shape.ndim() > 3, query), scratch = scratch_like(query), hidden = hidden_keys(query);
    for_each_block([&](const Block& block) {
      const Tensor queries = block.of_queries(query) * scale_, weights = block.scores_in(scratch, queries);
      softmax_of(block, queries, key, mask, hidden, weights);
      drop(block, weights, weights);
      multiply_terms(weights, block.of_keys(value), block.of_queries(result), Store::Overwrite);
    });
    return result;
  }

  std::vector<Tensor> derivative(const Tensor& gradient, std::span<const Tensor> inputs) const {
    return grad_enabled() ? recorded(gradient, inputs) : in_blocks(gradient, inputs);
  }

 private:
  /// Some queries of some matrices, and the keys that they look at.
  struct Block {
    const Matrices* matrices;
    std::int64_t number, first, last, keys;

    /// In this memory, for the scores of these queries.
    Tensor scores_in(const Tensor& scratch, const Tensor& queries) const {
      Shape shape = queries.shape();
      shape[shape.ndim() - 1] = distance(keys);
      const Strides strides = contiguous_strides(shape);
      shape[shape.ndim() - 1] = keys;
      return window_tensor(scratch, shape, strides, 0);
    }
    Tensor of_queries(const Tensor& x) const { return matrices->of(x).slice(-2, first, last); }
    Tensor of_keys(const Tensor& x) const { return matrices->of(x).slice(-2, 0, keys); }
    Tensor of_scores(const Tensor& x) const {
      Tensor part = matrices->of(x);
      if (part.size(-2) != 1) part = part.slice(-2, first, last);
      return part.size(-1) != 1 ? part.slice(-1, 0, keys) : part;
    }
  };

  /// The last queries first: they look at the most keys.
  template <class Body>
  void for_each_block(const Body& body) const {
    if (queries_ == 0) return;
    const std::int64_t blocks = (queries_ + rows_ - 1) / rows_;
    for (const Matrices& matrices : groups_)
      for (std::int64_t b = blocks; b-- > 0;) {
        const std::int64_t first = b * rows_, last = std::min(first + rows_, queries_);
        body(Block{&matrices, b, first, last, causal_ ? std::min(last, keys_) : keys_});
      }
  }

  /// Memory for the scores of any block, which all blocks use one after the other: it stays in a cache.
  Tensor scratch_like(const Tensor& x) const {
    std::int64_t most = 0;
    for_each_block([&](const Block& block) {
      Shape shape = block.of_queries(x).shape();
      shape[shape.ndim() - 1] = distance(block.keys);
      most = std::max(most, element_count(shape));
    });
    return empty_tensor({most}, x.dtype(), x.storage()->backend());
  }
  /// Whether key j comes after query i, of as many as a block has.
  Tensor hidden_keys(const Tensor& like) const {
    if (!causal_) return {};
    const Tensor numbers = arange(0, rows_, 1, {.dtype = DType::Int64, .device = like.device()});
    return numbers > numbers.unsqueeze(1);
  }

  /// The weights before some are dropped, written to `scores`.
  void softmax_of(const Block& block, const Tensor& queries, const Tensor& key, const Tensor& mask, const Tensor& hidden,
                  Tensor scores) const {
    multiply(queries, block.of_keys(key).transpose(-1, -2), scores, Store::Overwrite);
    if (block.keys > block.first && hidden.defined()) {
      Tensor square = scores.slice(-1, block.first, block.keys);
      square.copy_(masked_fill(square, hidden.slice(0, 0, square.size(-2)).slice(1, 0, square.size(-1)), -kInfinity));
    }
    if (!mask.defined()) return run_softmax(Direction::Forward, scores, {}, scores);
    const Tensor part = block.of_scores(mask);
    scores.copy_(mask.dtype() == DType::Bool ? where(part, scores, -kInfinity) : scores + part);
    if (block.keys == 0) return;
    const Tensor nothing = scores.max(-1, true) == -kInfinity;
    run_softmax(Direction::Forward, scores, {}, scores);
    scores.copy_(masked_fill(scores, nothing, 0));
  }

  /// Of contiguous rows; `out` may be `in`, whose rows are read before they are written.
  static void run_softmax(Direction direction, const Tensor& in, const Tensor& y, const Tensor& out) {
    if (in.numel() == 0) return;
    Softmax call;
    call.direction = direction;
    call.columns = in.size(-1);
    call.rows = in.numel() / call.columns;
    const auto rows = [&](const Tensor& x) {
      Operand found = operand(x);
      found.strides[0] = x.strides()[x.ndim() - 2];
      return found;
    };
    call.in = rows(in);
    if (y.defined()) call.y = rows(y);
    call.out = rows(out);
    in.storage()->backend().run(call);
  }

  /// 1 / (1 - dropout_p) for a weight that stays, 0 for one that is dropped.
  Tensor factors(const Block& block, const Tensor& like) const {
    if (dropped_ >= 1) return zeros({1, 1}, {.dtype = like.dtype(), .device = like.device()});
    const Tensor uniform = empty_tensor(like.shape(), DType::Float32, like.storage()->backend());
    if (uniform.numel() > 0) {
      Random call;
      call.per_set = like.size(-2) * like.size(-1);
      call.sets = uniform.numel() / call.per_set;
      call.first_set = first_ + block.matrices->first;
      call.stream = static_cast<std::uint64_t>(block.number);
      call.state = static_cast<const RandomState*>(state_.data());
      call.out = operand(uniform);
      call.out.strides[0] = 1;
      uniform.storage()->backend().run(call);
    }
    return (uniform >= dropped_).to(like.dtype()) * (1 / (1 - dropped_));
  }
  void drop(const Block& block, const Tensor& weights, Tensor out) const {
    if (dropped_ > 0) out.copy_(weights * factors(block, weights));
  }

  std::vector<Tensor> in_blocks(const Tensor& given, std::span<const Tensor> inputs) const {
    const Tensor &query = inputs[0], &key = inputs[1], &value = inputs[2];
    const Tensor mask = inputs.size() > 3 ? inputs[3] : Tensor();
    // Products read rows; that of sum() is one number for all.
    const Tensor gradient = given.strides().back() == 1 ? given : given.contiguous();
    std::vector<Tensor> found(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (wanted_[i]) found[i] = made_like(inputs[i]);
    // The first block of a matrix looks at all of its keys, or at those that any looks at.
    const bool all = !groups_.empty() && queries_ > 0 && (!causal_ || queries_ >= keys_);
    for (std::size_t i = 1; i < inputs.size(); ++i)
      if (wanted_[i] && (!all || i == 3)) fill_values(found[i], 0);
    const bool scores_wanted = wanted_[0] || wanted_[1] || wanted_[3];
    const Tensor first = scratch_like(query), second = scratch_like(query), hidden = hidden_keys(query);
    for_each_block([&](const Block& block) {
      const Store store = all && block.last == queries_ ? Store::Overwrite : Store::Accumulate;
      const Tensor incoming = block.of_queries(gradient), queries = block.of_queries(query) * scale_;
      const Tensor weights = block.scores_in(first, queries), slope = block.scores_in(second, queries);
      softmax_of(block, queries, key, mask, hidden, weights);
      if (wanted_[2]) {
        drop(block, weights, slope);
        multiply((dropped_ > 0 ? slope : weights).transpose(-1, -2), incoming, block.of_keys(found[2]), store);
      }
      if (!scores_wanted) return;
      multiply(incoming, block.of_keys(value).transpose(-1, -2), slope, Store::Overwrite);
      drop(block, slope, slope);
      run_softmax(Direction::Backward, slope, weights, slope);
      if (wanted_[3] && slope.numel() > 0) reduce_values(ReduceOp::Sum, slope, block.of_scores(found[3]), Store::Accumulate);
      if (wanted_[0]) {
        Tensor part = block.of_queries(found[0]);
        multiply_terms(slope, block.of_keys(key), part, Store::Overwrite);
        part.mul_(scale_);
      }
      if (wanted_[1]) multiply(slope.transpose(-1, -2), queries, block.of_keys(found[1]), store);
    });
    return found;
  }

  /// The same in ops that are recorded, at once.
  std::vector<Tensor> recorded(const Tensor& gradient, std::span<const Tensor> inputs) const {
    const Tensor &query = inputs[0], &key = inputs[1], &value = inputs[2];
    const Tensor mask = inputs.size() > 3 ? inputs[3] : Tensor();
    const Tensor scaled = query * scale_;
    Tensor scores = matmul(scaled, key.transpose(-1, -2)), nothing;
    if (causal_) {
      const TensorOptions whole{.dtype = DType::Int64, .device = scores.device()};
      scores = masked_fill(scores, arange(0, keys_, 1, whole) > arange(0, queries_, 1, whole).unsqueeze(1), -kInfinity);
    }
    if (mask.defined()) scores = mask.dtype() == DType::Bool ? where(mask, scores, -kInfinity) : scores + mask;
    if (mask.defined() && keys_ > 0) {
      nothing = no_grad([&] { return scores.max(-1, true) == -kInfinity; });
      scores = masked_fill(scores, nothing, 0);
    }
    Tensor weights = scores.softmax(-1);
    if (nothing.defined()) weights = masked_fill(weights, nothing, 0);
    Tensor kept = weights, slope = matmul(gradient, value.transpose(-1, -2));
    if (dropped_ > 0) {
      const Tensor factor = no_grad([&] { return all_factors(weights); });
      kept = kept * factor;
      slope = slope * factor;
    }
    slope = weights * (slope - (slope * weights).sum(-1, true));
    std::vector<Tensor> found{matmul(slope, key) * scale_, matmul(slope.transpose(-1, -2), scaled),
                              matmul(kept.transpose(-1, -2), gradient)};
    if (mask.defined()) found.push_back(wanted_[3] ? sum_to(slope, mask.shape()) : Tensor());
    return found;
  }

  Tensor all_factors(const Tensor& like) const {
    Tensor all = zeros(like.shape(), {.dtype = like.dtype(), .device = like.device()});
    for_each_block([&](const Block& block) {
      Tensor part = block.of_scores(all);
      part.copy_(factors(block, empty(part.shape(), {.dtype = part.dtype(), .device = part.device()})));
    });
    return all;
  }

  bool causal_;
  double scale_, dropped_;
  std::int64_t queries_, keys_, rows_ = 0;
  std::int64_t first_ = 0;  ///< number of the first matrix, for the numbers that weights are dropped by
  std::array<bool, 4> wanted_;
  Shape lead_;
  std::vector<Matrices> groups_;
  Tensor state_;  ///< seed and stream of the numbers that weights are dropped by
};

// ---- arguments ----------------------------------------------------------------------------------

constexpr const char* kName = "scaled_dot_product_attention";

void check_tensors(const Tensor& query, const Tensor& key, const Tensor& value) {
  const Tensor* const tensors[] = {&query, &key, &value};
  const char* const names[] = {"query", "key", "value"};
  for (int i = 0; i < 3; ++i) checked(*tensors[i], kName, names[i]);
  for (int i = 0; i < 3; ++i) {
    const Tensor& x = *tensors[i];
    LUGE_CHECK(ShapeError, x.ndim() >= 2, "{}: {} has shape {}; it must have 2 dimensions or more", kName, names[i], to_string(x.shape()));
    LUGE_CHECK(DTypeError, is_floating(x.dtype()) && x.dtype() == query.dtype(),
               "{}: query is {}, key is {} and value is {}; all must be of one floating dtype", kName, name(query.dtype()),
               name(key.dtype()), name(value.dtype()));
    LUGE_CHECK(DeviceError, x.device() == query.device(), "{}: query is on {} and {} on {}; bring them together with to()", kName,
               to_string(query.device()), names[i], to_string(x.device()));
  }
  LUGE_CHECK(ShapeError, query.size(-1) == key.size(-1), "{}: query is {} and key is {}; their last sizes must be equal", kName,
             to_string(query.shape()), to_string(key.shape()));
  LUGE_CHECK(ShapeError, key.size(-2) == value.size(-2), "{}: key is {} and value is {}; there must be as many keys as values",
             kName, to_string(key.shape()), to_string(value.shape()));
}

void check_options(const Tensor& query, const AttentionOptions& options) {
  LUGE_CHECK(ValueError, options.dropout_p <= 1, "{}: dropout_p is {}; it must be at most 1", kName, options.dropout_p);
  const Tensor& mask = options.attn_mask;
  if (!mask.defined()) return;
  LUGE_CHECK(ValueError, !options.is_causal, "{}: attn_mask and is_causal are given; only one of them may be", kName);
  LUGE_CHECK(DTypeError, mask.dtype() == DType::Bool || mask.dtype() == DType::Float32 || mask.dtype() == query.dtype(),
             "{}: attn_mask is {}; allowed are bool, float32 and the queries' dtype, {}", kName, name(mask.dtype()),
             name(query.dtype()));
  LUGE_CHECK(DeviceError, mask.device() == query.device(), "{}: query is on {} and attn_mask on {}; bring them together with to()",
             kName, to_string(query.device()), to_string(mask.device()));
}

/// Each head of keys or values as often as there are heads of queries for it.
Tensor with_heads(const Tensor& x, const char* argument, const Tensor& query) {
  LUGE_CHECK(ShapeError, query.ndim() >= 3 && x.ndim() >= 3 && x.size(-3) > 0 && query.size(-3) % x.size(-3) == 0,
             "{}: query is {} and {} is {}; with enable_gqa the heads of {}, dimension -3, must divide those of query", kName,
             to_string(query.shape()), argument, to_string(x.shape()), argument);
  const std::int64_t times = query.size(-3) / x.size(-3);
  if (times == 1) return x;
  Shape repeated = x.shape();
  repeated.insert(x.ndim() - 2, times);
  Shape joined = x.shape();
  joined[x.ndim() - 3] *= times;
  return x.unsqueeze(-3).expand(repeated).reshape(joined);
}

Shape leading(const Tensor& x) {
  Shape lead = x.shape();
  lead.erase(lead.ndim() - 1);
  lead.erase(lead.ndim() - 1);
  return lead;
}

Tensor expanded(const Tensor& x, Shape lead) {
  lead.push_back(x.size(-2));
  lead.push_back(x.size(-1));
  return x.shape() == lead ? x : x.expand(lead);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& given_query, const Tensor& given_key, const Tensor& given_value,
                                    const AttentionOptions& given) {
  const Operation called(kName);
  const Tensor query = autocast_low(given_query), key = autocast_low(given_key), value = autocast_low(given_value);
  AttentionOptions options = given;
  options.attn_mask = autocast_low(options.attn_mask);
  check_tensors(query, key, value);
  check_options(query, options);
  const DType dtype = arithmetic_dtype(query.dtype());
  Tensor q = query.to(dtype), k = key.to(dtype), v = value.to(dtype), mask = options.attn_mask;
  if (options.enable_gqa) {
    k = with_heads(k, "key", q);
    v = with_heads(v, "value", q);
  }
  const Shape lead = broadcast_shapes(kName, broadcast_shapes(kName, leading(q), leading(k)), leading(v));
  q = expanded(q, lead);
  k = expanded(k, lead);
  v = expanded(v, lead);
  if (mask.defined()) {
    Shape scores = lead;
    scores.push_back(q.size(-2));
    scores.push_back(k.size(-2));
    LUGE_CHECK(ShapeError, mask.ndim() <= scores.ndim() && broadcast_shapes(kName, scores, mask.shape()) == scores,
               "{}: attn_mask has shape {}, which does not broadcast to {}", kName, to_string(mask.shape()), to_string(scores));
    if (mask.dtype() != DType::Bool) mask = mask.to(dtype);
    mask = mask.reshape(pad_front(mask.shape(), scores.ndim()));
  }
  const Attention attention(q, k, v, mask, options);
  const auto formula = [&] { return attention.forward(q, k, v, mask); };
  const auto derivative = [attention](const Tensor& gradient, std::span<const Tensor> inputs) {
    return attention.derivative(gradient, inputs);
  };
  const Tensor result = mask.defined() ? with_derivative(kName, {q, k, v, mask}, formula, derivative)
                                       : with_derivative(kName, {q, k, v}, formula, derivative);
  return result.to(query.dtype());
}

}  // namespace luge
