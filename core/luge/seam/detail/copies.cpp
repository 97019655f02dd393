#include <luge/seam/detail/copies.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace luge {

Bytes bytes_of_effect(const Effect& effect) {
  const auto data = reinterpret_cast<std::intptr_t>(*effect.data);
  return {data + effect.low, data + effect.high};
}

Bytes bytes_of_window(Operand window, const Extent& extent) {
  return bytes_of_effect(window_effect(window, extent, true, true));
}

namespace {

/// A copy of `in` to `out`.
struct CopyTo {
  const Extent* extent;
  const Operand *in, *out;
};

/// The part's copy to this memory, if that is all it does there.
std::optional<CopyTo> copy_to(const PlanPart& part, const void* data) {
  if (const auto* const call = std::get_if<Call>(&part.work)) {
    const auto* const copy = std::get_if<Copy>(call);
    if (!copy || copy->out.data != data || !copy->in.is_memory() || copy->store != Store::Overwrite) return {};
    return CopyTo{&copy->extent, &copy->in, &copy->out};
  }
  const auto& chain = std::get<Chain>(part.work);
  for (const Chain::Window& store : chain.stores) {
    if (store.memory.data != data) continue;
    for (const Chain::Window& load : chain.loads)
      if (load.value == store.value) return CopyTo{&chain.extent, &load.memory, &store.memory};
  }
  return {};
}

/// What a product's c = `copy.out` was copied from, with the strides of c; nothing where they do not say it.
Operand before_of(const MatMul& call, const CopyTo& copy) {
  const Extent& extent = *copy.extent;
  const bool converts = copy.in->dtype != call.c.dtype || copy.out->dtype != call.c.dtype;
  if (call.batch.ndim > 1 || extent.ndim <= call.batch.ndim || converts) return {};
  const auto stride = [&](const Operand& x, int d) { return x.strides[static_cast<std::size_t>(d)]; };
  const auto size = [&](int d) { return extent.sizes[static_cast<std::size_t>(d)]; };
  const int first = call.batch.ndim;  // of a matrix's dimensions
  const std::int64_t m = call.m, n = call.n;
  // c is one block of rows in each set, and the copy fills it in that order.
  const bool in_sets = first == 0 || (size(0) == call.batch.sizes[0] && stride(*copy.out, 0) == stride(call.c, 0));
  if (!in_sets || (n > 1 && stride(call.c, first + 1) != 1) || (m > 1 && stride(call.c, first) != n)) return {};
  std::int64_t row = 0, column = 0;
  if (extent.ndim == first + 2 && size(first) == m && size(first + 1) == n && stride(*copy.out, first) == n &&
      stride(*copy.out, first + 1) == 1) {
    row = stride(*copy.in, first);
    column = stride(*copy.in, first + 1);
  } else if (extent.ndim == first + 1 && size(first) == m * n && stride(*copy.out, first) == 1 &&
             (n == 1 || m == 1 || stride(*copy.in, first) == 0)) {
    row = n == 1 ? stride(*copy.in, first) : 0;
    column = n == 1 ? 0 : stride(*copy.in, first);
  } else {
    return {};
  }
  // Along c's contiguous direction it is contiguous, too, or repeats.
  if ((row != 0 && row != 1) || (column != 0 && column != 1) || (row == 1 && n > 1)) return {};
  Operand before = *copy.in;
  before.strides[static_cast<std::size_t>(first)] = row;
  before.strides[static_cast<std::size_t>(first) + 1] = column;
  return before;
}

/// The elements of a product's c, or of what it begins from.
Bytes bytes_of_result(const MatMul& call, const Operand& c) {
  return bytes_of_window(c, call.batch.with(call.m).with(call.n));
}

/// Whether a part touches the first, or writes the second.
bool disturbs(const PlanPart& part, const Bytes& touched, const Bytes& written) {
  bool found = part.before.is_memory() &&
               bytes_of_result(std::get<MatMul>(std::get<Call>(part.work)), part.before).overlaps(touched);
  Plan::Item work = part.work;
  for_each_effect(work, [&](const Effect& effect) {
    const Bytes bytes = bytes_of_effect(effect);
    found |= bytes.overlaps(touched) || (effect.writes && bytes.overlaps(written));
  });
  return found;
}

/// Takes the copy out of its part; true where nothing is left of that.
bool remove_copy(PlanPart& part, const void* data) {
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
  return chain->stores.empty() && chain->links.empty() && chain->reductions.empty() && chain->recordings.empty() &&
         chain->updates.empty();
}

/// A copy that fills c of a product, which nobody reads in between.
struct Before {
  std::size_t part;
  Operand operand;
};
std::optional<Before> copy_before(const std::vector<PlanPart>& parts, std::size_t to, const MatMul& call) {
  const Bytes c = bytes_of_result(call, call.c);
  for (std::size_t from = to; from-- > 0;) {
    if (parts[from].is_empty) continue;
    const std::optional<CopyTo> copy = copy_to(parts[from], call.c.data);
    if (!copy) {
      if (disturbs(parts[from], c, {0, 0})) return {};
      continue;
    }
    const Operand before = before_of(call, *copy);
    if (!before.is_memory()) return {};
    const Bytes source = bytes_of_window(*copy->in, *copy->extent);
    if (disturbs(parts[from], {0, 0}, source)) return {};
    for (std::size_t between = from + 1; between < to; ++between)
      if (!parts[between].is_empty && disturbs(parts[between], {0, 0}, source)) return {};
    return Before{from, before};
  }
  return {};
}

}  // namespace

std::vector<PlanPart> without_copies(const std::vector<Plan::Item>& items, const TakesBefore& takes_before) {
  std::vector<PlanPart> parts;
  for (const Plan::Item& work : items) parts.push_back({work, Operand()});
  for (std::size_t to = 0; to < parts.size(); ++to) {
    const auto* const call = std::get_if<Call>(&parts[to].work);
    const auto* const product = call ? std::get_if<MatMul>(call) : nullptr;
    if (!product || product->store != Store::Accumulate) continue;
    const std::optional<Before> before = copy_before(parts, to, *product);
    if (!before || !takes_before(*product, before->operand)) continue;
    parts[to].before = before->operand;
    parts[before->part].is_empty = remove_copy(parts[before->part], product->c.data);
  }
  return parts;
}

}  // namespace luge
