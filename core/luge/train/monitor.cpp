#include <luge/train/monitor.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/seam/backend.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/progress.h>

namespace luge {

namespace {

using Clock = std::chrono::steady_clock;

/// Memory that the device writes and the host reads.
class HostVisible {
 public:
  HostVisible(Backend& backend, std::size_t bytes)
      : backend_(backend), bytes_(bytes), data_(backend.allocate_host_visible(bytes)) {}
  ~HostVisible() { backend_.free_host_visible(data_, bytes_); }
  HostVisible(const HostVisible&) = delete;
  HostVisible& operator=(const HostVisible&) = delete;
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Backend& backend_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace

class Monitor::Impl : public std::enable_shared_from_this<Monitor::Impl> {
 public:
  explicit Impl(const MonitorOptions& options) : options_(options), progress_(options.progress), began_(Clock::now()) {
    LUGE_CHECK(ValueError, options.capacity >= 1, "Monitor: capacity is {}; it must be 1 or more", options.capacity);
    LUGE_CHECK(ValueError, options.total >= 0 && options.keep_sets >= 0,
               "Monitor: total is {} and keep_sets is {}; both must be 0 or more", options.total, options.keep_sets);
    constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
    const auto row = static_cast<std::int64_t>(sizeof(LossSummary)), loss = static_cast<std::int64_t>(sizeof(double));
    LUGE_CHECK(ValueError,
               options.keep_sets < kMostBytes && options.capacity < kMostBytes / (row + loss * options.keep_sets),
               "Monitor: a ring of capacity {} with {} sets kept is too large; it may have {} bytes", options.capacity,
               options.keep_sets, kMostBytes);
  }

  ~Impl() {
    // The device may still have records to write into the ring.
    try {
      finish();
    } catch (const std::exception&) {  // a device's error is reported where somebody waits for a result
    }
  }

  void record(const Tensor& loss) {
    const TensorImpl& impl = checked(loss, "Monitor::record", "loss");
    LUGE_CHECK(DTypeError, is_floating(impl.dtype), "Monitor::record: the loss is {}; allowed are the floating dtypes",
               name(impl.dtype));
    LUGE_CHECK(ShapeError, impl.numel > 0, "Monitor::record: the loss of shape {} has no elements",
               to_string(impl.shape));
    if (!ring_) start(impl);
    LUGE_CHECK(DeviceError, backend_ == &impl.storage->backend(),
               "Monitor::record: the loss is on {}; earlier ones were on {}", to_string(impl.storage->device()),
               to_string(backend_->device()));
    LUGE_CHECK(ShapeError, impl.numel >= kept_, "Monitor::record: the loss has {} elements; the first one kept {} sets",
               impl.numel, kept_);
    make_room(1, 1);

    const Tensor packed = no_grad([&] { return loss.contiguous(); });
    Record call;
    call.losses = operand(packed);
    call.losses.strides[0] = 1;
    call.n = impl.numel;
    call.ring = static_cast<LossSummary*>(ring_->data());
    call.rows = rows_ ? static_cast<double*>(rows_->data()) : nullptr;
    call.kept = kept_;
    call.capacity = options_.capacity;
    call.counter = static_cast<std::int64_t*>(counter_.data());
    if (observer) [[unlikely]] {
      observer->uses(ring_->data(), ring_->bytes());
      if (rows_) observer->uses(rows_->data(), rows_->bytes());
      observer->uses(*counter_.storage());
    }
    backend_->run(call);
    if (observer) [[unlikely]]
      observer->has_effect(
          {.owner = weak_from_this(),
           .owner_name = "Monitor",
           .before = [this](std::int64_t steps, std::int64_t times) { return make_room(steps, times); },
           .after = [this](std::int64_t count) { note(count); },
           .undo = [this](std::int64_t count) { forget(count); }});
    note(1);
  }

  const std::vector<HistoryRow>& history() {
    if (ring_) drain();
    return history_;
  }

