#include "segment_parts.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include <luge/seam/detail/op_traits.h>

#include "../tiled_matmul.h"

namespace luge::cuda {

namespace {

/// Sums of columns are of one chunk of tree.cuh.
constexpr std::int64_t kMostInColumn = 1024;
/// As many outputs side by side as make a thread for each of them worth while.
constexpr std::int64_t kFewestColumns = 8;
constexpr std::int64_t kMostPerSet = std::int64_t{1} << 24;

std::int64_t stride(const Operand& window, int d) { return window.strides[static_cast<std::size_t>(d)]; }
std::int64_t size(const Extent& extent, int d) { return extent.sizes[static_cast<std::size_t>(d)]; }

// ---- calls as chains ----------------------------------------------------------------------------

/// What a chain knows of the memory of the one call that it is made of.
class OneCall {
 public:
  explicit OneCall(const Extent& extent) { chain_.extent = extent; }

  ChainInput read(const Operand& from) {
    if (from.is_immediate()) return {.kind = ChainInput::Kind::Number, .value = -1, .number = from};
    if (!from.is_memory()) return {};
    const int value = add_value(from.dtype);
    chain_.loads.push_back({value, from});
    return of_value(value);
  }
  int add_value(DType dtype) {
    chain_.values.push_back(dtype);
    return static_cast<int>(chain_.values.size()) - 1;
  }
  void add(const Link& link) { chain_.links.push_back(link); }
  /// Stores a value, or what it makes added to what is there.
  void write(int value, const Operand& to, luge::Store store, const ChainInput& before) {
    if (store == luge::Store::Accumulate) {
      Link sum;
      sum.in[0] = before;
      sum.in[1] = of_value(value);
      value = sum.out[0] = add_value(to.dtype);
      add(sum);
    }
    chain_.stores.push_back({value, to});
  }
  Chain finish() { return std::move(chain_); }

  static ChainInput of_value(int value) { return {.kind = ChainInput::Kind::Value, .value = value, .number = {}}; }

 private:
  Chain chain_;
};

std::optional<Chain> chain_of(const Elementwise& call) {
  OneCall one(call.extent);
  Link link;
  link.op = call.op;
  link.direction = call.direction;
  link.parameters = call.parameters;
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.inputs); ++i) link.in[i] = one.read(call.in[i]);
  std::array<ChainInput, Elementwise::kMaxOutputs> before;
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i) {
    if (!call.out[i].is_memory()) continue;
    if (call.store[i] == luge::Store::Accumulate) before[i] = one.read(call.out[i]);
    link.out[i] = one.add_value(call.out[i].dtype);
  }
  one.add(link);
  for (std::size_t i = 0; i < static_cast<std::size_t>(call.outputs); ++i)
    if (call.out[i].is_memory()) one.write(link.out[i], call.out[i], call.store[i], before[i]);
  return one.finish();
}

/// Without conversion.
std::optional<Chain> chain_of(const Copy& call) {
  if (call.in.dtype != call.out.dtype || !call.in.is_memory()) return std::nullopt;
  OneCall one(call.extent);
  const ChainInput source = one.read(call.in);
  const ChainInput before = call.store == luge::Store::Accumulate ? one.read(call.out) : ChainInput();
  one.write(source.value, call.out, call.store, before);
  return one.finish();
}

Chain chain_of(const Reduce& call) {
  OneCall one(call.extent);
  const ChainInput element = one.read(call.in);
  Chain chain = one.finish();
  chain.reductions.push_back({element.value, call});
  chain.reductions.front().call.in.kind = Operand::Kind::Absent;
  return chain;
}

// ---- what the kernel does -----------------------------------------------------------------------

/// Dimensions [first, last) of a set are one line.
bool is_line(const Extent& extent, const Operand& window, int first, int last) {
  std::int64_t next = 0;
  for (int d = last; d-- > first;) {
    if (size(extent, d) == 1) continue;
    if (next != 0 && stride(window, d) != next) return false;
    next = stride(window, d) * size(extent, d);
  }
  return true;
}

/// Within a set, offsets are short.
bool is_short(const Extent& extent, const Operand& window, int first) {
  std::int64_t reach = 0;
  for (int d = first; d < extent.ndim; ++d) reach += std::abs(stride(window, d)) * size(extent, d);
  return reach < std::numeric_limits<int>::max();
}

std::int64_t reduced_length(const Reduce& call) {
  std::int64_t length = 1;
  for (int d = call.extent.ndim - call.reduced; d < call.extent.ndim; ++d) length *= size(call.extent, d);
  return length;
}

bool is_column_sum(const Reduce& call) {
  const int kept = call.extent.ndim - call.reduced, last = call.extent.ndim - 1;
  return kept == 2 && size(call.extent, 1) >= kFewestColumns && reduced_length(call) <= kMostInColumn &&
         std::abs(stride(call.in, 1)) < std::abs(stride(call.in, last)) && is_line(call.extent, call.in, kept, last + 1);
}

