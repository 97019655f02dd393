// Reading a checkpoint back: everything is read and checked, then everything is taken.

#include <algorithm>
#include <set>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/io/detail/safetensors_header.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/random_state.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/reduce.h>
#include <luge/train/checkpoint.h>
#include <luge/train/detail/checkpoint_format.h>
#include <luge/train/detail/checkpoint_parts.h>

namespace luge::checkpoint {

namespace {

class Loader {
 public:
  Loader(const std::string& path, const Parts& parts, const LoadOptions& options)
      : path_(path),
        options_(options),
        file_(kOp, path),
        parts_(kOp, parts, CheckpointParts::Purpose::Load, file_.contains(CheckpointParts::kBegun)),
        loader_(parts.loader),
        monitor_(parts.monitor) {
    LUGE_CHECK(IoError, text("format") == kFormat, "{}: '{}' is no checkpoint of luge; load_file reads its tensors",
               kOp, path);
    LUGE_CHECK(IoError, text("version") == kVersion, "{}: '{}' is of version {}; this luge reads version {}", kOp, path,
               text("version"), kVersion);
    LUGE_CHECK(IoError, !file_.header_is_damaged() && file_.metadata().contains(kHeaderChecksum),
               "{}: '{}' is damaged: its header does not agree with its checksum", kOp, path);
    if (by_sets()) check_sets(parts);
  }

  Loaded load() {
    compare();
    std::vector<Tensor> values = read();
    std::optional<CheckpointParts::Place> place;
    if (loader_) {
      if (const auto told = file_.metadata().find("loader"); told != file_.metadata().end())
        place = parts_.parse_loader_place(path_, told->second);
      else
        lacks("loader", file_.metadata().contains(fmt::format("{}loader", kJson)) ? "the file has one of another kind"
                                                                                  : "the file has none");
    }
    const auto random = global_generator();
    read_rest();
    if (options_.accept) options_.accept(result_);
    parts_.take(values);
    if (place) parts_.take(*place);
    if (options_.random && !by_sets()) set_global_generator(random.first, random.second);
    return std::move(result_);
  }

 private:
  static constexpr const char* kOp = "checkpoint.load";
  using Fits = CheckpointSlot::Fits;

  bool by_sets() const { return !options_.sets.empty() || !options_.into_sets.empty(); }

  std::string text(const std::string& name) const {
    const auto found = file_.metadata().find(name);
    return found == file_.metadata().end() ? std::string("(none)") : found->second;
  }

  /// With strict: the first difference. Without: one of several.
  void differs(const std::string& name, const std::string& how) {
    LUGE_CHECK(ValueError, !options_.strict, "{}: '{}' differs: {}: {}", kOp, path_, name, how);
  }

  /// Without strict it is passed over and told.
  void lacks(const std::string& name, const std::string& how) {
    differs(name, how);
    result_.missing.push_back(name);
  }

  void check_sets(const Parts& parts) {
    LUGE_CHECK(ValueError, parts.params && parts.params->batched(),
               "{}: sets are given; Parameters with sets must be given, too", kOp);
    LUGE_CHECK(ValueError, parts.tensors.empty() && parts.schedules.empty() && !parts.monitor && !parts.loader,
               "{}: sets are given; parameters and their optimizer alone can be loaded by sets", kOp);
    LUGE_CHECK(ValueError, options_.sets.size() == options_.into_sets.size(),
               "{}: there are {} sets and {} into_sets; there must be as many", kOp, options_.sets.size(),
               options_.into_sets.size());
    const std::int64_t own = parts.params->sets(), stored = file_sets();
    std::vector<std::int64_t> seen = options_.into_sets;
    std::ranges::sort(seen);
    LUGE_CHECK(ValueError, std::ranges::adjacent_find(seen) == seen.end(), "{}: a set stands twice in into_sets", kOp);
    for (const std::int64_t set : options_.into_sets)
      LUGE_CHECK(IndexError, set >= 0 && set < own, "{}: set {} of into_sets is out of range; the model has {} sets",
                 kOp, set, own);
    for (const std::int64_t set : options_.sets)
      LUGE_CHECK(IndexError, set >= 0 && set < stored, "{}: set {} of sets is out of range; '{}' has {} sets", kOp, set,
                 path_, stored);
  }

  std::int64_t file_sets() const {
    const auto active = file_.tensors().find("sets/active");
    LUGE_CHECK(ValueError, active != file_.tensors().end() && active->second.shape.size() == 1,
               "{}: '{}' is of a model without sets", kOp, path_);
    return active->second.shape[0];
  }

