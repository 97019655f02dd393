// Relus and their gradients as epilogues of the products that they follow.

#include "set_parts.h"

#include <algorithm>
#include <optional>

namespace luge::cpu {

namespace {

constexpr Bytes kNowhere{0, 0};

/// A relu of all elements of `in`, or the gradient of one whose result is y.
struct SetRelu {
  Epilogue epilogue;
  const Operand *in, *out, *y;
};

/// Whether blocks begin at the same place, and so do the next sets'.
bool lies_like(const Operand& a, const Operand& b, const MatMul& product) {
  return a.data == b.data && (product.batch.ndim == 0 || a.strides[0] == b.strides[0]);
}

/// The part as a relu of a product's c; nothing where it is another, or where its windows are not one block of c's rows
/// in each set.
std::optional<SetRelu> relu_of(const SetPart& part, const MatMul& product) {
  const auto* const any = std::get_if<Call>(&part.work);
  const auto* const call = any ? std::get_if<Elementwise>(any) : nullptr;
  if (!call || call->op != Op::Relu || call->store[0] != Store::Overwrite) return {};
  const bool forward = call->direction == Direction::Forward;
  const SetRelu relu{forward ? Epilogue::Relu : Epilogue::ReluBackward, call->in.data(), call->out.data(),
                     forward ? nullptr : &call->in[2]};
  const Extent& extent = call->extent;
  const auto sets = static_cast<std::size_t>(product.batch.ndim);
  if (extent.ndim != product.batch.ndim + 1 || extent.sizes[sets] != product.m * product.n) return {};
  if (sets == 1 && extent.sizes[0] != product.batch.sizes[0]) return {};
  for (const Operand* const window : {relu.in, relu.out, relu.y})
    if (window && (!window->is_memory() || window->dtype != product.c.dtype || window->strides[sets] != 1)) return {};
  return lies_like(*relu.in, product.c, product) ? std::optional(relu) : std::nullopt;
}

/// A window of a relu with the dimensions of c.
Operand as_rows(const Operand& window, const MatMul& product) {
  Operand rows = window;
  rows.strides[static_cast<std::size_t>(product.batch.ndim)] = product.n;
  rows.strides[static_cast<std::size_t>(product.batch.ndim + 1)] = 1;
  return rows;
}

/// Whether nobody reads memory from a part on.
bool is_dead(const std::vector<SetPart>& parts, std::size_t from, const Bytes& memory) {
  for (; from < parts.size(); ++from) {
    bool touched = false, overwritten = false, read = false;
    SetPart part = parts[from];
    for_each_effect(part, [&](const Effect& effect) {
      const Bytes bytes = bytes_of_effect(effect);
      if (!bytes.overlaps(memory)) return;
      touched = true;
      read |= effect.reads;
      overwritten |= effect.writes && bytes.contains(memory) && effect.bytes == effect.high - effect.low;
    });
    if (read || (touched && !overwritten)) return false;
    if (overwritten) return true;
  }
  return true;
}

bool is_within(const std::vector<SetSegment::Local>& locals, std::int64_t sets, const Bytes& memory) {
  return std::any_of(locals.begin(), locals.end(), [&](const SetSegment::Local& local) {
    const auto low = reinterpret_cast<std::intptr_t>(local.data);
    return Bytes{low, low + local.set_bytes * sets}.contains(memory);
  });
}

/// Whether the product may write what the relu does, in its place and in its time.
bool may_fuse(const std::vector<SetPart>& parts, std::size_t at, std::size_t relu_at, const SetRelu& relu,
              const std::vector<SetSegment::Local>& locals, std::int64_t sets) {
  const auto& product = std::get<MatMul>(std::get<Call>(parts[at].work));
  const Extent extent = product.batch.with(product.m).with(product.n);
  const auto bytes = [&](const Operand& window) { return bytes_of_window(as_rows(window, product), extent); };
  const Bytes c = bytes_of_window(product.c, extent), out = bytes(*relu.out), y = relu.y ? bytes(*relu.y) : kNowhere;
  const auto is_same = [&](const Operand& other) { return lies_like(*relu.out, other, product); };
  if (!is_same(product.c) && (out.overlaps(c) || !is_within(locals, sets, c) || !is_dead(parts, relu_at + 1, c))) return false;
  if (relu.y && y.overlaps(out) && !is_same(*relu.y)) return false;
  if (relu.y && y.overlaps(c) && !is_same(product.c)) return false;
  // What the product reads: an element that it writes is read before, but one of another place may not be.
  bool meets = false;
  SetPart reads = parts[at];
  for_each_effect(reads, [&](const Effect& effect) {
    const bool is_c = *effect.data == product.c.data;
    meets |= !is_c && effect.reads && bytes_of_effect(effect).overlaps(out);
  });
  if (meets) return false;
  for (std::size_t between = at + 1; between < relu_at; ++between)
    if (disturbs(parts[between], out, y)) return false;
  return true;
}

/// The next part that touches what a product makes.
std::size_t next_use(const std::vector<SetPart>& parts, std::size_t at, const MatMul& product) {
  const Bytes c = bytes_of_window(product.c, product.batch.with(product.m).with(product.n));
  std::size_t next = at + 1;
  while (next < parts.size() && !disturbs(parts[next], c, kNowhere)) ++next;
  return next;
}

}  // namespace

void fuse_activations(std::vector<SetPart>& parts, const std::vector<SetSegment::Local>& locals, std::int64_t sets) {
  for (std::size_t at = 0; at < parts.size(); ++at) {
    auto* const call = std::get_if<Call>(&parts[at].work);
    auto* const product = call ? std::get_if<MatMul>(call) : nullptr;
    if (!product || !is_block(*product) || !takes_fusion(*product)) continue;
    const std::size_t next = next_use(parts, at, *product);
    if (next == parts.size()) continue;
    const std::optional<SetRelu> relu = relu_of(parts[next], *product);
    if (!relu || !may_fuse(parts, at, next, *relu, locals, sets)) continue;
    ProductFusion& fusion = parts[at].fusion;
    if (product->store == Store::Accumulate && fusion.before.is_absent()) fusion.before = product->c;
    fusion.epilogue = relu->epilogue;
    if (relu->y) fusion.y = as_rows(*relu->y, *product);
    product->c = as_rows(*relu->out, *product);
    product->store = Store::Overwrite;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(next));
  }
}

}  // namespace luge::cpu
