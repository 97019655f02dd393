#include <luge/autograd/autocast.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include <luge/autograd/detail/autocast.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

std::size_t at(Device::Type device) { return static_cast<std::size_t>(device); }

void check_half(DType dtype) {
  LUGE_CHECK(DTypeError, dtype == DType::Float16 || dtype == DType::BFloat16,
             "autocast: dtype is {}; allowed are float16 and bfloat16", name(dtype));
}

/// A leaf in a half type, and what it was made of.
struct Conversion {
  Tensor leaf, low;
  std::uint64_t version;
};

std::unordered_map<const TensorImpl*, Conversion>& conversions() {
  static thread_local std::unordered_map<const TensorImpl*, Conversion> cache;
  return cache;
}

/// Leaves alone are used again and again. A step that is recorded inside the region does not take what was converted
/// outside of it.
bool is_cached(const Tensor& x) {
  const TensorImpl& impl = *x.impl();
  return autocast_mode.cache_enabled && autocast_mode.nesting > 0 && impl.leaf && !impl.grad_fn && x.requires_grad() &&
         impl.dtype == DType::Float32 && grad_enabled() && observer == autocast_mode.observer;
}

}  // namespace

bool autocast_enabled(Device::Type device) { return autocast_mode.enabled[at(device)]; }
DType autocast_dtype(Device::Type device) { return autocast_mode.dtype[at(device)]; }
bool autocast_cache_enabled() { return autocast_mode.cache_enabled; }
void set_autocast_enabled(Device::Type device, bool enabled) { autocast_mode.enabled[at(device)] = enabled; }
void set_autocast_dtype(Device::Type device, DType dtype) {
  check_half(dtype);
  autocast_mode.dtype[at(device)] = dtype;
}
void set_autocast_cache_enabled(bool enabled) { autocast_mode.cache_enabled = enabled; }

int autocast_increment_nesting() {
  if (autocast_mode.nesting == 0) autocast_mode.observer = observer;
  return ++autocast_mode.nesting;
}
int autocast_decrement_nesting() {
  autocast_mode.nesting = std::max(0, autocast_mode.nesting - 1);
  if (autocast_mode.nesting == 0) clear_autocast_cache();
  return autocast_mode.nesting;
}
void clear_autocast_cache() { conversions().clear(); }

Autocast::Autocast(Device::Type device, const AutocastOptions& options)
    : device_(device),
      enabled_(autocast_enabled(device)),
      cache_enabled_(autocast_cache_enabled()),
      dtype_(autocast_dtype(device)) {
  if (options.dtype) set_autocast_dtype(device, *options.dtype);
  set_autocast_enabled(device, options.enabled);
  set_autocast_cache_enabled(options.cache_enabled);
  autocast_increment_nesting();
}

Autocast::~Autocast() {
  autocast_decrement_nesting();
  autocast_mode.enabled[at(device_)] = enabled_;
  autocast_mode.dtype[at(device_)] = dtype_;
  autocast_mode.cache_enabled = cache_enabled_;
}

Tensor autocast_low_slow(const Tensor& x) {
  if (!x.defined()) return x;
  const TensorImpl& impl = *x.impl();
  const std::size_t device = at(x.device().type);
  if (!autocast_mode.enabled[device] || !is_floating(impl.dtype) || impl.dtype == DType::Float64) return x;
  const DType dtype = autocast_mode.dtype[device];
  if (impl.dtype == dtype || !is_cached(x)) return x.to(dtype);
  const std::uint64_t version = impl.storage->version();
  Conversion& known = conversions()[&impl];
  if (!known.low.defined() || known.version != version || known.low.dtype() != dtype)
    known = {.leaf = x, .low = x.to(dtype), .version = version};
  return known.low;
}

DType autocast_float32_slow(DType dtype, Device device) {
  const bool is_half = dtype == DType::Float16 || dtype == DType::BFloat16;
  return is_half && autocast_mode.enabled[at(device.type)] ? DType::Float32 : dtype;
}

bool needs_float32(Op op) {
  switch (op) {
    case Op::Exp:
    case Op::Exp2:
    case Op::Expm1:
    case Op::Log:
    case Op::Log2:
    case Op::Log10:
    case Op::Log1p:
    case Op::Pow:
    case Op::Reciprocal:
    case Op::Rsqrt:
    case Op::Tan:
    case Op::Asin:
    case Op::Acos:
    case Op::Sinh:
    case Op::Cosh:
    case Op::Erfinv:
    case Op::Softplus: return true;
    default: return false;
  }
}

/// A composite calls matmul in the name of what the user called.
bool autocasts_product() {
  static constexpr std::string_view kProducts[] = {"matmul", "mm",     "bmm",       "mv",    "linear",    "addmm",       "addmv",
                                                   "addbmm", "baddbmm", "einsum", "inner", "tensordot", "multi_dot", "chain_matmul",
                                                   "multi_head_attention_forward"};
  return !operation || std::find(std::begin(kProducts), std::end(kProducts), operation) != std::end(kProducts);
}

}  // namespace luge
