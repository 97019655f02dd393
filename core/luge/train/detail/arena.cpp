#include <luge/train/detail/arena.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/detail/random_state.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

constexpr std::size_t kRecentParts = 32;
constexpr std::int64_t kAlignment = 64;  // bytes; a cache line, and every vector width

/// Streams of parameters under a seed of their own, apart from those of rand() and its kin.
constexpr std::uint64_t kParameterStreams = std::uint64_t{1} << 39;

/// The elements [begin, end) of a block.
Tensor flat(const Ref<Storage>& block, DType dtype, std::int64_t begin, std::int64_t end) {
  return Tensor(new TensorImpl(block, dtype, {end - begin}, {1}, begin, end - begin));
}

template <class T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

std::int64_t arena_room(std::int64_t count, DType dtype) {
  const std::int64_t step = kAlignment / static_cast<std::int64_t>(size_of(dtype));
  return (std::max<std::int64_t>(count, 1) + step - 1) / step * step;
}

Parameters::Arena::Arena(const ParametersOptions& options)
    : options_(options),
      backend_(&luge::backend(options.device)),
      mark_(std::make_shared<ArenaMark>(ArenaMark{.sets = options.sets})) {
  LUGE_CHECK(ValueError, options.sets.value_or(1) >= 1, "Parameters: sets is {}; it must be 1 or more", *options.sets);
  LUGE_CHECK(ValueError, options.first_set >= 0, "Parameters: first_set is {}; it must be 0 or more",
             options.first_set);
  LUGE_CHECK(DTypeError, options.dtype == DType::Float32 || options.dtype == DType::Float64,
             "Parameters: dtype is {}; allowed are float32 and float64", name(options.dtype));
  values_ = allocate(0);
  gradients_ = allocate(0);
}

// ---- memory -------------------------------------------------------------------------------------

Ref<Storage> Parameters::Arena::allocate(std::int64_t elements) const {
  return Storage::allocate(*backend_, static_cast<std::size_t>(elements) * size_of(options_.dtype));
}

void Parameters::Arena::reserve(std::int64_t size) {
  const DType dtype = options_.dtype;
  const std::int64_t used = entries_.size;
  if (size > capacity_) {
    const std::int64_t capacity = std::max(size, 2 * capacity_);
    const Ref<Storage> values = allocate(capacity), gradients = allocate(capacity);
    if (used > 0) {
      copy_values(flat(values_, dtype, 0, used), flat(values, dtype, 0, used), Store::Overwrite);
      copy_values(flat(gradients_, dtype, 0, used), flat(gradients, dtype, 0, used), Store::Overwrite);
    }
    for (std::size_t p = 0; p < entries_.tensors.size(); ++p) {
      const std::size_t offset = static_cast<std::size_t>(entries_.offsets[p]) * size_of(dtype);
      entries_.tensors[p].storage()->move_into(values, offset);
      entries_.gradients[p].storage()->move_into(gradients, offset);
    }
    values_ = values;
    gradients_ = gradients;
    capacity_ = capacity;
  }
  // Only what is used: on the CPU spare capacity is address space that nothing has touched.
  fill_values(flat(values_, dtype, used, size), 0);
  fill_values(flat(gradients_, dtype, used, size), 0);
}

Tensor Parameters::Arena::window(const Ref<Storage>& block, std::int64_t offset, const Shape& shape) const {
  const std::size_t bytes = size_of(options_.dtype);
  const std::int64_t count = element_count(shape);
  return Tensor(new TensorImpl(
      Storage::window(block, static_cast<std::size_t>(offset) * bytes, static_cast<std::size_t>(count) * bytes),
      options_.dtype, shape, contiguous_strides(shape), 0, count));
}

Ref<Storage> Parameters::Arena::make_block() const {
  Ref<Storage> block = allocate(entries_.size);
  fill_values(flat(block, options_.dtype, 0, entries_.size), 0);
  return block;
}

