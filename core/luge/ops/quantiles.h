#pragma once
// Quantiles: values between which a given fraction of the elements lies.

#include <cstdint>
#include <optional>
#include <string_view>

#include <luge/tensor/tensor.h>

namespace luge {

/// What the quantile is where it falls between two neighbours in sorted order, i and j = i + 1, at the rank i + f.
enum class Interpolation : std::uint8_t {
  Linear,    ///< x[i] + f (x[j] - x[i])
  Lower,     ///< x[i]
  Higher,    ///< x[j]
  Midpoint,  ///< (x[i] + x[j]) / 2
  Nearest    ///< the nearer one, of two equally near ones that with the even rank
};

/// "linear", "lower", "higher", "midpoint", "nearest". Throws ValueError, in which `op` was called, for another name.
Interpolation interpolation_named(const char* op, std::string_view name);

/// The element at rank q (n - 1) of n sorted ones along `dim` (of all elements without one); NaN where there is a NaN.
/// float32 and float64. `q` is a number, a 0-d tensor, or a 1-d one of x's dtype, whose size then is the result's first;
/// with `keepdim` the reduced dimensions stay, of size 1. Gradients go to the two neighbours, and to q. Between a number
/// and an infinity lies that infinity. Throws DTypeError, DeviceError, ShapeError for an empty tensor or a q of more
/// dimensions, IndexError for a dim out of range, ValueError for a q outside [0, 1] (on a GPU a q in a tensor is not
/// looked at: it is taken for the nearer end).
Tensor quantile(const Tensor& x, double q, std::optional<int> dim = {}, bool keepdim = false,
                Interpolation interpolation = Interpolation::Linear);
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int> dim = {}, bool keepdim = false,
                Interpolation interpolation = Interpolation::Linear);

/// quantile() of the elements that are not NaN; NaN where all are.
Tensor nanquantile(const Tensor& x, double q, std::optional<int> dim = {}, bool keepdim = false,
                   Interpolation interpolation = Interpolation::Linear);
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int> dim = {}, bool keepdim = false,
                   Interpolation interpolation = Interpolation::Linear);

}  // namespace luge
