#include <luge/ops/detail/labels.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Whether all are in [low, size): no difference from either end is negative, modulo 2^64. One pass without branches.
bool within(const std::int64_t* labels, std::int64_t count, std::int64_t low, std::int64_t size) {
  const auto first = static_cast<std::uint64_t>(low), last = static_cast<std::uint64_t>(size - 1);
  std::uint64_t signs = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::uint64_t>(labels[i]);
    signs |= (label - first) | (last - label);
  }
  return signs >> 63 == 0;
}

[[noreturn]] void refuse(const char* op, const Tensor& labels, std::int64_t size, std::int64_t low, std::optional<int> dim) {
  const std::int64_t least = labels.min().item<std::int64_t>(), most = labels.max().item<std::int64_t>();
  const std::int64_t wrong = least < low ? least : most;
  const std::int64_t position = (least < low ? labels.argmin() : labels.argmax()).item<std::int64_t>();
  const std::string along = dim ? fmt::format("; dim {} has size {}", *dim, size) : "";
  if (size == 0) raise<IndexError>("{}: index {} at position {} is out of range; none is allowed{}", op, wrong, position, along);
  raise<IndexError>("{}: index {} at position {} is out of range; allowed are {} to {}{}", op, wrong, position, low, size - 1,
                    along);
}

}  // namespace

void check_labels(const char* op, const Tensor& given, const LabelRange& allowed, std::optional<int> dim) {
  if (!given.device().is_cpu() || given.numel() == 0) return;
  if (observer) [[unlikely]]
    observer->has_checked(op, *given.impl(), allowed);
  const Unobserved apart;
  const NoGrad guard;
  Tensor labels = given.to(DType::Int64);
  if (allowed.none && (*allowed.none < allowed.low || *allowed.none >= allowed.size))
    labels = where(labels.eq(*allowed.none), allowed.low, labels);
  // Every element once: a dimension that repeats them says nothing new.
  Tensor once = labels;
  for (int d = 0; d < once.ndim(); ++d)
    if (once.strides()[d] == 0 && once.shape()[d] > 1) once = once.slice(d, 0, 1);
  once = once.contiguous();
  if (!within(static_cast<const std::int64_t*>(once.data()), once.numel(), allowed.low, allowed.size))
    refuse(op, labels, allowed.size, allowed.low, dim);
}

Tensor checked_labels(const char* op, const Tensor& index, std::int64_t size, std::int64_t low, std::optional<int> dim) {
  const TensorImpl& impl = checked(index, op, "index");
  LUGE_CHECK(DTypeError, is_index(impl.dtype), "{}: the index is {}; allowed are int32 and int64", op,
             name(impl.dtype));
  check_labels(op, index, {low, size, {}}, dim);
  return index.to(DType::Int64);
}

KeptLabels kept_labels(const char* op, const Tensor& target, std::int64_t size, std::int64_t ignore_index) {
  check_labels(op, target, {0, size, ignore_index});
  const Tensor ignored = target.eq(ignore_index);
  return {where(ignored, 0, target.to(DType::Int64)), ignored};
}

Tensor wrapped_labels(const char* op, const Tensor& index, std::int64_t size, std::optional<int> dim) {
  const Tensor labels = checked_labels(op, index, size, -size, dim);
  if (labels.device().is_cpu() && !observer) {
    // Most have none that counts from the end.
    const Tensor packed = labels.contiguous();
    if (within(static_cast<const std::int64_t*>(packed.data()), packed.numel(), 0, size)) return packed;
  }
  return where(labels.lt(0), labels + size, labels);
}

}  // namespace luge