// ---- adding -------------------------------------------------------------------------------------

void Parameters::Arena::place(Entries& entries, std::string name, std::int64_t count) const {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 64;
  LUGE_CHECK(ShapeError, count <= kMost && entries.size <= kMost,
             "Parameters: '{}' of {} elements would make more than memory can address", name, count);
  entries.names.push_back(std::move(name));
  entries.offsets.push_back(entries.size);
  entries.per_set.push_back(count / sets());
  entries.size += arena_room(count, options_.dtype);
}

void Parameters::Arena::commit(Entries entries) {
  for (auto* const list : {&entries_.tensors, &entries_.gradients}) list->reserve(list->size() + entries.names.size());
  for (auto* const list : {&entries_.offsets, &entries_.per_set}) list->reserve(list->size() + entries.names.size());
  entries_.inits.reserve(entries_.inits.size() + entries.names.size());
  entries_.names.reserve(entries_.names.size() + entries.names.size());
  append(entries_.names, entries.names);
  append(entries_.tensors, entries.tensors);
  append(entries_.gradients, entries.gradients);
  append(entries_.offsets, entries.offsets);
  append(entries_.per_set, entries.per_set);
  append(entries_.inits, entries.inits);
  entries_.size = entries.size;
  device_table_ = {};
  latest_part_ = {};
  recent_parts_.clear();
}

void Parameters::Arena::bind(const Tensor& tensor, const Tensor& gradient) {
  tensor.impl()->leaf->bind(gradient, mark_, weak_from_this());
}

std::vector<Tensor> Parameters::Arena::add(const std::vector<ParameterSpec>& specs) {
  Entries fresh;
  fresh.size = entries_.size;
  std::vector<Shape> shapes;
  for (const ParameterSpec& spec : specs) {
    LUGE_CHECK(
        ValueError, !sealed_,
        "Parameters: '{}' cannot be added: an optimizer works on these parameters; add all of them before making "
        "the optimizer",
        spec.name);
    for (const auto* const names : {&entries_.names, &fresh.names})
      LUGE_CHECK(ValueError, std::find(names->begin(), names->end(), spec.name) == names->end(),
                 "Parameters: the name '{}' is in use; names must be unique", spec.name);
    Shape shape = spec.shape;
    if (options_.sets) shape.insert(0, *options_.sets);
    place(fresh, spec.name, element_count(shape));
    shapes.push_back(shape);
  }
  reserve(fresh.size);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Tensor tensor = window(values_, fresh.offsets[i], shapes[i]);
    fresh.gradients.push_back(window(gradients_, fresh.offsets[i], shapes[i]));
    tensor.requires_grad_();
    bind(tensor, fresh.gradients.back());
    initialize(tensor, specs[i].init, entries_.names.size() + i, options_.seed);
    fresh.inits.push_back(specs[i].init);
    fresh.tensors.push_back(std::move(tensor));
  }
  std::vector<Tensor> result = fresh.tensors;
  commit(std::move(fresh));
  return result;
}

void Parameters::Arena::initialize(const Tensor& tensor, const Init& init, std::uint64_t p,
                                   std::optional<std::uint64_t> seed) const {
  if (tensor.numel() == 0) return;
  if (init.is_constant) return fill_values(tensor, init.a);
  Random call;
  call.kind = init.kind;
  call.sets = sets();
  call.per_set = tensor.numel() / sets();
  call.first_set = options_.first_set;
  call.seed = seed ? *seed : global_seed();
  call.stream = seed ? kParameterStreams + p : next_stream();
  call.global = !seed;
  call.low = init.a;
  call.high = init.b;
  call.out = operand(tensor);
  call.out.strides[0] = 1;
  backend_->run(call);
}

