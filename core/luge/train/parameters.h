#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>
#include <luge/train/init.h>

namespace luge {

namespace stop {
class Live;
class StopRule;
}  // namespace stop
namespace population {
class Members;
}

/// `Parameters params({.sets = 1'000'000, .device = Device::best()});`
struct ParametersOptions {
  /// Absent: an ordinary model, whose parameters have the shapes given to add(). With a number S >= 1
  /// every parameter has a leading axis of S sets, trained at once.
  std::optional<std::int64_t> sets = {};
  Device device = Device::cpu();
  DType dtype = DType::Float32;
  /// Seed of the initialisation: two arenas of one seed start the same. Absent: every parameter takes the next
  /// numbers of the global generator, as rand() does, so no two start the same and manual_seed repeats all of them.
  std::optional<std::uint64_t> seed = {};
  /// Number of the first set: set i here draws what set first_set + i of a larger batch draws.
  std::int64_t first_set = 0;
};

/// What add() needs to know of a parameter.
struct ParameterSpec {
  std::string name;
  Shape shape;
  Init init;
};

/// The arena: values and gradients of a model's parameters, each in one block of the same layout,
/// parameter after parameter, so that an optimizer step, a clip or a copy is one call. A Parameters is
/// a handle; copies share the arena.
class Parameters {
 public:
  explicit Parameters(ParametersOptions options = {});

  /// Adds a parameter of `shape` (with the leading axis of the sets where there is one) and initialises
  /// it, keyed by set and by seed and order of adding (with a seed) or by what the global generator gives next. The
  /// tensor is a leaf that requires a gradient and stays valid for the life of the arena. Throws ValueError for a name
  /// in use (names are unique) and once an optimizer works on the arena, ShapeError for an impossible shape,
  /// OutOfMemoryError.
  Tensor add(std::string_view name, const Shape& shape, const Init& init);
  /// Adds several, in order, or, where one cannot be added, none: what a layer does.
  std::vector<Tensor> add(const std::vector<ParameterSpec>& specs);

  /// By name. Throws ValueError naming what there is.
  Tensor operator[](std::string_view name) const;
  std::vector<std::string> names() const;
  std::vector<Tensor> tensors() const;
  /// What they start as, in the order of the names; absent where nobody knows: of loose leaves.
  std::vector<std::optional<Init>> inits() const;
  /// What a parameter starts as where population::restart draws it anew. Throws ValueError naming what there is.
  void set_init(std::string_view name, const std::optional<Init>& init);

  /// The arena that a leaf lives in: a Parameters, or an optimizer's own that took it in. Absent for a loose leaf.
  static std::optional<Parameters> home_of(const Tensor& leaf);
  /// Whether it is an optimizer's own arena of loose leaves.
  bool adopted() const;
  /// Whether both are handles on one arena.
  friend bool operator==(const Parameters& a, const Parameters& b) { return a.arena_ == b.arena_; }
  /// One number for all handles on the arena, and another for every other arena that is alive.
  std::uintptr_t id() const { return reinterpret_cast<std::uintptr_t>(arena_.get()); }
  const ParametersOptions& options() const;

  /// Number of sets; 1 for an ordinary model.
  std::int64_t sets() const;
  /// Whether parameters have a leading axis of sets.
  bool batched() const;
  /// Parameters of one set, counted in elements.
  std::int64_t count_per_set() const;
  std::int64_t count() const { return sets() * count_per_set(); }
  DType dtype() const;
  Device device() const;

  /// Forgets all gradients; O(1), touches no memory.
  void zero_grad();

  /// Says which sets optimizers step: the others keep their values and their optimizer state, whatever their gradients
  /// are. `mask` is bool, of shape (sets) or (), on the arena's device; it is copied, without waiting, so that a captured
  /// step may compute it. Steps are counted for all sets alike. A step that was captured before the first call of this
  /// throws CaptureError: it would step every set. Throws DTypeError, ShapeError, DeviceError.
  void set_active(const Tensor& mask);
  /// Which sets optimizers step: bool, of shape (sets), or () for an ordinary model.
  Tensor active() const;

  /// Scales the gradients of each set so that their joint 2-norm is at most `max_norm` (a number, or
  /// a tensor of shape (sets)). Returns the norms before clipping, shape (sets) or () for an ordinary
  /// model, on the device. As torch.nn.utils.clip_grad_norm_, set by set; a frozen
  /// parameter and one without a gradient play no part. Throws ValueError for a negative or NaN max_norm (a tensor's
  /// values are looked at where that needs no waiting: on the CPU).
  Tensor clip_grad_norm_(double max_norm);
  Tensor clip_grad_norm_(const Tensor& max_norm, SourceLocation location = SourceLocation::current());

 private:
  friend class Averaged;
  friend class Optimizer;
  friend class stop::Live;
  friend class stop::StopRule;
  friend class population::Members;
  class Arena;
  explicit Parameters(std::shared_ptr<Arena> arena) : arena_(std::move(arena)) {}
  Tensor clip(const Tensor& max_norm);

  std::shared_ptr<Arena> arena_;
};

}  // namespace luge
