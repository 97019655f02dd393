#pragma once
// Mixed precision: products in a half type, what needs the range or the digits in float32.

#include <optional>

#include <luge/base/device.h>
#include <luge/base/dtype.h>

namespace luge {

struct AutocastOptions {
  std::optional<DType> dtype = {};  ///< float16 or bfloat16; absent: the device's, bfloat16 on the CPU, float16 on CUDA
  bool enabled = true;
  /// Whether a float32 leaf that requires a gradient is converted once for all its uses.
  bool cache_enabled = true;
};

/// While it lives, ops of this thread on tensors of this kind of device choose the dtype that they compute in, as within
/// torch.autocast; float64 tensors and integers stay as they are:
///   float16 or bfloat16   matmul, mm, bmm, mv, linear, addmm and its like, einsum, tensordot, inner, multi_dot, prelu's weight;
///                         convolutions and attention
///   float32               exp, expm1, exp2, log and its bases, log1p, pow, reciprocal, rsqrt, tan, asin, acos, sinh, cosh, erfinv,
///                         softplus, softmax, log_softmax, logsumexp, sum, prod, cumsum, cumprod, norms, distances, losses
///   the widest given      all others, by promotion
/// binary_cross_entropy throws ValueError: its input has been rounded where the loss is steep; use
/// binary_cross_entropy_with_logits. In-place ops keep the dtype of what they change.
///
/// Conversions are recorded: a float32 leaf has a float32 gradient. backward() and grad() compute as forward did,
/// whatever is alive when they are called. The list is PyTorch's for CUDA; luge has one for both devices.
///
/// `{ const Autocast guard(Device::Type::Cpu, {.dtype = DType::BFloat16}); loss = cross_entropy(model(x), y); }`
///
/// Throws DTypeError unless dtype is a half type.
class Autocast {
 public:
  explicit Autocast(Device::Type device, const AutocastOptions& options = {});
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  Device::Type device_;
  bool enabled_, cache_enabled_;
  DType dtype_;
};

bool autocast_enabled(Device::Type device);
DType autocast_dtype(Device::Type device);
bool autocast_cache_enabled();

/// What Autocast is made of, for bindings. set_autocast_dtype throws DTypeError unless it is a half type.
void set_autocast_enabled(Device::Type device, bool enabled);
void set_autocast_dtype(Device::Type device, DType dtype);
void set_autocast_cache_enabled(bool enabled);
/// The depth of regions on this thread afterwards. Leaving the outermost one forgets the conversions.
int autocast_increment_nesting();
int autocast_decrement_nesting();
void clear_autocast_cache();

}  // namespace luge
