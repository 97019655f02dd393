#include <luge/capture/detail/set_calls.h>

#include <array>
#include <optional>
#include <vector>

#include <luge/capture/detail/space.h>
#include <luge/tensor/detail/iteration.h>

namespace luge {

bool divide(Extent& extent, std::int64_t sets, std::span<Operand* const> windows) {
  if (extent.count() % sets != 0) return false;
  Extent wanted;
  wanted.ndim = 2;
  wanted.sizes[0] = sets;
  wanted.sizes[1] = extent.count() / sets;
  const std::optional<Extent> refinement = common_refinement(extent, wanted);
  if (!refinement) return false;
  for (Operand* const window : windows) *window = refined(*window, extent, *refinement);
  int outer = 0;  // dimensions of the sets
  for (std::int64_t count = 1; count < sets; ++outer) count *= refinement->sizes[static_cast<std::size_t>(outer)];
  const int inner = refinement->ndim - outer;
  if (inner + 1 > kMaxDims) return false;
  extent.ndim = 1 + inner;
  extent.sizes[0] = sets;
  for (int d = 0; d < inner; ++d)
    extent.sizes[static_cast<std::size_t>(d + 1)] = refinement->sizes[static_cast<std::size_t>(outer + d)];
  for (Operand* const window : windows) {
    std::array<std::int64_t, kMaxDims> strides{};
    for (int d = 0; d < outer; ++d) {
      const std::int64_t next = window->strides[static_cast<std::size_t>(d)];
      if (d > 0 && strides[0] != next * refinement->sizes[static_cast<std::size_t>(d)]) return false;
      strides[0] = next;
    }
    for (int d = 0; d < inner; ++d)
      strides[static_cast<std::size_t>(d + 1)] = window->strides[static_cast<std::size_t>(outer + d)];
    window->strides = strides;
  }
  merge_dims(extent, 1, windows);
  return true;
}

namespace {

std::vector<Operand*> memory_of(std::span<Operand> operands) {
  std::vector<Operand*> memory;
  for (Operand& operand : operands)
    if (operand.is_memory()) memory.push_back(&operand);
  return memory;
}

/// Divides the first dimensions of windows, which have `inner` more strides each; those stay.
bool divide_outer(Extent& outer, int inner, std::int64_t sets, std::span<Operand* const> windows) {
  const int before = outer.ndim;
  std::vector<std::array<std::int64_t, kMaxDims>> strides;
  for (const Operand* const window : windows) strides.push_back(window->strides);
  if (!divide(outer, sets, windows) || outer.ndim + inner > kMaxDims) return false;
  for (std::size_t w = 0; w < windows.size(); ++w)
    for (int d = 0; d < inner; ++d)
      windows[w]->strides[static_cast<std::size_t>(outer.ndim + d)] = strides[w][static_cast<std::size_t>(before + d)];
  return true;
}

bool divide_kind(Elementwise& call, std::int64_t sets) {
  std::vector<Operand*> windows = memory_of(call.in);
  for (Operand* const out : memory_of(call.out)) windows.push_back(out);
  return divide(call.extent, sets, windows);
}
bool divide_kind(Copy& call, std::int64_t sets) {
  std::vector<Operand*> windows{&call.out};
  if (call.in.is_memory()) windows.push_back(&call.in);
  return divide(call.extent, sets, windows);
}
bool divide_kind(Reduce& call, std::int64_t sets) {
  Extent extent = call.extent;
  extent.ndim -= call.reduced;
  const int kept = extent.ndim;
  Operand* const windows[] = {&call.in, &call.out};
  if (!divide_outer(extent, call.reduced, sets, windows)) return false;
  for (int d = kept; d < call.extent.ndim; ++d) extent = extent.with(call.extent.sizes[static_cast<std::size_t>(d)]);
  call.extent = extent;
  return true;
}
bool divide_kind(MatMul& call, std::int64_t sets) {
  Operand* const windows[] = {&call.a, &call.b, &call.c};
  return divide_outer(call.batch, 2, sets, windows);
}
bool divide_kind(Softmax& call, std::int64_t sets) { return call.rows % sets == 0; }
bool divide_kind(CrossEntropy& call, std::int64_t sets) { return call.rows % sets == 0; }
bool divide_kind(Convolution& call, std::int64_t sets) { return call.sets == sets; }
/// Where nothing is learned, images are as good as sets.
bool divide_kind(Normalization& call, std::int64_t sets) {
  if (call.sets == sets) return true;
  const bool learned = call.weight.is_memory() || call.bias.is_memory() || call.dweight.is_memory() || call.dbias.is_memory();
  if (call.sets != 1 || call.over_batch || learned || call.batch % sets != 0) return false;
  call.sets = sets;
  call.batch /= sets;
  for (Operand* const values : {&call.x, &call.y, &call.dy, &call.dx}) values->strides[0] = call.set_size();
  for (Operand* const numbers : {&call.mean, &call.rstd, &call.variance}) numbers->strides[0] = call.rows();
  return true;
}
template <class Other>
bool divide_kind(Other&, std::int64_t) {
  return false;
}

}  // namespace

bool divide(Call& call, std::int64_t sets) {
  return std::visit([&](auto& kind) { return divide_kind(kind, sets); }, call);
}

}  // namespace luge
