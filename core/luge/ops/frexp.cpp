#include <luge/ops/frexp.h>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// 2^-exponent in two factors, as it may be infinite, or subnormal, where what it scales is not.
struct Scale {
  Tensor first, second;
};

Scale down(const Tensor& exponent) {
  const Tensor half = floor(exponent * -0.5);
  return {exp2(half), exp2(-exponent - half)};
}

}  // namespace

MantissaAndExponent frexp(const Tensor& x) {
  const DType dtype = checked(x, "frexp").dtype;
  LUGE_CHECK(DTypeError, is_floating(dtype), "frexp: the tensor is {}; allowed are the floating dtypes", name(dtype));
  const Operation called("frexp");
  // float64 has all other dtypes' numbers as normal ones.
  const Tensor wide = x.to(DType::Float64);
  Tensor exponent;
  {
    const NoGrad guard;
    const Tensor plain = wide.detach(), is_number = isfinite(plain).logical_and(plain != 0);
    const Tensor size = abs(where(is_number, plain, 1)), tiny = size < 0x1p-960;
    const Tensor raised = where(tiny, size * 0x1p200, size);
    exponent = floor(log2(raised)) + 1;
    // The logarithm is rounded: near a power of two it may be the next integer.
    const Scale scale = down(exponent);
    const Tensor found = raised * scale.first * scale.second;
    exponent = exponent + where(found >= 1, 1.0, where(found < 0.5, -1.0, exponent * 0));
    exponent = where(is_number, where(tiny, exponent - 200, exponent), 0);
  }
  const Scale scale = down(exponent);
  return {(wide * scale.first * scale.second).to(dtype), exponent.to(DType::Int32)};
}

}  // namespace luge
