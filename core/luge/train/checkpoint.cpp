#include <luge/train/checkpoint.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <thread>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/io/detail/safetensors_header.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/random_state.h>
#include <luge/train/detail/checkpoint_format.h>
#include <luge/train/detail/checkpoint_parts.h>

namespace luge::checkpoint {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStep = "{step}";

// ---- names of files -----------------------------------------------------------------------------

std::string with_step(std::string path, std::string_view step) {
  if (const std::size_t at = path.find(kStep); at != std::string::npos) path.replace(at, kStep.size(), step);
  return path;
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
  const CheckpointParts all(op, parts, CheckpointParts::Purpose::Save);
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
  result.texts.insert(all.options().begin(), all.options().end());
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

/// Gives the file that was written a second name if it is the best yet.
void keep_best(const char* op, const Snapshot& snapshot) {
  const std::string best = with_step(snapshot.path, "best");
  if (std::isnan(*snapshot.metric)) return;
  if (const std::optional<double> old = metric_of(best); old && *old <= *snapshot.metric) return;
  give_second_name(op, snapshot.written, best);
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

std::optional<std::string> latest(const std::string& path) {
  LUGE_CHECK(ValueError, fs::path(path).filename().string().find(kStep) != std::string::npos,
             "checkpoint.latest: the file name '{}' must hold \"{{step}}\"", path);
  const std::map<std::int64_t, std::string> files = files_of(path);
  if (files.empty()) return {};
  return files.rbegin()->second;
}

}  // namespace luge::checkpoint
