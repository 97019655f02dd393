#include <luge/train/checkpoint.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <set>
#include <thread>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/safetensors_header.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/random_state.h>
#include <luge/ops/index.h>
#include <luge/train/detail/checkpoint_parts.h>

namespace luge::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "luge.checkpoint";
constexpr const char* kVersion = "1";
constexpr std::string_view kStep = "{step}";
/// What the metadata's names of notes and of JSON values begin with.
constexpr std::string_view kNote = "note:", kJson = "json:";

// ---- names of files -----------------------------------------------------------------------------

std::string with_step(std::string path, std::string_view step) {
  if (const std::size_t at = path.find(kStep); at != std::string::npos) path.replace(at, kStep.size(), step);
  return path;
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// The files of a path that holds "{step}", by step.
std::map<std::int64_t, std::string> files_of(const std::string& path) {
  const fs::path pattern(path);
  const std::string name = pattern.filename().string();
  const std::size_t at = name.find(kStep);
  if (at == std::string::npos) return {};
  const std::string before = name.substr(0, at), after = name.substr(at + kStep.size());
  std::map<std::int64_t, std::string> files;
  std::error_code error;
  const fs::path folder = pattern.has_parent_path() ? pattern.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    if (other.size() <= before.size() + after.size() || !other.starts_with(before) || !other.ends_with(after)) continue;
    const std::string digits = other.substr(before.size(), other.size() - before.size() - after.size());
    const auto step = parse<std::int64_t>(digits);
    // "0099" is no name that save() gives.
    if (step && *step >= 0 && std::to_string(*step) == digits) files[*step] = (pattern.parent_path() / other).string();
  }
  return files;
}

// ---- saving -------------------------------------------------------------------------------------

/// All that one file will hold, read by nobody else any more.
struct Snapshot {
  std::string path, written;
  std::vector<NamedTensor> tensors;
  Metadata texts;
  std::int64_t keep = 0;
  std::optional<double> metric;
};

Snapshot snapshot_of(const char* op, const std::string& path, const Parts& parts, const SaveOptions& options,
                     bool copies) {
  LUGE_CHECK(ValueError, options.step >= 0, "{}: step is {}; it must be 0 or more", op, options.step);
  LUGE_CHECK(ValueError, options.keep >= 0, "{}: keep is {}; it must be 0 or more", op, options.keep);
  const bool numbered = fs::path(path).filename().string().find(kStep) != std::string::npos;
  LUGE_CHECK(ValueError, numbered || (options.keep == 0 && !options.metric),
             "{}: {} is given; the file name '{}' must then hold \"{{step}}\"", op, options.keep ? "keep" : "a metric",
             path);
  const CheckpointParts all(op, parts);
  Snapshot result{path,          with_step(path, std::to_string(options.step)), {}, all.identity(), options.keep,
                  options.metric};
  const NoGrad guard;
  const auto add = [&](const std::string& name, const Tensor& value) {
    result.tensors.push_back({name, copies ? value.detach().clone() : value});
  };
  for (const CheckpointSlot& slot : all.slots()) add(slot.name, slot.value);
  for (const auto& [name, value] : options.extra) {
    LUGE_CHECK(ValueError, value.defined(), "{}: extra '{}' is an undefined tensor", op, name);
    add("extra/" + name, value);
  }
  result.texts["format"] = kFormat;
  result.texts["version"] = kVersion;
  result.texts["step"] = std::to_string(options.step);
  result.texts["random"] = fmt::format("{} {}", global_seed(), streams_so_far());
  if (parts.loader) result.texts["loader"] = all.loader_place();
  if (options.metric) result.texts["metric"] = fmt::format("{}", *options.metric);
  for (const auto& [name, text] : options.notes) result.texts[std::string(kNote) + name] = text;
  for (const auto& [name, text] : options.json) result.texts[std::string(kJson) + name] = text;
  return result;
}

/// What the best file of a path says; absent: there is none that can be read.
std::optional<double> metric_of(const std::string& path) {
  try {
    const SafetensorsFile file("checkpoint.save", path);
    const auto told = file.metadata().find("metric");
    return told == file.metadata().end() ? std::nullopt : parse<double>(told->second);
  } catch (const Error&) {
    return {};
  }
}

/// Gives the file that was written a second name, in one step.
void keep_best(const char* op, const Snapshot& snapshot) {
  const std::string best = with_step(snapshot.path, "best");
  if (std::isnan(*snapshot.metric)) return;
  if (const std::optional<double> old = metric_of(best); old && *old <= *snapshot.metric) return;
  const std::string temporary = fmt::format("{}.partial-{}", best, getpid());
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_hard_link(snapshot.written, temporary, error);
  if (error) fs::copy_file(snapshot.written, temporary, error);  // a file system without links
  if (!error) fs::rename(temporary, best, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    raise<IoError>("{}: cannot write '{}': {}", op, best, error.message());
  }
}

void write(const char* op, Snapshot& snapshot) {
  write_safetensors(op, snapshot.written, std::move(snapshot.tensors), snapshot.texts, true);
  if (snapshot.metric) keep_best(op, snapshot);
  if (snapshot.keep == 0) return;
  // The one just written stays, even if a training that went back to an earlier step had left higher ones.
  std::map<std::int64_t, std::string> files = files_of(snapshot.path);
  const fs::path written = fs::path(snapshot.written).filename();
  std::erase_if(files, [&](const auto& file) { return fs::path(file.second).filename() == written; });
  for (; std::cmp_greater_equal(files.size(), snapshot.keep); files.erase(files.begin())) {
    std::error_code error;
    fs::remove(files.begin()->second, error);
    if (error) raise<IoError>("{}: cannot remove '{}': {}", op, files.begin()->second, error.message());
  }
}

}  // namespace

