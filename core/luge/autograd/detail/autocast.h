#pragma once
// Internal: what ops ask of the regions of luge/autograd/autocast.h.

#include <array>

#include <luge/autograd/autocast.h>
#include <luge/seam/op.h>
#include <luge/tensor/tensor.h>

namespace luge {

class Observer;

struct AutocastMode {
  std::array<bool, 2> enabled{};  ///< by Device::Type
  std::array<DType, 2> dtype{DType::BFloat16, DType::Float16};
  bool cache_enabled = true;
  int nesting = 0;
  const Observer* observer = nullptr;  ///< at the entry of the outermost region

  bool is_on() const { return enabled[0] || enabled[1]; }
};
inline constinit thread_local AutocastMode autocast_mode;

/// While it lives, ops take what they are given.
class NoAutocast {
 public:
  NoAutocast() : before_(autocast_mode.enabled) { autocast_mode.enabled = {}; }
  ~NoAutocast() { autocast_mode.enabled = before_; }
  NoAutocast(const NoAutocast&) = delete;
  NoAutocast& operator=(const NoAutocast&) = delete;

 private:
  std::array<bool, 2> before_;
};

Tensor autocast_low_slow(const Tensor& x);
DType autocast_float32_slow(DType dtype, Device device);
bool needs_float32(Op op);
bool autocasts_product();

/// An operand of a product, a convolution or attention as the region wants it: a float32 or half tensor in the region's
/// dtype, everything else and an undefined tensor as it is. To be called before dtypes are checked.
inline Tensor autocast_low(const Tensor& x) { return autocast_mode.is_on() ? autocast_low_slow(x) : x; }
/// The same within matmul, which composites call: those that are no products themselves keep their dtype.
inline Tensor autocast_factor(const Tensor& x) { return autocast_mode.is_on() && autocasts_product() ? autocast_low_slow(x) : x; }

/// The dtype of an op that needs float32: that in place of a half type.
inline DType autocast_float32(DType dtype, Device device) {
  return autocast_mode.is_on() ? autocast_float32_slow(dtype, device) : dtype;
}
/// The argument of such an op.
inline Tensor autocast_float32(const Tensor& x) {
  return autocast_mode.is_on() && x.defined() ? x.to(autocast_float32_slow(x.dtype(), x.device())) : x;
}

}  // namespace luge
