#include <luge/train/stop_train.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/capture/step.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/detail/one_arena.h>
#include <luge/train/detail/stop_moves.h>

namespace luge::stop {

namespace {

constexpr const char* kOp = "stop.train";

/// The smallest of 1, 2, 3, 4, 6, 8, 12, ... that is `count` or more. Powers of two alone would compute 1.4 sets for
/// each active one where their number falls as a power of time, these 1.2.
std::int64_t size_for(std::int64_t count) {
  std::int64_t size = 1;
  while (size < count) size *= 2;
  const std::int64_t between = size / 4 * 3;
  return between >= count ? between : size;
}

}  // namespace

class Trainer {
 public:
  Trainer(Optimizer& optimizer, StopRule& rule, const PerSetData& data, const std::function<Tensor(Live&)>& step,
          const TrainOptions& options, SourceLocation location)
      : step_(step), options_(options), location_(location), whole_(optimizer, rule, data) {
    LUGE_CHECK(ValueError, options.every >= 1, "{}: every is {}; it must be 1 or more", kOp, options.every);
    LUGE_CHECK(ValueError, options.max_steps.value_or(0) >= 0, "{}: max_steps is {}; it must be 0 or more", kOp,
               *options.max_steps);
    LUGE_CHECK(ValueError, options.min_sets >= 1, "{}: min_sets is {}; it must be 1 or more", kOp, options.min_sets);
    expect_one_arena(kOp, optimizer);
    if (options.compact && whole_.params.sets() > 1) expect_movable(optimizer);
    for (std::int64_t set = 0; set < whole_.params.sets(); ++set) numbers_.push_back(set);
    training_.sets = whole_.params.sets();
  }

  Training run() {
    const std::vector<std::int64_t> goes_on = flags(whole_.params.active());
    const std::int64_t checks = counts().checks;
    try {
      rounds();
    } catch (...) {
      move_back();
      throw;
    }
    move_back();
    training_.stops = whole_.rule.report(location_);
    count_needed(goes_on, checks);
    return std::move(training_);
  }

 private:
  struct Counts {
    std::int64_t active, checks;
  };

  Live& live() { return moved_ ? *moved_ : whole_; }

  static std::vector<std::int64_t> flags(const Tensor& active) {
    return active.to(DType::Int64).to_vector<std::int64_t>();
  }

  /// The one look at the device.
  Counts counts() {
    const NoGrad guard;
    const Tensor active = live().params.active().to(DType::Int64).sum();
    const std::vector<std::int64_t> both = stack({active, checks()}).to_vector<std::int64_t>(location_);
    return {both[0], both[1]};
  }

  Tensor checks() {
    for (const auto& [name, values] : live().rule.state())
      if (name == "checks") return values;
    return {};
  }

  void rounds() {
    const std::int64_t most = options_.max_steps.value_or(std::numeric_limits<std::int64_t>::max());
    for (Counts now = counts(); now.active > 0 && training_.steps < most;) {
      move(now.active);
      const std::int64_t steps = std::min(options_.every, most - training_.steps);
      run_round(now.active, steps);
      const Counts next = counts();
      LUGE_CHECK(ValueError, next.checks > now.checks,
                 "{}: the step did not call check of the rule that it is given; without it no set stops", kOp);
      now = next;
    }
  }

  // ---- moving

  void move(std::int64_t active) {
    const std::int64_t size = size_for(std::max(active, options_.min_sets));
    if (!options_.compact || !whole_.params.batched() || size >= live().params.sets()) return;
    // Those that go on, in their order, and as many that stand still as the size has room for.
    const std::vector<std::int64_t> goes_on = flags(live().params.active());
    std::vector<std::int64_t> chosen, still;
    for (std::size_t i = 0; i < goes_on.size(); ++i) (goes_on[i] != 0 ? chosen : still).push_back(numbers_[i]);
    chosen.insert(chosen.end(), still.begin(), still.begin() + (size - static_cast<std::int64_t>(chosen.size())));
    move_back();
    const Tensor sets = from_host(chosen, {size}, whole_.params.device());
    moved_.reset(new Live(whole_, sets));
    numbers_ = std::move(chosen);
  }

  void move_back() {
    captured_.reset();
    if (!moved_) return;
    const std::unique_ptr<Live> moved = std::move(moved_);
    moved->write_back(whole_);
  }

  // ---- running

  /// The parameters that were left behind refuse to be stepped meanwhile.
  class Lent {
   public:
    explicit Lent(Live& whole) : whole_(whole) { whole.lend(true); }
    ~Lent() { whole_.lend(false); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    Live& whole_;
  };

