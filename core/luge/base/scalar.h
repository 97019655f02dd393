#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <utility>

#include <luge/base/dtype.h>

namespace luge {

/// A C++ number in an expression with tensors. It is weak in promotion: it only raises the *kind*
/// (bool < integer < floating) of the tensor it meets, never its width, as in PyTorch. Where an element
/// cannot hold it, a ValueError says so.
class Scalar {
 public:
  enum class Kind : std::uint8_t { Bool, Int, Float };

  Scalar() : Scalar(0.0) {}
  /// Throws ValueError for an unsigned number beyond int64.
  template <class T>
  requires std::floating_point<T> || std::integral<T> Scalar(
      T value) {  // NOLINT(google-explicit-constructor): numbers are meant to mix freely
    if constexpr (std::same_as<T, bool>) {
      kind_ = Kind::Bool;
      integer_ = value ? 1 : 0;
    } else if constexpr (std::integral<T>) {
      kind_ = Kind::Int;
      integer_ = static_cast<std::int64_t>(value);
      if constexpr (std::unsigned_integral<T> && sizeof(T) == sizeof integer_)
        if (integer_ < 0) refuse_unsigned(value);
    } else {
      kind_ = Kind::Float;
      floating_ = static_cast<double>(value);
    }
  }

  Kind kind() const { return kind_; }
  double to_double() const { return kind_ == Kind::Float ? floating_ : static_cast<double>(integer_); }
  std::int64_t to_int64() const { return to<std::int64_t>("number"); }

  /// As T: floating numbers are rounded to a floating T and cut off towards zero for an integer one, and bool
  /// means "is not zero". Throws ValueError, in which `op` was called, for an integer T that the number does not
  /// fit: it is too large, infinite or NaN.
  template <class T>
  requires std::floating_point<T> || std::integral<T> T to(const char* op)
  const {
    if constexpr (std::same_as<T, bool>) {
      return kind_ == Kind::Float ? floating_ != 0 : integer_ != 0;
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(to_double());
    } else {
      if (!is_within<T>()) refuse(op, std::numeric_limits<T>::is_signed, sizeof(T));
      return kind_ == Kind::Float ? static_cast<T>(floating_) : static_cast<T>(integer_);
    }
  }
  /// Whether arithmetic in `dtype` can take the number: false for an integer dtype that cannot hold it.
  bool fits(DType dtype) const {
    switch (dtype) {
      case DType::UInt8: return is_within<std::uint8_t>();
      case DType::Int8: return is_within<std::int8_t>();
      case DType::Int16: return is_within<std::int16_t>();
      case DType::Int32: return is_within<std::int32_t>();
      case DType::Int64: return is_within<std::int64_t>();
      case DType::Bool:
      case DType::Float16:
      case DType::BFloat16:
      case DType::Float32:
      case DType::Float64: break;
    }
    return true;
  }
  /// Throws ValueError, in which `op` was called, unless it fits.
  void check_fits(const char* op, DType dtype) const {
    if (!fits(dtype)) refuse(op, dtype != DType::UInt8, size_of(dtype));
  }
  /// The same for an element that becomes this number, which rules out a finite number that would be stored as
  /// infinity.
  void check_stored(const char* op, DType dtype) const {
    check_fits(op, dtype);
    if (is_floating(dtype) && std::isfinite(to_double()) && std::isinf(rounded(to_double(), dtype)))
      refuse_infinity(op, dtype);
  }
  /// The element of a floating dtype that is nearest to a number.
  static double rounded(double value, DType dtype);

  /// The type this number would have as a tensor of its own: bool, int64 or float32.
  DType default_dtype() const {
    return kind_ == Kind::Bool ? DType::Bool : kind_ == Kind::Int ? DType::Int64 : DType::Float32;
  }

 private:
  template <class T>
  bool is_within() const {
    if (kind_ != Kind::Float) return std::in_range<T>(integer_);
    const double whole = std::trunc(floating_);  // of NaN, no comparison is true
    return whole >= static_cast<double>(std::numeric_limits<T>::min()) &&
           whole < std::ldexp(1.0, std::numeric_limits<T>::digits);
  }
  [[noreturn]] void refuse(const char* op, bool is_signed, std::size_t bytes) const;
  [[noreturn]] void refuse_infinity(const char* op, DType dtype) const;
  [[noreturn]] static void refuse_unsigned(std::uint64_t value);

  Kind kind_;
  union {
    double floating_;
    std::int64_t integer_;
  };
};

/// The type of `tensor op number`: the tensor's, unless the number is of a higher kind.
constexpr DType promote(DType tensor, Scalar::Kind number) {
  const bool raise =
      (number == Scalar::Kind::Float && !is_floating(tensor)) || (number == Scalar::Kind::Int && tensor == DType::Bool);
  if (!raise) return tensor;
  return number == Scalar::Kind::Float ? DType::Float32 : DType::Int64;
}

}  // namespace luge