void Parameters::Arena::prepare_adoption(const std::vector<Tensor>& leaves) {
  Entries fresh;
  for (const Tensor& leaf : leaves) place(fresh, std::to_string(fresh.names.size()), leaf.numel());
  reserve(fresh.size);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    copy_values(leaves[i], window(values_, fresh.offsets[i], leaves[i].shape()), Store::Overwrite);
    fresh.gradients.push_back(window(gradients_, fresh.offsets[i], leaves[i].shape()));
  }
  fresh.tensors = leaves;
  fresh.inits.resize(leaves.size());
  commit(std::move(fresh));
  adopting_ = adopted_ = true;
}

void Parameters::Arena::seal() {
  sealed_ = true;
  if (!std::exchange(adopting_, false)) return;
  for (std::size_t p = 0; p < entries_.tensors.size(); ++p) {
    const Tensor& leaf = entries_.tensors[p];
    leaf.storage()->move_into(values_, static_cast<std::size_t>(entries_.offsets[p]) * size_of(options_.dtype));
    bind(leaf, entries_.gradients[p]);
  }
}

// ---- use ----------------------------------------------------------------------------------------

std::size_t Parameters::Arena::find(std::string_view name) const {
  const std::vector<std::string>& names = entries_.names;
  const auto found = std::find(names.begin(), names.end(), name);
  LUGE_CHECK(ValueError, found != names.end(), "Parameters: there is no '{}'; the names are: {}", name,
             fmt::join(names, ", "));
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<Parameters::Arena::Member> Parameters::Arena::members() const {
  std::vector<Member> result;
  for (std::size_t p = 0; p < entries_.names.size(); ++p)
    result.push_back({entries_.names[p], entries_.tensors[p].shape(), entries_.offsets[p]});
  return result;
}

void Parameters::Arena::expect_at_home() const {
  LUGE_CHECK(ValueError, !lent_,
             "Parameters: the sets that still go on have moved to parameters of their own (stop.train); the step must use "
             "the params, the optimizer and the rule that it is given");
}

void Parameters::Arena::zero_grad() {
  expect_at_home();
  if (observer) [[unlikely]]
    for (const Tensor& tensor : entries_.tensors) observer->forgets_gradient(*tensor.impl());
  ++mark_->epoch;
}

void Parameters::Arena::observe() {
  if (!observer) return;
  observer->uses(*values_);
  observer->uses(*gradients_);
  observer->has_effect({.owner = weak_from_this(), .owner_name = "Parameters", .before = {}, .after = {}, .undo = {}});
  for (const Tensor& tensor : entries_.tensors) {
    observer->uses(*tensor.storage());
    observer->uses_gradient(*tensor.impl());
  }
}

ArenaLayout Parameters::Arena::active_layout(const std::vector<bool>& among) {
  expect_at_home();
  observe();
  const auto is_active = [](const Tensor& tensor) {
    return tensor.impl()->requires_grad && tensor.impl()->leaf->written();
  };
  if (among.empty() && std::all_of(entries_.tensors.begin(), entries_.tensors.end(), is_active)) return layout();
  std::vector<bool> members;
  for (std::size_t p = 0; p < entries_.tensors.size(); ++p)
    members.push_back((among.empty() || among[p]) && is_active(entries_.tensors[p]));
  const std::shared_ptr<const Part> part = part_of(members);
  return layout_of(part->offsets, part->per_set, part->device_table);
}

void Parameters::Arena::set_active(const Tensor& mask) {
  expect_at_home();
  if (!active_.defined()) {
    *may_rest_ = true;
    const Unobserved once;  // it belongs to the arena, not to the step that is being recorded
    active_ = ones({sets()}, {.dtype = options_.dtype, .device = options_.device});
  }
  const NoGrad guard;
  active_.copy_(mask.to(options_.dtype));
}

void Parameters::Arena::expect_all_active() {
  if (!observer) return;
  const auto check = [may_rest = may_rest_.get()](std::int64_t steps, std::int64_t) {  // the owner is seen to be alive
    LUGE_CHECK(CaptureError, !*may_rest,
               "step: set_active was called after this step was captured, which steps every set; capture it again, or "
               "call set_active before capturing");
    return steps;
  };
  observer->has_effect({.owner = may_rest_, .owner_name = "Parameters", .before = check, .after = {}, .undo = {}});
}

std::shared_ptr<const Parameters::Arena::Part> Parameters::Arena::part_of(const std::vector<bool>& members) {
  if (!latest_part_ || latest_part_->members != members) {
    const auto is_it = [&](const auto& part) { return part->members == members; };
    const auto known = std::find_if(recorded_parts_.begin(), recorded_parts_.end(), is_it);
    if (known != recorded_parts_.end()) return latest_part_ = *known;
    const auto recent = std::find_if(recent_parts_.begin(), recent_parts_.end(), is_it);
    if (recent != recent_parts_.end()) {
      latest_part_ = *recent;
      return recorded(latest_part_);
    }
    auto part = std::make_shared<Part>();
    part->members = members;
    for (std::size_t p = 0; p < members.size(); ++p) {
      if (!members[p]) continue;
      part->offsets.push_back(entries_.offsets[p]);
      part->per_set.push_back(entries_.per_set[p]);
    }
    part->device_table = table_of(part->offsets, part->per_set);
    latest_part_ = std::move(part);
    if (recent_parts_.size() == kRecentParts) recent_parts_.erase(recent_parts_.begin());
    recent_parts_.push_back(latest_part_);
  }
  return recorded(latest_part_);
}

std::shared_ptr<const Parameters::Arena::Part> Parameters::Arena::recorded(const std::shared_ptr<const Part>& part) {
  if (observer && std::find(recorded_parts_.begin(), recorded_parts_.end(), part) == recorded_parts_.end())
    recorded_parts_.push_back(part);
  return part;
}

template <class Visit>
void Parameters::Arena::for_each_of(const ArenaLayout& layout, const Visit& visit) const {
  std::size_t p = 0;  // both are in the order of their offsets
  for (int i = 0; i < layout.parameters; ++i, ++p) {
    while (entries_.offsets[p] != layout.offset[i]) ++p;
    visit(p);
  }
}

void Parameters::Arena::bump_values(const ArenaLayout& written) {
  for_each_of(written, [&](std::size_t p) { entries_.tensors[p].storage()->bump_version(); });
}

void Parameters::Arena::bump_gradients(const ArenaLayout& written) {
  for_each_of(written, [&](std::size_t p) { entries_.gradients[p].storage()->bump_version(); });
}

Tensor Parameters::Arena::table_of(const std::vector<std::int64_t>& offsets,
                                   const std::vector<std::int64_t>& per_set) const {
  if (offsets.empty()) return {};
  const Unobserved once;
  std::vector<std::int64_t> table = offsets;
  table.insert(table.end(), per_set.begin(), per_set.end());
  return from_host(table, {static_cast<std::int64_t>(table.size())}, options_.device);
}

ArenaLayout Parameters::Arena::layout_of(const std::vector<std::int64_t>& offsets,
                                         const std::vector<std::int64_t>& per_set, const Tensor& device_table) const {
  ArenaLayout layout;
  layout.sets = sets();
  layout.parameters = static_cast<int>(offsets.size());
  layout.size = entries_.size;
  layout.offset = offsets.data();
  layout.per_set = per_set.data();
  layout.device_table = device_table.defined() ? static_cast<const std::int64_t*>(device_table.data()) : nullptr;
  return layout;
}

ArenaLayout Parameters::Arena::layout() const {
  if (!device_table_.defined()) device_table_ = table_of(entries_.offsets, entries_.per_set);
  return layout_of(entries_.offsets, entries_.per_set, device_table_);
}

std::int64_t Parameters::Arena::count_per_set() const {
  std::int64_t count = 0;
  for (const std::int64_t n : entries_.per_set) count += n;
  return count;
}

}  // namespace luge