/// A set's elements lie in a line, or in rows of equal distance.
bool is_plain(const Extent& extent, const Operand& window) {
  int dims = 0;
  std::int64_t next = 0;
  for (int d = extent.ndim; d-- > 1;) {
    if (size(extent, d) == 1) continue;
    if (dims == 0 || stride(window, d) != next) ++dims;
    next = stride(window, d) * size(extent, d);
  }
  return dims <= 2 && is_short(extent, window, 1);
}

bool is_done(const Chain& chain, std::int64_t sets) {
  const auto plain = [&](const Chain::Window& window) { return is_plain(chain.extent, window.memory); };
  if (!chain.recordings.empty() || per_set(chain.extent) > kMostPerSet || size(chain.extent, 0) != sets) return false;
  if (std::any_of(chain.values.begin(), chain.values.end(), is_storage_only)) return false;
  if (!std::all_of(chain.loads.begin(), chain.loads.end(), plain)) return false;
  if (!std::all_of(chain.stores.begin(), chain.stores.end(), plain)) return false;
  return std::all_of(chain.reductions.begin(), chain.reductions.end(), [&](const Chain::Reduction& sum) {
    Extent kept = sum.call.extent;
    kept.ndim -= sum.call.reduced;
    return kept.ndim >= 1 && is_plain(kept, sum.call.out) && reduced_length(sum.call) <= kMostInColumn * kMostInColumn;
  });
}

/// Products of the own kernel, whose bits do not depend on the tile.
bool is_done(const MatMul& call, std::int64_t sets) {
  if (call.batch.ndim != 1 || size(call.batch, 0) != sets || !is_small(call)) return false;
  const auto fits = [&](const Operand& operand, std::int64_t rows, std::int64_t columns) {
    return is_short(call.batch.with(rows).with(columns), operand, 1);
  };
  return fits(call.a, call.m, call.k) && fits(call.b, call.k, call.n) && fits(call.c, call.m, call.n);
}

std::optional<SegmentPart> part_of(const Call& call, std::int64_t sets) {
  std::optional<Chain> chain;
  if (const auto* const product = std::get_if<MatMul>(&call)) {
    if (is_done(*product, sets)) return SegmentPart(*product);
    return std::nullopt;
  }
  if (const auto* const formula = std::get_if<Elementwise>(&call)) chain = chain_of(*formula);
  if (const auto* const copy = std::get_if<Copy>(&call)) chain = chain_of(*copy);
  if (const auto* const sum = std::get_if<Reduce>(&call)) {
    const bool is_sum = sum->op == ReduceOp::Sum || sum->op == ReduceOp::Mean;
    if (!is_sum || !is_floating(sum->in.dtype) || !is_short(sum->extent, sum->in, 1)) return std::nullopt;
    chain = chain_of(*sum);
    if (is_column_sum(*sum) && is_done(*chain, sets)) return SegmentPart(*sum);
  }
  if (chain && is_done(*chain, sets)) return SegmentPart(std::move(*chain));
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<SegmentPart>> parts_of(const SetSegment& segment) {
  std::vector<SegmentPart> parts;
  for (const auto& given : segment.parts) {
    if (const auto* const chain = std::get_if<Chain>(&given)) {
      if (!is_done(*chain, segment.sets)) return std::nullopt;
      parts.emplace_back(*chain);
    } else {
      std::optional<SegmentPart> part = part_of(std::get<Call>(given), segment.sets);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
  }
  return parts;
}

namespace {

Extent kept_of(const Reduce& call) {
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  return kept;
}

void touches(const MatMul& call, const std::function<void(const SegmentTouch&)>& visit) {
  visit({&call.a, call.batch.with(call.m).with(call.k), true, false, false});
  visit({&call.b, call.batch.with(call.k).with(call.n), true, false, false});
  visit({&call.c, call.batch.with(call.m).with(call.n), call.store == luge::Store::Accumulate, true, false});
}
void touches(const Reduce& call, const std::function<void(const SegmentTouch&)>& visit) {
  visit({&call.in, call.extent, true, false, false});
  visit({&call.out, kept_of(call), call.store == luge::Store::Accumulate, true, false});
}
void touches(const Chain& chain, const std::function<void(const SegmentTouch&)>& visit) {
  for (const Chain::Window& load : chain.loads) visit({&load.memory, chain.extent, true, false, true});
  for (const Chain::Window& store : chain.stores) visit({&store.memory, chain.extent, false, true, true});
  for (const Chain::Reduction& sum : chain.reductions)
    visit({&sum.call.out, kept_of(sum.call), sum.call.store == luge::Store::Accumulate, true, false});
}

}  // namespace

void for_each_touch(const SegmentPart& part, const std::function<void(const SegmentTouch&)>& visit) {
  std::visit([&](const auto& kind) { touches(kind, visit); }, part);
}

std::int64_t per_set(const Extent& extent) {
  std::int64_t count = 1;
  for (int d = 1; d < extent.ndim; ++d) count *= size(extent, d);
  return count;
}

bool is_dense(const Extent& extent, const Operand& window) {
  std::int64_t next = 1;
  for (int d = extent.ndim; d-- > 1;) {
    if (size(extent, d) == 1) continue;
    if (stride(window, d) != next) return false;
    next *= size(extent, d);
  }
  return true;
}

}  // namespace luge::cuda
