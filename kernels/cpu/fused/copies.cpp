// Copies that a matrix product adds to: a layer's bias, laid out for every row.

#include "set_parts.h"

#include <algorithm>
#include <optional>

namespace luge::cpu {

namespace {

/// A copy of `in` to `out`.
struct SetCopy {
  const Extent* extent;
  const Operand *in, *out;
};

/// The part's copy to this memory, if that is all it does there.
std::optional<SetCopy> copy_to(const SetPart& part, const void* data) {
  if (const auto* const call = std::get_if<Call>(&part.work)) {
    const auto* const copy = std::get_if<Copy>(call);
    if (!copy || copy->out.data != data || !copy->in.is_memory() || copy->store != Store::Overwrite) return {};
    return SetCopy{&copy->extent, &copy->in, &copy->out};
  }
  const auto& chain = std::get<Chain>(part.work);
  for (const Chain::Window& store : chain.stores) {
    if (store.memory.data != data) continue;
    for (const Chain::Window& load : chain.loads)
      if (load.value == store.value) return SetCopy{&chain.extent, &load.memory, &store.memory};
  }
  return {};
}

/// What a product's c = `copy.out` was copied from, with the strides of c; nothing where they do not say it.
Operand before_of(const MatMul& call, const SetCopy& copy) {
  if (!is_block(call) || copy.in->dtype != call.c.dtype || copy.out->dtype != call.c.dtype) return {};
  const Extent& extent = *copy.extent;
  const int sets = call.batch.ndim;  // the dimension of the sets, if there is one
  const auto inner = [&](const Operand& x, int d) { return x.strides[static_cast<std::size_t>(sets + d)]; };
  const auto size = [&](int d) { return extent.sizes[static_cast<std::size_t>(sets + d)]; };
  const std::int64_t m = call.m, n = call.n;
  // The copy fills all of c, in the order in which it lies.
  if (sets == 1 && (extent.sizes[0] != call.batch.sizes[0] || copy.out->strides[0] != call.c.strides[0])) return {};
  std::int64_t row = 0, column = 0;
  if (extent.ndim == sets + 2 && size(0) == m && size(1) == n && inner(*copy.out, 0) == n && inner(*copy.out, 1) == 1) {
    row = inner(*copy.in, 0);
    column = inner(*copy.in, 1);
  } else if (extent.ndim == sets + 1 && size(0) == m * n && inner(*copy.out, 0) == 1 &&
             (n == 1 || m == 1 || inner(*copy.in, 0) == 0)) {
    row = n == 1 ? inner(*copy.in, 0) : 0;
    column = n == 1 ? 0 : inner(*copy.in, 0);
  } else {
    return {};
  }
  // Along c's contiguous direction it is contiguous, too, or repeats.
  if ((row != 0 && row != 1) || (column != 0 && column != 1) || (row == 1 && n > 1)) return {};
  Operand before = *copy.in;
  before.strides[static_cast<std::size_t>(sets)] = row;
  before.strides[static_cast<std::size_t>(sets + 1)] = column;
  return before;
}

/// Takes the copy out of its part; true where nothing is left of that.
bool remove_copy(SetPart& part, const void* data) {
  auto* const chain = std::get_if<Chain>(&part.work);
  if (!chain) return true;
  std::erase_if(chain->stores, [&](const Chain::Window& store) { return store.memory.data == data; });
  std::erase_if(chain->loads, [&](const Chain::Window& load) {
    const auto is_value = [&](const auto& use) { return use.value == load.value; };
    const auto reads = [&](const Link& link) {
      return std::any_of(link.in.begin(), link.in.end(), [&](const ChainInput& in) {
        return in.kind == ChainInput::Kind::Value && in.value == load.value;
      });
    };
    return std::none_of(chain->stores.begin(), chain->stores.end(), is_value) &&
           std::none_of(chain->reductions.begin(), chain->reductions.end(), is_value) &&
           std::none_of(chain->recordings.begin(), chain->recordings.end(), is_value) &&
           std::none_of(chain->links.begin(), chain->links.end(), reads);
  });
  return chain->stores.empty() && chain->links.empty() && chain->reductions.empty() && chain->recordings.empty();
}

/// The part that fills c of the product `to` by a copy, which nobody reads in between.
std::optional<std::size_t> copy_before(const std::vector<SetPart>& parts, std::size_t to, const MatMul& call, Operand& before) {
  const Bytes c = bytes_of_window(call.c, call.batch.with(call.m).with(call.n));
  for (std::size_t from = to; from-- > 0;) {
    const std::optional<SetCopy> copy = copy_to(parts[from], call.c.data);
    if (!copy) continue;
    before = before_of(call, *copy);
    if (!before.is_memory()) return {};
    const Bytes source = bytes_of_window(*copy->in, *copy->extent);
    if (disturbs(parts[from], {0, 0}, source)) return {};
    for (std::size_t between = from + 1; between < to; ++between)
      if (disturbs(parts[between], c, source)) return {};
    return from;
  }
  return {};
}

}  // namespace

void remove_copies(std::vector<SetPart>& parts) {
  for (std::size_t to = 0; to < parts.size(); ++to) {
    const auto* const call = std::get_if<Call>(&parts[to].work);
    const auto* const product = call ? std::get_if<MatMul>(call) : nullptr;
    if (!product || product->store != Store::Accumulate || !takes_fusion(*product)) continue;
    Operand before;
    const std::optional<std::size_t> from = copy_before(parts, to, *product, before);
    if (!from) continue;
    parts[to].fusion.before = before;
    if (!remove_copy(parts[*from], product->c.data)) continue;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(*from));
    --to;
  }
}

}  // namespace luge::cpu