  /// Throws at the first difference that cannot be passed over.
  void compare() {
    for (const auto& [name, own] : parts_.options()) {
      const auto told = file_.metadata().find(name);
      LUGE_CHECK(ValueError, told == file_.metadata().end() || told->second == own,
                 "{}: '{}' differs: {}: the file has {}, here it is {}", kOp, path_, name, text(name), own);
    }
    for (const auto& [name, own] : parts_.identity()) {
      const auto told = file_.metadata().find(name);
      LUGE_CHECK(ValueError,
                 (told == file_.metadata().end() && !options_.strict) ||
                     (told != file_.metadata().end() && told->second == own),
                 "{}: '{}' differs: {}: the file has {}, here it is {}", kOp, path_, name, text(name), own);
    }
    std::set<std::string> known;
    for (const CheckpointSlot& slot : parts_.slots()) {
      known.insert(slot.name);
      if (!file_.contains(slot.name)) {
        if (slot.zeros_if_absent) continue;
        lacks(slot.name, "the file has no such tensor");
        continue;
      }
      const DType dtype = file_.dtype(slot.name);
      LUGE_CHECK(DTypeError, dtype == slot.value.dtype(), "{}: '{}' differs: {}: the file has {}, here it is {}", kOp,
                 path_, slot.name, luge::name(dtype), luge::name(slot.value.dtype()));
      const Shape shape = file_.shape(slot.name);
      LUGE_CHECK(ShapeError, takes(slot, shape), "{}: '{}' differs: {}: the file has shape {}, here it is {}", kOp,
                 path_, slot.name, to_string(shape), to_string(slot.value.shape()));
    }
    compare_history();
    for (const auto& [name, stored] : file_.tensors()) {
      if (!parts_.covers(name) || known.contains(name)) continue;
      differs(name, "there is no such tensor here");
      result_.unexpected.push_back(name);
    }
  }

  /// Whether the columns of the history are of one length and the monitor takes their losses.
  void compare_history() const {
    std::optional<std::int64_t> steps;
    for (const CheckpointSlot& slot : parts_.slots()) {
      if (slot.fits != Fits::Rows || !file_.contains(slot.name)) continue;
      const Shape shape = file_.shape(slot.name);
      const std::int64_t own = shape[0];
      LUGE_CHECK(ValueError, steps.value_or(own) == own,
                 "{}: '{}' has a history that does not fit together: {} is of {} steps, what stands before it of {}",
                 kOp, path_, slot.name, own, *steps);
      steps = own;
      if (shape.ndim() < 2 || own == 0) continue;
      const auto [most, exactly] = monitor_->kept_sets();
      LUGE_CHECK(ValueError, exactly ? shape[1] == most : shape[1] <= most,
                 "{}: '{}' differs: {}: the file has losses of {} sets, the monitor keeps {}", kOp, path_, slot.name,
                 shape[1], most);
    }
  }

  /// A hyperparameter: one number for all sets, here or in the file, or one for each.
  static bool is_hyper(const CheckpointSlot& slot) { return slot.fits == Fits::OneOrSets || slot.fits == Fits::Hyper; }

  bool takes(const CheckpointSlot& slot, Shape shape) const {
    const Shape& own = slot.value.shape();
    if (by_sets()) {
      if (is_hyper(slot)) return shape.empty() || shape == Shape{file_sets()};
      if (slot.by_sets && shape.ndim() == own.ndim() && shape[0] == file_sets()) shape[0] = own[0];
      return shape == own;
    }
    if (slot.fits == Fits::OneOrSets)
      return shape.empty() || shape == own ||
             (parts_.arena() && parts_.arena()->batched() && shape == Shape{parts_.arena()->sets()});
    if (slot.fits == Fits::Rows && shape.ndim() == own.ndim()) shape[0] = own[0], shape[shape.ndim() - 1] = own.back();
    return shape == own;
  }

  /// Reads a tensor and looks at its checksum.
  Tensor checked(const std::string& name) const {
    Tensor value = file_.tensor(name);
    // A bool's byte of 2 would be read as 1.
    const Tensor stored = value.dtype() == DType::Bool ? file_.bytes(name) : value;
    LUGE_CHECK(IoError, text(checksum_name(name)) == checksum_of(stored),
               "{}: '{}' is damaged: tensor '{}' does not agree with its checksum", kOp, path_, name);
    return value;
  }