  void run_round(std::int64_t active, std::int64_t steps) {
    std::optional<Lent> lent;
    if (moved_) lent.emplace(whole_);
    const Tensor goes_on = live().params.active();
    const StepResults& results = run_steps(steps);
    training_.rounds.push_back({.active = active, .size = live().params.sets(), .steps = steps});
    training_.steps += steps;
    training_.computed += steps * live().params.sets();
    if (results.tensors.empty()) return;
    const NoGrad guard;
    const Tensor& loss = results.tensors.front();
    training_.losses_.push_back({.sets = moved_ ? moved_->sets : Tensor(),
                                 .values = where(goes_on, loss, std::numeric_limits<double>::quiet_NaN())});
  }

  const StepResults& run_steps(std::int64_t steps) {
    if (!captured_)
      captured_.emplace([this](const std::vector<Tensor>&) { return called(); }, CaptureOptions(), location_);
    if (!options_.between) return captured_->run(steps);
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kPatience(100);
    for (;;) {
      const Clock::time_point begun = Clock::now();
      const std::int64_t now = std::min(part_, steps);
      const StepResults& results = captured_->run(now);
      options_.between();
      if (now == part_ && Clock::now() - begun < kPatience / 2) part_ *= 2;
      if (Clock::now() - begun > kPatience && part_ > 1) part_ /= 2;
      steps -= now;
      if (steps == 0) return results;
    }
  }

  StepResults called() {
    StepResults results;
    const Tensor loss = step_(live());
    if (!loss.defined()) return results;
    const Shape wanted = live().params.active().shape();
    LUGE_CHECK(ShapeError, loss.shape() == wanted,
               "{}: the step returned a tensor of shape {}; it must be {}, one loss per set, or nothing", kOp,
               to_string(loss.shape()), to_string(wanted));
    LUGE_CHECK(DTypeError, is_floating(loss.dtype()), "{}: the step returned a tensor of {}; losses are floating", kOp,
               luge::name(loss.dtype()));
    results.tensors.push_back(loss);
    return results;
  }

  // ---- what it took

  void count_needed(const std::vector<std::int64_t>& goes_on, std::int64_t checks) {
    const std::vector<std::int64_t> stopped = whole_.rule.stopped_at().to_vector<std::int64_t>(location_);
    for (std::size_t set = 0; set < stopped.size(); ++set) {
      if (goes_on[set] == 0) continue;
      const std::int64_t own = stopped[set] >= checks ? stopped[set] - checks + 1 : training_.steps;
      training_.needed += std::min(own, training_.steps);
    }
  }

  const std::function<Tensor(Live&)>& step_;
  const TrainOptions& options_;
  SourceLocation location_;
  Live whole_;
  std::unique_ptr<Live> moved_;
  std::optional<CapturedStep> captured_;  // works on moved_
  std::vector<std::int64_t> numbers_;     // of the live sets
  std::int64_t part_ = 1;                 // steps between two interruptions
  Training training_;
};

Tensor Training::losses() const {
  if (losses_.empty()) return {};
  const NoGrad guard;
  std::vector<Tensor> rows;
  for (const Losses& round : losses_) {
    if (!round.sets.defined()) {
      rows.push_back(round.values);
      continue;
    }
    const Tensor nothing = full({sets}, std::numeric_limits<double>::quiet_NaN(),
                                {.dtype = round.values.dtype(), .device = round.values.device()});
    rows.push_back(index_copy(nothing, 0, round.sets, round.values));
  }
  return stack(rows);
}

std::string Training::text() const {
  const auto counted = [](std::int64_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  std::string text = fmt::format("{} took {} in {}\n", counted(sets, "set"), counted(steps, "step"),
                                 counted(static_cast<std::int64_t>(rounds.size()), "round"));
  for (std::size_t first = 0; first < rounds.size();) {
    std::size_t last = first;
    std::int64_t taken = rounds[first].steps;
    while (last + 1 < rounds.size() && rounds[last + 1].size == rounds[first].size) taken += rounds[++last].steps;
    text += fmt::format("  {:>9} computed for {:>6} steps, {} to {} of them active when a round began\n",
                        rounds[first].size, taken, rounds[first].active, rounds[last].active);
    first = last + 1;
  }
  if (computed > 0)
    text +=
        fmt::format("  {} steps of single sets computed, {:.2f} for each that was needed; without compaction {:.2f}\n",
                    computed, static_cast<double>(computed) / static_cast<double>(std::max<std::int64_t>(needed, 1)),
                    static_cast<double>(sets * steps) / static_cast<double>(std::max<std::int64_t>(needed, 1)));
  return text + stops.text();
}

Training run_training(Optimizer& optimizer, StopRule& rule, const PerSetData& data,
                      const std::function<Tensor(Live&)>& step, const TrainOptions& options, SourceLocation location) {
  refuse_capture(kOp, kHostRead, location);
  return Trainer(optimizer, rule, data, step, options, location).run();
}

}  // namespace luge::stop
