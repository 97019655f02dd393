#include <luge/train/clip.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_set>

#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>
#include <luge/train/detail/arena.h>
#include <luge/train/detail/hyper.h>

namespace luge {

namespace {

constexpr const char* kOp = "clip_grad_norm_";

/// Where loose gradients lie in a block of their own. A recorded step keeps it.
struct Packing : std::enable_shared_from_this<Packing> {
  std::vector<std::int64_t> offsets, per_set;
  std::int64_t size = 0;
  Tensor device_table;

  Packing(const std::vector<Tensor>& gradients, std::int64_t sets) {
    for (const Tensor& gradient : gradients) {
      offsets.push_back(size);
      per_set.push_back(gradient.numel() / sets);
      size += arena_room(gradient.numel(), gradient.dtype());
    }
    const Unobserved once;
    std::vector<std::int64_t> table = offsets;
    table.insert(table.end(), per_set.begin(), per_set.end());
    device_table = from_host(table, {static_cast<std::int64_t>(table.size())}, gradients[0].device());
  }

  ArenaLayout layout(std::int64_t sets) const {
    return {.sets = sets,
            .parameters = static_cast<int>(offsets.size()),
            .size = size,
            .offset = offsets.data(),
            .per_set = per_set.data(),
            .device_table = static_cast<const std::int64_t*>(device_table.data())};
  }

  void observe() {
    if (!observer) return;
    observer->uses(*device_table.storage());
    HostEffect effect;
    effect.owner = weak_from_this();
    effect.owner_name = kOp;
    effect.after = [kept = shared_from_this()](std::int64_t) {};
    observer->has_effect(std::move(effect));
  }
};

/// Each leaf once.
std::vector<Tensor> checked_leaves(const std::vector<Tensor>& given) {
  std::vector<Tensor> leaves;
  std::unordered_set<const TensorImpl*> seen;
  for (std::size_t i = 0; i < given.size(); ++i) {
    LUGE_CHECK(ValueError, given[i].defined(), "{}: tensor {} is undefined", kOp, i);
    const TensorImpl& impl = *given[i].impl();
    LUGE_CHECK(ValueError, !impl.grad_fn, "{}: tensor {} was made by {}; only leaves have a gradient", kOp, i,
               impl.grad_fn->name());
    if (impl.leaf && seen.insert(&impl).second) leaves.push_back(given[i]);
  }
  return leaves;
}

/// The arena of which these are all parameters.
std::optional<Parameters> whole_arena(const std::vector<Tensor>& leaves) {
  std::optional<Parameters> arena;
  for (const Tensor& leaf : leaves) {
    const std::optional<Parameters> own = Parameters::home_of(leaf);
    if (!own || (arena && !(*arena == *own))) return std::nullopt;
    arena = own;
  }
  if (arena && arena->tensors().size() != leaves.size()) return std::nullopt;
  return arena;
}

std::string words(std::optional<std::int64_t> sets) { return sets ? fmt::format("{} sets", *sets) : "no sets"; }

void check_alike(const Tensor& first, const Tensor& leaf) {
  LUGE_CHECK(DTypeError, !is_storage_only(leaf.dtype()),
             "{}: a tensor of shape {} is {}; allowed are float32 and float64", kOp, to_string(leaf.shape()), name(leaf.dtype()));
  LUGE_CHECK(DTypeError, leaf.dtype() == first.dtype(),
             "{}: a tensor of shape {} is {} and one of shape {} is {}; all must share one dtype", kOp,
             to_string(first.shape()), name(first.dtype()), to_string(leaf.shape()), name(leaf.dtype()));
  LUGE_CHECK(DeviceError, leaf.device() == first.device(),
             "{}: a tensor of shape {} is on {} and one of shape {} on {}; all must share one device", kOp,
             to_string(first.shape()), to_string(first.device()), to_string(leaf.shape()), to_string(leaf.device()));
  const std::optional<std::int64_t> one = first.impl()->leaf->sets(), other = leaf.impl()->leaf->sets();
  LUGE_CHECK(ValueError, one == other,
             "{}: a tensor of shape {} has {} and one of shape {} has {}; all must have the same", kOp,
             to_string(first.shape()), words(one), to_string(leaf.shape()), words(other));
}

Tensor clipped(const std::vector<Tensor>& given, const PerSet& max_norm, SourceLocation location) {
  const std::vector<Tensor> leaves = checked_leaves(given);
  if (std::optional<Parameters> arena = whole_arena(leaves))
    return max_norm.is_tensor() ? arena->clip_grad_norm_(max_norm.values(), location)
                                : arena->clip_grad_norm_(max_norm.value());
  std::vector<Tensor> gradients;
  const Tensor* first = leaves.empty() ? nullptr : &leaves[0];
  for (const Tensor& leaf : leaves) {
    if (observer) [[unlikely]] {
      observer->uses(*leaf.storage());  // whether it is frozen
      observer->uses_gradient(*leaf.impl());
    }
    if (!leaf.requires_grad() || !leaf.impl()->leaf->written()) continue;
    Tensor gradient = leaf.grad();
    if (gradients.empty()) first = &leaf;
    check_alike(*first, leaf);
    gradients.push_back(std::move(gradient));
  }
  ParametersOptions options;
  if (first && is_floating(first->dtype()))
    options = {.sets = first->impl()->leaf->sets(), .device = first->device(), .dtype = first->dtype()};
  const Parameters alike(options);
  const Tensor most = hyper_values(kOp, "max_norm", max_norm, Allowed::NotNegative, alike, Waiting::Never, location);
  Tensor norms =
      zeros(options.sets ? Shape{*options.sets} : Shape{}, {.dtype = options.dtype, .device = options.device});
  if (gradients.empty()) return norms;

  const auto packing = std::make_shared<Packing>(gradients, alike.sets());
  const Tensor block = zeros({packing->size}, {.dtype = options.dtype, .device = options.device});
  std::vector<Tensor> places;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Shape& shape = gradients[i].shape();
    places.push_back(window_tensor(block, shape, contiguous_strides(shape), packing->offsets[i]));
    copy_values(gradients[i], places[i], Store::Overwrite);
  }
  ClipNorm call;
  call.dtype = options.dtype;
  call.layout = packing->layout(alike.sets());
  call.grad = block.data();
  call.norm = norms.data();
  call.max_norm = hyper(most);
  if (observer) [[unlikely]] {
    observer->uses(*block.storage());
    observer->uses(*norms.storage());
  }
  packing->observe();
  block.storage()->backend().run(call);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    copy_values(places[i], gradients[i], Store::Overwrite);
    gradients[i].storage()->bump_version();
  }
  return norms;
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Tensor>& leaves, double max_norm) { return clipped(leaves, max_norm, {}); }

Tensor clip_grad_norm_(const std::vector<Tensor>& leaves, const Tensor& max_norm, SourceLocation location) {
  return clipped(leaves, max_norm, location);
}

}  // namespace luge
