#pragma once

#include <concepts>
#include <cstdint>

#include <luge/tensor/dtype.h>

namespace luge {

/// A C++ number in an expression with tensors. It is weak in promotion: it only raises the *kind*
/// (bool < integer < floating) of the tensor it meets, never its width, as in PyTorch.
class Scalar {
 public:
  enum class Kind : std::uint8_t { Bool, Int, Float };

  Scalar() : Scalar(0.0) {}
  template <class T>
    requires std::floating_point<T> || std::integral<T>
  Scalar(T value) {  // NOLINT(google-explicit-constructor): numbers are meant to mix freely
    if constexpr (std::same_as<T, bool>) {
      kind_ = Kind::Bool;
      integer_ = value ? 1 : 0;
    } else if constexpr (std::integral<T>) {
      kind_ = Kind::Int;
      integer_ = static_cast<std::int64_t>(value);
    } else {
      kind_ = Kind::Float;
      floating_ = static_cast<double>(value);
    }
  }

  Kind kind() const { return kind_; }
  double to_double() const { return kind_ == Kind::Float ? floating_ : static_cast<double>(integer_); }
  std::int64_t to_int64() const { return kind_ == Kind::Float ? static_cast<std::int64_t>(floating_) : integer_; }

  /// The type this number would have as a tensor of its own: bool, int64 or float32.
  DType default_dtype() const {
    return kind_ == Kind::Bool ? DType::Bool : kind_ == Kind::Int ? DType::Int64 : DType::Float32;
  }

 private:
  Kind kind_;
  union {
    double floating_;
    std::int64_t integer_;
  };
};

/// The type of `tensor op number`: the tensor's, unless the number is of a higher kind.
constexpr DType promote(DType tensor, Scalar::Kind number) {
  const bool raise = (number == Scalar::Kind::Float && !is_floating(tensor)) ||
                     (number == Scalar::Kind::Int && tensor == DType::Bool);
  if (!raise) return tensor;
  return number == Scalar::Kind::Float ? DType::Float32 : DType::Int64;
}

}  // namespace luge
