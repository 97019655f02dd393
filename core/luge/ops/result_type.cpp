#include <luge/ops/result_type.h>

#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

ResultType& ResultType::join(const Tensor& tensor) {
  const TensorImpl& impl = checked(tensor, "result_type", "tensor");
  std::optional<DType>& of = impl.shape.empty() ? weak_ : strong_;
  of = of ? promote(*of, impl.dtype) : impl.dtype;
  return *this;
}

ResultType& ResultType::join(Scalar number) {
  const DType own = number.default_dtype();
  numbers_ = numbers_ ? promote(*numbers_, own) : own;
  return *this;
}

DType ResultType::dtype() const {
  std::optional<DType> result;
  for (const std::optional<DType>& next : {strong_, weak_, numbers_})
    if (next) result = result ? promote_weak(*result, *next) : *next;
  LUGE_CHECK(ValueError, result.has_value(), "result_type: no arguments are given");
  return *result;
}

}  // namespace luge
