#include <luge/seam/widen.h>

#include <array>
#include <numeric>
#include <type_traits>

#include <luge/seam/backend.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// A window on memory, and a copy of it of another type, which holds once what the window repeats.
class Copied {
 public:
  Copied() = default;
  Copied(Backend& backend, const Operand& window, const Extent& extent, DType dtype)
      : backend_(&backend), original_(window), extent_(extent) {
    std::array<int, kMaxDims> order;  // the copy has its dimensions in the order in which the window has them
    std::iota(order.begin(), order.end(), 0);
    const auto stride = [&](int d) { return window.is_memory() ? window.strides[static_cast<std::size_t>(d)] : 0; };
    std::stable_sort(order.begin(), order.begin() + extent.ndim, [&](int a, int b) { return stride(a) > stride(b); });
    Strides strides = Dims::filled(extent.ndim, 0);
    std::int64_t count = 1;
    for (int i = extent.ndim - 1; i >= 0; --i) {
      const int d = order[static_cast<std::size_t>(i)];
      std::int64_t& size = extent_.sizes[static_cast<std::size_t>(d)];
      if (stride(d) == 0) size = 1;
      if (size == 1) continue;
      strides[d] = count;
      count *= size;
    }
    memory_ = empty_tensor({count}, dtype, backend);
    copy_ = operand(memory_);
    for (int d = 0; d < extent.ndim; ++d) copy_.strides[static_cast<std::size_t>(d)] = strides[d];
  }

  const Operand& operand_of_call() const { return copy_; }
  void read() const { move(original_, copy_); }
  void write() const { move(copy_, original_); }

 private:
  void move(const Operand& from, const Operand& to) const {
    Copy call;
    call.extent = extent_;
    call.in = from;
    call.out = to;
    Operand* const both[] = {&call.out, &call.in};
    merge_dims(call.extent, 0, std::span(both).first(from.is_memory() ? 2 : 1));
    if (call.extent.ndim == 0) {
      call.extent.ndim = 1;
      call.extent.sizes[0] = 1;
      for (Operand* const operand : both) operand->strides[0] = 1;
    }
    backend_->run(call);
  }

  Backend* backend_ = nullptr;
  Operand original_, copy_;
  Extent extent_;
  Tensor memory_;
};

/// The type in which a call computes what will be `dtype`. A sequence is counted in float64, as it is for float32.
template <class Kind>
DType wider(DType dtype) {
  return std::is_same_v<Kind, Iota> && is_floating(dtype) ? DType::Float64 : arithmetic_dtype(dtype);
}

/// The type on the way between two that no kernel converts at once. From integers, a half is rounded to once.
DType between(DType from, DType to) {
  if (is_storage_only(from)) return arithmetic_dtype(from);
  if (!is_floating(to)) return DType::Int32;
  return from == DType::Int32 ? DType::Float64 : DType::Float32;
}

/// In several steps, or as a sum in a wider type.
void run_in_steps(Backend& backend, const Copy& call) {
  Copy part = call;
  if (call.store == Store::Accumulate && is_storage_only(call.out.dtype)) {
    const Copied sum(backend, call.out, call.extent, arithmetic_dtype(call.out.dtype));
    sum.read();
    part.out = sum.operand_of_call();
    backend.run(part);
    sum.write();
  } else {
    const Copied step(backend, call.in, call.extent, between(call.in.dtype, call.out.dtype));
    step.read();
    part.in = step.operand_of_call();
    backend.run(part);
  }
}

}  // namespace

template <class Kind>
void run_widened(Backend& backend, const Kind& call) {
  if constexpr (std::is_same_v<Kind, Copy>) return run_in_steps(backend, call);
  struct Use {
    Copied copied;
    bool reads = false, writes = false;
  };
  std::array<Use, Elementwise::kMaxInputs + Elementwise::kMaxOutputs> uses;
  std::size_t count = 0;
  Kind wide = call;
  for_each_operand(wide, [&](Operand& operand, const Extent& extent, bool reads, bool writes) {
    if (operand.is_absent() || !is_storage_only(operand.dtype)) return;
    const DType dtype = wider<Kind>(operand.dtype);
    if (operand.is_immediate()) {
      operand.dtype = dtype;
      return;
    }
    Use& use = uses[count++];
    use = {Copied(backend, operand, extent, dtype), reads, writes};
    operand = use.copied.operand_of_call();
  });
  const std::span all(uses.data(), count);
  for (const Use& use : all)
    if (use.reads) use.copied.read();
  backend.run(wide);
  for (const Use& use : all)
    if (use.writes) use.copied.write();
}

#define LUGE_CALL(Kind) template void run_widened(Backend&, const Kind&);
LUGE_CALLS(LUGE_CALL)
#undef LUGE_CALL

}  // namespace luge