  const HistoryRow* latest() {
    if (ring_) poll();
    return history_.empty() ? nullptr : &history_.back();
  }

  void finish() {
    if (ring_) drain();
    if (progress_.open()) draw();
    progress_.finish();
  }

  void restore(std::vector<HistoryRow> rows) {
    const std::size_t sets = rows.empty() ? static_cast<std::size_t>(kept_) : rows.front().sets.size();
    for (const HistoryRow& row : rows) {
      LUGE_CHECK(ValueError, row.sets.size() == sets,
                 "Monitor::restore: a row has losses of {} sets and the first one of {}; all must have as many",
                 row.sets.size(), sets);
      LUGE_CHECK(ValueError, row.seconds >= 0 && row.seconds <= kMostSeconds,
                 "Monitor::restore: a row has seconds of {}; allowed are 0 to {}", row.seconds, kMostSeconds);
    }
    const auto kept = static_cast<std::int64_t>(sets);
    const auto [most, exactly] = kept_sets();
    LUGE_CHECK(ValueError, exactly ? kept == most : kept <= most,
               "Monitor::restore: the rows have losses of {} sets; the monitor keeps {}{}", kept,
               exactly ? "" : "up to ", most);
    if (ring_) {
      backend_->synchronize();
      auto* const ring = static_cast<LossSummary*>(ring_->data());
      for (std::int64_t slot = 0; slot < options_.capacity; ++slot)
        std::atomic_ref(ring[slot].sequence).store(0, std::memory_order_release);
      const NoGrad guard;
      counter_.fill_(static_cast<std::int64_t>(rows.size()));
    }
    kept_ = kept;
    history_ = std::move(rows);
    seconds_.clear();
    for (HistoryRow& row : history_) {
      row.step = recorded();
      seconds_.push_back(row.seconds);
    }
    read_ = recorded();
    const double spent = seconds_.empty() ? 0 : seconds_.back();
    began_ = Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(spent));
  }

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  KeptSets kept_sets() const { return ring_ ? KeptSets{kept_, true} : KeptSets{options_.keep_sets, false}; }
  std::int64_t keep_sets() const { return options_.keep_sets; }
  Device device() const { return backend_ ? backend_->device() : Device::cpu(); }
  std::int64_t recorded() const { return static_cast<std::int64_t>(seconds_.size()); }

 private:
  static constexpr std::int64_t kPollEvery = 64;
  /// Of a history that is restored: thirty years, which the clock can go back.
  static constexpr double kMostSeconds = 1e9;

  /// So that the ring takes up to `steps` more steps of `times` records each, one at least; returns how many.
  std::int64_t make_room(std::int64_t steps, std::int64_t times) {
    LUGE_CHECK(ValueError, times <= options_.capacity,
               "Monitor: a captured step records {} times; the ring's capacity of {} must hold one step", times,
               options_.capacity);
    const auto room = [&] { return std::min(steps, (options_.capacity - (recorded() - read_)) / times); };
    if (room() < steps) poll();
    if (room() == 0) drain();
    return room();
  }

  /// So many losses have been queued.
  void note(std::int64_t count) {
    const std::int64_t before = recorded();
    seconds_.insert(seconds_.end(), static_cast<std::size_t>(count), elapsed());
    if (recorded() / kPollEvery != before / kPollEvery || recorded() == options_.total ||
        progress_.due(seconds_.back()))
      poll();
  }

  /// The last `count` losses were not recorded after all; the device has counted back.
  void forget(std::int64_t count) {
    backend_->synchronize();
    auto* const ring = static_cast<LossSummary*>(ring_->data());
    for (; count > 0; --count) {
      seconds_.pop_back();
      std::atomic_ref(ring[recorded() % options_.capacity].sequence).store(0, std::memory_order_release);
    }
    read_ = std::min(read_, recorded());
    history_.resize(static_cast<std::size_t>(read_));
    if (recorded() > 0) return;
    ring_.reset();  // as before the first loss
    rows_.reset();
    counter_ = {};
    backend_ = nullptr;
    kept_ = 0;
  }

