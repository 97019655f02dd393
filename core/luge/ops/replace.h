#pragma once
// Values that replace others, and bounds.

#include <optional>

#include <luge/tensor/tensor.h>

namespace luge {

/// `value` where mask is true, x elsewhere; x's dtype, and its shape broadcast with the mask's. Throws DTypeError for a
/// mask that is not bool, ValueError for a value that x's dtype cannot hold.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
/// The same with the value of a tensor that has no dimensions, which is converted to x's dtype. Throws ShapeError.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);

/// Numbers in place of NaN, inf and -inf; without one for an infinity the dtype's largest or smallest number. The
/// gradient of what was replaced is 0. Integers and bool stay as they are.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {});

/// `value` where x <= threshold, x elsewhere; where x is NaN, NaN. Of integers both numbers are cut off.
Tensor threshold(const Tensor& x, Scalar threshold, Scalar value);

/// Whether |a - b| <= atol + rtol |b|, or a == b; with `equal_nan` NaN is close to NaN. bool, broadcast. Throws DTypeError
/// for different dtypes, ValueError for a tolerance below 0.
Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
/// Whether all are. Waits for the device.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false,
              SourceLocation location = SourceLocation::current());

}  // namespace luge