  /// A value for each slot, or an undefined tensor for what stays.
  std::vector<Tensor> read() {
    const NoGrad guard;
    std::vector<Tensor> values;
    for (const CheckpointSlot& slot : parts_.slots()) {
      Tensor value = file_.contains(slot.name) ? checked(slot.name) : Tensor();
      if (!value.defined() && slot.zeros_if_absent)
        value = zeros(by_sets() ? Shape{file_sets()} : slot.value.shape(), {.dtype = slot.value.dtype()});
      values.push_back(by_sets() && value.defined() ? merged(slot, value) : value);
    }
    return values;
  }

  /// What the slot holds with those sets of `value` in it that are asked for.
  Tensor merged(const CheckpointSlot& slot, const Tensor& value) const {
    if (slot.name.starts_with("optimizer/") && slot.name.ends_with("/step")) {
      const auto own = slot.value.item<std::int64_t>({}), stored = value.item<std::int64_t>({});
      LUGE_CHECK(ValueError, own == 0 || own == stored,
                 "{}: '{}' differs: its optimizer has taken {} steps, the one here {}; steps are counted for all sets "
                 "alike",
                 kOp, path_, stored, own);
      return value;
    }
    if (is_hyper(slot)) return merged_hyper(slot, value);
    const Device device = slot.value.device();
    return slot.value.index_copy(0, numbers(options_.into_sets).to(device),
                                 index_select(value, 0, numbers(options_.sets)).to(device));
  }

  /// One value for all sets stays one where they still agree. Else the learning rate becomes one for each set; other
  /// hyperparameters cannot.
  Tensor merged_hyper(const CheckpointSlot& slot, const Tensor& value) const {
    const Tensor own = slot.value.to(Device::cpu());
    const auto count = static_cast<std::int64_t>(options_.sets.size());
    const Tensor picked = value.ndim() == 0 ? value.expand({count}) : index_select(value, 0, numbers(options_.sets));
    const Tensor each = own.expand({parts_.arena()->sets()}).clone();
    const Tensor result = each.index_copy(0, numbers(options_.into_sets), picked.clone());
    if (own.ndim() > 0) return result;
    if (result.eq(result[0]).all().item<bool>({})) return result[0];
    LUGE_CHECK(
        ValueError, slot.fits == Fits::OneOrSets,
        "{}: '{}' differs: {}: all sets here have {}, the sets of the file have other values; give the optimizer "
        "one for each set",
        kOp, path_, slot.name, own.item());
    return result;
  }

  static Tensor numbers(const std::vector<std::int64_t>& sets) {
    return from_host(sets, {static_cast<std::int64_t>(sets.size())});
  }

  std::pair<std::uint64_t, std::uint64_t> global_generator() const {
    const std::string told = text("random");
    const std::size_t space = told.find(' ');
    const auto seed = parse<std::uint64_t>(told.substr(0, space)),
               streams = parse<std::uint64_t>(space == std::string::npos ? "" : told.substr(space + 1));
    LUGE_CHECK(IoError, seed && streams, "{}: '{}' is damaged: its random generator is '{}'", kOp, path_, told);
    return {*seed, *streams};
  }

  void read_rest() {
    const auto step = parse<std::int64_t>(text("step"));
    LUGE_CHECK(IoError, step, "{}: '{}' is damaged: its step is '{}'", kOp, path_, text("step"));
    result_.step = *step;
    if (file_.metadata().contains("metric")) result_.metric = parse<double>(text("metric"));
    for (const auto& [name, told] : file_.metadata()) {
      if (name.starts_with(kNote)) result_.notes[name.substr(kNote.size())] = told;
      if (name.starts_with(kJson)) result_.json[name.substr(kJson.size())] = told;
    }
    for (const auto& [name, stored] : file_.tensors())
      if (name.starts_with("extra/")) result_.extra[name.substr(6)] = checked(name);
  }

  const std::string& path_;
  const LoadOptions& options_;
  SafetensorsFile file_;
  CheckpointParts parts_;
  const BatchStream* loader_;
  const Monitor* monitor_;
  Loaded result_;
};

}  // namespace

Loaded load(const std::string& path, const Parts& parts, const LoadOptions& options, SourceLocation location) {
  refuse_capture("checkpoint.load", kHostWrite, location);
  return Loader(path, parts, options).load();
}

}  // namespace luge::checkpoint
