#pragma once
// Internal: the memory behind Parameters.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/autograd/detail/node.h>
#include <luge/seam/backend.h>
#include <luge/tensor/tensor.h>
#include <luge/train/parameters.h>

namespace luge {

/// Elements that a parameter of `count` elements takes in a block: whole cache lines, and one at least, so that no two
/// parameters share an address.
std::int64_t arena_room(std::int64_t count, DType dtype);

/// Values and gradients in two blocks of one layout. While parameters are being added the blocks may grow
/// and move; the tensors' storages move with them. An optimizer seals the arena: from then on addresses
/// are fixed.
class Parameters::Arena : public std::enable_shared_from_this<Parameters::Arena> {
 public:
  explicit Arena(const ParametersOptions& options);

  /// Adds parameters of these per-set shapes and initialises them. All or none.
  std::vector<Tensor> add(const std::vector<ParameterSpec>& specs);
  /// Copies loose leaves in. They move, values and gradients, when the arena is sealed; until then nothing
  /// of them has changed. The arena must be empty and of their dtype and device.
  void prepare_adoption(const std::vector<Tensor>& leaves);

  /// Whether it took in loose leaves: an optimizer's own arena, which users did not make.
  bool adopted() const { return adopted_; }

  /// An optimizer takes hold: no parameter may be added any more, and loose leaves move in.
  void seal();
  void zero_grad();
  /// The parameters that a call on the gradients is for: those that require a gradient and that something has written
  /// a gradient of since zero_grad; with `among` not empty only of those it says true of. Others look like padding. Tells
  /// who records a step about the whole arena.
  ArenaLayout active_layout(const std::vector<bool>& among = {});
  /// The values, or the gradients, of these parameters have been written in place.
  void bump_values(const ArenaLayout& written);
  void bump_gradients(const ArenaLayout& written);

  /// One flag per set, in the arena's dtype; undefined while every set takes part.
  const Tensor& active() const { return active_; }
  void set_active(const Tensor& mask);
  /// Tells who records a step that it steps every set: it fails once some set may stand still.
  void expect_all_active();

  /// A block of the arena's layout, zeroed: an optimizer's state.
  Ref<Storage> make_block() const;
  ArenaLayout layout() const;
  /// While it is lent, some of its sets are trained in another arena: a step, or forgetting the gradients, of this one
  /// throws ValueError.
  void lend(bool lent) { lent_ = lent; }
  void expect_at_home() const;
  /// Tells who records a step that a call on the whole arena follows.
  void observe();
  void* values() const { return values_->data(); }
  /// The block of the values; it stays where it is from seal() on.
  const Ref<Storage>& value_block() const { return values_; }
  void* gradients() const { return gradients_->data(); }

  const ParametersOptions& options() const { return options_; }
  Backend& backend() const { return *backend_; }
  std::int64_t sets() const { return options_.sets.value_or(1); }
  const std::vector<std::string>& names() const { return entries_.names; }
  const std::vector<Tensor>& tensors() const { return entries_.tensors; }
  std::int64_t count_per_set() const;
  /// A parameter and its place in a block of the layout, in elements.
  struct Member {
    std::string name;
    Shape shape;
    std::int64_t offset;
  };
  std::vector<Member> members() const;
  /// The number of a parameter. Throws ValueError naming what there is.
  std::size_t find(std::string_view name) const;
  /// What parameters start as; absent: it was a loose leaf, whose start nobody knows.
  const std::vector<std::optional<Init>>& inits() const { return entries_.inits; }
  void set_init(std::size_t p, const std::optional<Init>& init) { entries_.inits[p] = init; }
  /// Gives `tensor`, of the shape of parameter `p`, the values that it starts with in an arena of this seed; without
  /// one drawn by the next numbers of the global generator.
  void initialize(const Tensor& tensor, const Init& init, std::uint64_t p, std::optional<std::uint64_t> seed) const;

 private:
  /// Parameters that are about to be part of the arena.
  struct Entries {
    std::vector<std::string> names;
    std::vector<Tensor> tensors, gradients;
    std::vector<std::int64_t> offsets, per_set;
    std::vector<std::optional<Init>> inits;
    std::int64_t size = 0;  // of the arena with them
  };

  /// Some of the parameters, and the tables that a layout of them points to.
  struct Part {
    std::vector<bool> members;
    std::vector<std::int64_t> offsets, per_set;
    Tensor device_table;
  };

  ArenaLayout layout_of(const std::vector<std::int64_t>& offsets, const std::vector<std::int64_t>& per_set,
                        const Tensor& device_table) const;
  Tensor table_of(const std::vector<std::int64_t>& offsets, const std::vector<std::int64_t>& per_set) const;
  std::shared_ptr<const Part> part_of(const std::vector<bool>& members);
  /// The same part, which a step that is being recorded may point to from now on.
  std::shared_ptr<const Part> recorded(const std::shared_ptr<const Part>& part);
  /// visit(p) for every parameter p of the layout.
  template <class Visit>
  void for_each_of(const ArenaLayout& layout, const Visit& visit) const;

  /// Gives the next parameter its place, with `count` elements in all.
  void place(Entries& entries, std::string name, std::int64_t count) const;
  /// Makes room for `size` elements, moving the blocks if they are full; what is new is zero.
  void reserve(std::int64_t size);
  /// A tensor over a part of a block: with a storage and so a version of its own.
  Tensor window(const Ref<Storage>& block, std::int64_t offset, const Shape& shape) const;
  void bind(const Tensor& tensor, const Tensor& gradient);
  void commit(Entries entries);
  Ref<Storage> allocate(std::int64_t elements) const;

  ParametersOptions options_;
  Backend* backend_;
  bool sealed_ = false, adopting_ = false, adopted_ = false, lent_ = false;
  std::shared_ptr<ArenaMark> mark_;
  Ref<Storage> values_, gradients_;
  std::int64_t capacity_ = 0;  // elements
  Entries entries_;
  mutable Tensor device_table_;
  Tensor active_;
  std::shared_ptr<bool> may_rest_ = std::make_shared<bool>(false);  ///< whether some set may stand still
  std::shared_ptr<const Part> latest_part_;
  std::vector<std::shared_ptr<const Part>> recent_parts_;    ///< parameter groups take turns
  std::vector<std::shared_ptr<const Part>> recorded_parts_;  ///< recorded steps point to their tables
};

}  // namespace luge
