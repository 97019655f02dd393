#include <luge/train/parameters.h>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/hyper.h>

namespace luge {

Parameters::Parameters(ParametersOptions options) : arena_(std::make_shared<Arena>(options)) {}

Tensor Parameters::add(std::string_view name, const Shape& shape, const Init& init) {
  return arena_->add({{std::string(name), shape, init}}).front();
}

std::vector<Tensor> Parameters::add(const std::vector<ParameterSpec>& specs) { return arena_->add(specs); }

Tensor Parameters::operator[](std::string_view name) const { return arena_->tensors()[arena_->find(name)]; }
void Parameters::set_init(std::string_view name, const std::optional<Init>& init) {
  arena_->set_init(arena_->find(name), init);
}
std::vector<std::optional<Init>> Parameters::inits() const { return arena_->inits(); }

std::optional<Parameters> Parameters::home_of(const Tensor& leaf) {
  const TensorImpl& impl = checked(leaf, "Parameters", "leaf");
  std::shared_ptr<void> home = impl.leaf ? impl.leaf->arena() : nullptr;
  if (!home) return std::nullopt;
  // Only arenas bind leaves, so that is what the pointer without a type points to.
  return Parameters(std::static_pointer_cast<Arena>(std::move(home)));
}

bool Parameters::adopted() const { return arena_->adopted(); }
const ParametersOptions& Parameters::options() const { return arena_->options(); }
std::vector<std::string> Parameters::names() const { return arena_->names(); }
std::vector<Tensor> Parameters::tensors() const { return arena_->tensors(); }
std::int64_t Parameters::sets() const { return arena_->sets(); }
bool Parameters::batched() const { return arena_->options().sets.has_value(); }
std::int64_t Parameters::count_per_set() const { return arena_->count_per_set(); }
DType Parameters::dtype() const { return arena_->options().dtype; }
Device Parameters::device() const { return arena_->options().device; }
void Parameters::zero_grad() { arena_->zero_grad(); }

void Parameters::set_active(const Tensor& mask) {
  const TensorImpl& impl = checked(mask, "set_active", "mask");
  LUGE_CHECK(DTypeError, impl.dtype == DType::Bool, "set_active: mask is {}; allowed is bool", name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.empty() || impl.shape == Shape{sets()},
             "set_active: mask has shape {}; allowed are () and ({},), one flag per set", to_string(impl.shape), sets());
  LUGE_CHECK(DeviceError, mask.device() == device(), "set_active: mask is on {} and the parameters are on {}",
             to_string(mask.device()), to_string(device()));
  arena_->set_active(mask);
}

Tensor Parameters::active() const {
  if (arena_->active().defined()) return arena_->active().ne(0).reshape(batched() ? Shape{sets()} : Shape{});
  return full(batched() ? Shape{sets()} : Shape{}, true, {.dtype = DType::Bool, .device = device()});
}

Tensor Parameters::clip_grad_norm_(double max_norm) {
  return clip(hyper_values("clip_grad_norm_", "max_norm", max_norm, Allowed::NotNegative, *this, Waiting::Never, {}));
}

Tensor Parameters::clip_grad_norm_(const Tensor& max_norm, SourceLocation location) {
  return clip(
      hyper_values("clip_grad_norm_", "max_norm", max_norm, Allowed::NotNegative, *this, Waiting::Never, location));
}

Tensor Parameters::clip(const Tensor& max_norm) {
  const Tensor norms = zeros(batched() ? Shape{sets()} : Shape{}, {.dtype = dtype(), .device = device()});
  ClipNorm call;
  call.dtype = dtype();
  call.layout = arena_->active_layout();
  call.grad = arena_->gradients();
  call.norm = norms.data();
  call.max_norm = hyper(max_norm);
  if (call.layout.parameters == 0) return norms;
  if (observer) [[unlikely]]
    observer->uses(*norms.storage());
  arena_->backend().run(call);
  arena_->bump_gradients(call.layout);
  return norms;
}

}  // namespace luge
