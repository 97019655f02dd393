#include <luge/ops/detail/labels.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Tensor checked_labels(const char* op, const Tensor& index, std::int64_t size, std::int64_t allowed) {
  const TensorImpl& impl = checked(index, op, "index");
  LUGE_CHECK(DTypeError, is_index(impl.dtype), "{}: the index is {}; allowed are int32 and int64", op,
             name(impl.dtype));
  const Tensor labels = index.to(DType::Int64);
  if (!labels.device().is_cpu() || labels.numel() == 0) return labels;
  if (observer) [[unlikely]]
    observer->has_checked(op, impl, allowed, size);
  const Unobserved apart;
  const std::int64_t low = labels.min().item<std::int64_t>(), high = labels.max().item<std::int64_t>();
  if (low >= allowed && high < size) return labels;
  const std::int64_t wrong = low < allowed ? low : high;
  raise<IndexError>("{}: index {} at position {} is out of range; allowed are {} to {}", op, wrong,
                    (low < allowed ? labels.argmin() : labels.argmax()).item<std::int64_t>(), allowed, size - 1);
}

}  // namespace luge
