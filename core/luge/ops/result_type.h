#pragma once
// Which dtype comes of several arguments, and which dtypes can become which.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// PyTorch's promotion, argument by argument: tensors that have dimensions decide; those that have none, and then
/// numbers, only raise the kind (bool < integers < floating types).
class ResultType {
 public:
  ResultType& join(const Tensor& tensor);
  ResultType& join(Scalar number);
  /// Throws ValueError where nothing has been joined.
  DType dtype() const;

 private:
  std::optional<DType> strong_, weak_, numbers_;
};

/// The dtype that a + b has, bools apart: of arguments that are tensors or numbers.
template <class... Argument>
DType result_type(const Argument&... arguments) {
  ResultType result;
  (result.join(arguments), ...);
  return result.dtype();
}

/// Whether PyTorch writes results of `from` into a tensor of `to`: not from floating types into integers and bool, and
/// from integers not into bool.
constexpr bool can_cast(DType from, DType to) { return kind_of(from) <= kind_of(to); }

}  // namespace luge