std::string save(const std::string& path, const Parts& parts, const SaveOptions& options, SourceLocation location) {
  refuse_capture("checkpoint.save", kHostRead, location);
  Snapshot snapshot = snapshot_of("checkpoint.save", path, parts, options, false);
  write("checkpoint.save", snapshot);
  return snapshot.written;
}

class PendingSave::Impl {
 public:
  explicit Impl(Snapshot snapshot) : snapshot_(std::move(snapshot)) {
    thread_ = std::thread([this] {
      try {
        write("checkpoint.save_async", snapshot_);
      } catch (...) {
        error_ = std::current_exception();
      }
      done_ = true;
    });
  }

  ~Impl() {
    if (thread_.joinable()) thread_.join();
    if (!error_ || was_told_) return;
    try {
      std::rethrow_exception(error_);
    } catch (const std::exception& error) {
      fmt::print(stderr, "luge: {}\n", error.what());
    }
  }

  std::string wait() {
    if (thread_.joinable()) thread_.join();
    was_told_ = true;
    if (error_) std::rethrow_exception(error_);
    return snapshot_.written;
  }

  bool is_done() const { return done_; }

 private:
  Snapshot snapshot_;
  std::exception_ptr error_;
  bool was_told_ = false;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

PendingSave::PendingSave(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PendingSave::~PendingSave() = default;
PendingSave::PendingSave(PendingSave&&) noexcept = default;
PendingSave& PendingSave::operator=(PendingSave&&) noexcept = default;
std::string PendingSave::wait() { return impl_->wait(); }
bool PendingSave::is_done() const { return impl_->is_done(); }

PendingSave save_async(const std::string& path, const Parts& parts, const SaveOptions& options,
                       SourceLocation location) {
  refuse_capture("checkpoint.save_async", kHostRead, location);
  return PendingSave(
      std::make_unique<PendingSave::Impl>(snapshot_of("checkpoint.save_async", path, parts, options, true)));
}

// ---- loading ------------------------------------------------------------------------------------

namespace {

class Loader {
 public:
  Loader(const std::string& path, const Parts& parts, const LoadOptions& options)
      : path_(path), options_(options), file_(kOp, path), parts_(kOp, parts), loader_(parts.loader) {
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
        differs("loader", "the file has none");
    }
    const auto random = global_generator();
    read_rest();
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
        differs(slot.name, "the file has no such tensor");
        result_.missing.push_back(slot.name);
        continue;
      }
      const DType dtype = file_.dtype(slot.name);
      LUGE_CHECK(DTypeError, dtype == slot.value.dtype(), "{}: '{}' differs: {}: the file has {}, here it is {}", kOp,
                 path_, slot.name, luge::name(dtype), luge::name(slot.value.dtype()));
      const Shape shape = file_.shape(slot.name);
      LUGE_CHECK(ShapeError, takes(slot, shape), "{}: '{}' differs: {}: the file has shape {}, here it is {}", kOp,
                 path_, slot.name, to_string(shape), to_string(slot.value.shape()));
    }
    for (const auto& [name, stored] : file_.tensors()) {
      if (!parts_.covers(name) || known.contains(name)) continue;
      differs(name, "there is no such tensor here");
      result_.unexpected.push_back(name);
    }
  }

  bool takes(const CheckpointSlot& slot, Shape shape) const {
    const Shape& own = slot.value.shape();
    if (by_sets()) {
      // A hyperparameter that one of them has for each set and the other for all stays as it is.
      if (slot.fits == Fits::OneOrSets || slot.fits == Fits::Hyper) return true;
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
      values.push_back(by_sets() && value.defined() ? merged(slot, value) : value);
    }
    return values;
  }

  /// What the slot holds with those sets of `value` in it that are asked for.
  Tensor merged(const CheckpointSlot& slot, const Tensor& value) const {
    if (slot.name == "optimizer/step") {
      const auto own = slot.value.item<std::int64_t>({}), stored = value.item<std::int64_t>({});
      LUGE_CHECK(ValueError, own == 0 || own == stored,
                 "{}: '{}' differs: its optimizer has taken {} steps, the one here {}; steps are counted for all sets "
                 "alike",
                 kOp, path_, stored, own);
      return value;
    }
    if (!slot.by_sets || value.ndim() == 0) return {};
    const Device device = slot.value.device();
    const auto count = static_cast<std::int64_t>(options_.sets.size());
    const Tensor picked = index_select(value, 0, from_host(options_.sets, {count})).to(device);
    return slot.value.index_copy(0, from_host(options_.into_sets, {count}).to(device), picked);
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
  Loaded result_;
};

}  // namespace

Loaded load(const std::string& path, const Parts& parts, const LoadOptions& options, SourceLocation location) {
  refuse_capture("checkpoint.load", kHostWrite, location);
  return Loader(path, parts, options).load();
}

std::optional<std::string> latest(const std::string& path) {
  LUGE_CHECK(ValueError, fs::path(path).filename().string().find(kStep) != std::string::npos,
             "checkpoint.latest: the file name '{}' must hold \"{{step}}\"", path);
  const std::map<std::int64_t, std::string> files = files_of(path);
  if (files.empty()) return {};
  return files.rbegin()->second;
}

}  // namespace luge::checkpoint