  void start(const TensorImpl& loss) {
    const Unobserved once;
    const std::int64_t kept = std::min(options_.keep_sets, loss.numel);
    LUGE_CHECK(ShapeError, history_.empty() || kept == kept_,
               "Monitor::record: the loss has {} elements; the history that was restored keeps {} sets", loss.numel,
               kept_);
    backend_ = &loss.storage->backend();
    kept_ = kept;
    const auto capacity = static_cast<std::size_t>(options_.capacity);
    auto ring = std::make_unique<HostVisible>(*backend_, capacity * sizeof(LossSummary));
    if (kept_ > 0)
      rows_ = std::make_unique<HostVisible>(*backend_, capacity * static_cast<std::size_t>(kept_) * sizeof(double));
    counter_ = full({}, recorded(), {.dtype = DType::Int64, .device = backend_->device()});
    ring_ = std::move(ring);
  }

  /// Takes what is complete; waits for nothing.
  void poll() {
    auto* const ring = static_cast<LossSummary*>(ring_->data());
    const auto* const rows = rows_ ? static_cast<const double*>(rows_->data()) : nullptr;
    for (; read_ < recorded(); ++read_) {
      const std::int64_t slot = read_ % options_.capacity;
      LossSummary& summary = ring[slot];
      if (std::atomic_ref(summary.sequence).load(std::memory_order_acquire) != read_ + 1) break;
      HistoryRow row{.step = read_,
                     .seconds = seconds_[static_cast<std::size_t>(read_)],
                     .mean = summary.mean,
                     .min = summary.min,
                     .max = summary.max,
                     .not_finite = summary.not_finite,
                     .sets = {}};
      if (rows) row.sets.assign(rows + slot * kept_, rows + (slot + 1) * kept_);
      history_.push_back(std::move(row));
    }
    if (!history_.empty() && progress_.due(elapsed())) draw();
  }

  void drain() {
    if (read_ == recorded()) return;
    backend_->synchronize();
    poll();
  }

  void draw() {
    progress_.draw({.step = read_, .total = options_.total, .seconds = elapsed(), .loss = history_.back().mean});
  }

  MonitorOptions options_;
  Progress progress_;
  Clock::time_point began_;
  Backend* backend_ = nullptr;
  std::unique_ptr<HostVisible> ring_, rows_;
  Tensor counter_;
  std::int64_t kept_ = 0, read_ = 0;
  std::vector<double> seconds_;
  std::vector<HistoryRow> history_;
};

Monitor::Monitor(MonitorOptions options) : impl_(std::make_shared<Impl>(options)) {}
Monitor::~Monitor() = default;
Monitor::Monitor(Monitor&&) noexcept = default;
Monitor& Monitor::operator=(Monitor&&) noexcept = default;

void Monitor::record(const Tensor& loss) { impl_->record(loss); }
const std::vector<HistoryRow>& Monitor::history(SourceLocation location) {
  refuse_capture("Monitor::history", kHostRead, location);
  return impl_->history();
}
const HistoryRow* Monitor::latest() { return impl_->latest(); }
double Monitor::elapsed() const { return impl_->elapsed(); }
Device Monitor::device() const { return impl_->device(); }
std::int64_t Monitor::recorded() const { return impl_->recorded(); }
Monitor::KeptSets Monitor::kept_sets() const { return impl_->kept_sets(); }
std::int64_t Monitor::keep_sets() const { return impl_->keep_sets(); }
void Monitor::finish() { impl_->finish(); }
void Monitor::restore(std::vector<HistoryRow> rows, SourceLocation location) {
  refuse_capture("Monitor::restore", kHostWrite, location);
  impl_->restore(std::move(rows));
}

}  // namespace luge
