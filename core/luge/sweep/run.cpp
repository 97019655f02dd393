#include <luge/sweep/run.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/sweep/detail/order.h>
#include <luge/train/detail/one_arena.h>

namespace luge::sweep {

namespace {

constexpr const char* kRun = "sweep.run";
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// Looks of a sweep that does not say how many it wants.
constexpr std::int64_t kLooks = 50;

class Sweep {
 public:
  Sweep(const Advance& advance, Optimizer& optimizer, const Settings& settings, const RunOptions& options,
        SourceLocation location);
  Result run();

 private:
  std::int64_t next_look(std::int64_t done) const;
  Tensor advance(std::int64_t& done, std::int64_t next);
  std::vector<bool> active_sets() { return parameters_.active().to_vector<bool>(location_); }
  std::vector<double> scores(const Tensor& loss) const;
  void look(std::int64_t done, const Tensor& loss);
  void note_stopped(std::int64_t done);
  void halve(std::int64_t done);
  Look seen(std::int64_t done) const;

  const Advance& advance_;
  Parameters& parameters_;
  const RunOptions& options_;
  SourceLocation location_;
  std::int64_t sets_, every_;
  std::vector<Rung> rungs_;
  std::size_t passed_ = 0;     ///< rungs
  std::vector<bool> running_;  ///< sets that took part in the steps since the last look
  std::vector<bool> dropped_;  ///< settings that halving stopped
  std::int64_t checks_ = 0;    ///< of the rule before the sweep
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  Result result_;
};

Sweep::Sweep(const Advance& advance, Optimizer& optimizer, const Settings& settings, const RunOptions& options,
             SourceLocation location)
    : advance_(advance),
      parameters_(optimizer.parameters()),
      options_(options),
      location_(location),
      sets_(settings.sets()),
      every_(options.every) {
  expect_one_arena(kRun, optimizer);
  LUGE_CHECK(ValueError, sets_ > 0, "{}: there are no settings", kRun);
  LUGE_CHECK(ShapeError, parameters_.sets() == sets_,
             "{}: there are settings for {} sets; the optimizer's parameters have {}", kRun, sets_, parameters_.sets());
  LUGE_CHECK(ValueError, options.steps >= 1, "{}: steps is {}; it must be 1 or more", kRun, options.steps);
  LUGE_CHECK(ValueError, every_ >= 0, "{}: every is {}; it must be 1 or more, or 0", kRun, every_);
  LUGE_CHECK(ValueError, options.asked_every >= 1, "{}: asked_every is {}; it must be 1 or more", kRun,
             options.asked_every);
  if (every_ == 0) every_ = std::max<std::int64_t>(options.steps / kLooks, 1);
  if (options.halving) rungs_ = rungs(*options.halving, settings.settings(), options.steps);
  running_ = active_sets();
  LUGE_CHECK(ValueError, std::find(running_.begin(), running_.end(), true) != running_.end(),
             "{}: no set is active; Parameters.set_active makes sets go on", kRun);
  if (options.rule) checks_ = options.rule->report(location).checks;
  // So that a step that is captured from here on can leave sets alone.
  if (options.halving) parameters_.set_active(parameters_.active());

  const auto count = static_cast<std::size_t>(sets_);
  dropped_.resize(static_cast<std::size_t>(settings.settings()));
  result_.settings = settings;
  result_.score_name = !options.score_name.empty() ? options.score_name : options.validate ? "validation" : "loss";
  result_.scores.assign(count, kNaN);
  result_.best_scores.assign(count, kNaN);
  result_.best_steps.assign(count, -1);
  result_.steps.assign(count, 0);
  result_.stopped.assign(count, "inactive");
}

std::int64_t Sweep::next_look(std::int64_t done) const {
  std::int64_t next = std::min(options_.steps - done, every_ - done % every_) + done;
  if (passed_ < rungs_.size()) next = std::min(next, rungs_[passed_].steps);
  return next;
}

std::vector<double> Sweep::scores(const Tensor& loss) const {
  const char* const what = options_.validate ? "what validate returns" : "the loss of a step";
  LUGE_CHECK(ValueError, loss.defined(), "{}: {} is no tensor; it must have one value for each set", kRun, what);
  const bool fits = loss.shape() == Shape{sets_} || (loss.shape().empty() && !parameters_.batched());
  LUGE_CHECK(ShapeError, fits, "{}: {} has shape {}; it must be ({},), one value for each set", kRun, what,
             to_string(loss.shape()), sets_);
  LUGE_CHECK(DTypeError, is_floating(loss.dtype()), "{}: {} is {}; it must be of a floating dtype", kRun, what,
             name(loss.dtype()));
  return loss.detach().to(DType::Float64).to_vector<double>(location_);
}

void Sweep::look(std::int64_t done, const Tensor& loss) {
  const NoGrad guard;
  std::vector<double> now = scores(options_.validate ? options_.validate() : loss);
  for (std::size_t set = 0; set < now.size(); ++set) {
    if (!running_[set]) {
      now[set] = kNaN;  // it has not been trained since the last look
      continue;
    }
    result_.scores[set] = now[set];
    if (!std::isfinite(now[set]) || now[set] >= result_.best_scores[set]) continue;
    result_.best_scores[set] = now[set];
    result_.best_steps[set] = done;
  }
  result_.looks.push_back(done);
  result_.curves.push_back(std::move(now));
}

/// Notes the steps of those that ran, and why some of them have stopped since the last look.
void Sweep::note_stopped(std::int64_t done) {
  const std::vector<bool> active = active_sets();
  const bool any = active != running_;
  std::vector<std::int32_t> reasons;
  std::vector<std::int64_t> stopped_at;
  if (any && options_.rule) {
    reasons = options_.rule->reason().to_vector<std::int32_t>(location_);
    stopped_at = options_.rule->stopped_at().to_vector<std::int64_t>(location_);
  }
  for (std::size_t set = 0; set < active.size(); ++set) {
    if (!running_[set]) continue;
    result_.steps[set] = done;
    if (active[set]) continue;
    const auto reason = reasons.empty() ? stop::Reason::Running : static_cast<stop::Reason>(reasons[set]);
    if (reason == stop::Reason::Running) continue;
    result_.stopped[set] = stop::name(reason);
    // A step that the set did not take leaves its score as it was, so that the lowest one may be of fewer steps.
    result_.steps[set] = stopped_at[set] - checks_;
    result_.best_steps[set] = std::min(result_.best_steps[set], result_.steps[set]);
  }
  running_ = active;
}

void Sweep::halve(std::int64_t done) {
  const std::int64_t keep = rungs_[passed_++].settings;
  std::vector<SettingScores> ranking = result_.by_setting();
  std::erase_if(ranking, [&](const SettingScores& one) { return dropped_[static_cast<std::size_t>(one.setting)]; });
  std::vector<bool> goes_on = running_;
  for (std::size_t place = static_cast<std::size_t>(keep); place < ranking.size(); ++place) {
    const std::int64_t setting = ranking[place].setting, seeds = result_.settings.seeds();
    dropped_[static_cast<std::size_t>(setting)] = true;
    for (std::int64_t seed = 0; seed < seeds; ++seed) {
      const auto set = static_cast<std::size_t>(setting * seeds + seed);
      if (!running_[set]) continue;
      goes_on[set] = false;
      result_.stopped[set] = "halving";
      result_.steps[set] = done;
    }
  }
  std::vector<std::uint8_t> mask(goes_on.begin(), goes_on.end());
  const Shape shape = parameters_.batched() ? Shape{sets_} : Shape{};
  parameters_.set_active(from_host(mask, shape, parameters_.device(), location_).to(DType::Bool));
  running_ = std::move(goes_on);
}

Look Sweep::seen(std::int64_t done) const {
  const std::int64_t best = best_first(result_.scores).front();
  const double score = result_.scores[static_cast<std::size_t>(best)];
  return {.steps = done,
          .of_steps = options_.steps,
          .active = std::count(running_.begin(), running_.end(), true),
          .best_set = best,
          .best = std::isfinite(score) ? score : kNaN,
          .seconds = result_.seconds};
}

/// Takes steps up to `next`, or until it is interrupted.
Tensor Sweep::advance(std::int64_t& done, std::int64_t next) {
  if (!options_.interrupted) return advance_(next - std::exchange(done, next));
  Tensor loss;
  while (done < next && !(result_.interrupted = options_.interrupted())) {
    const std::int64_t steps = std::min(options_.asked_every, next - done);
    loss = advance_(steps);
    done += steps;
  }
  return loss;
}

Result Sweep::run() {
  std::int64_t done = 0;
  while (done < options_.steps && !result_.interrupted) {
    const std::int64_t next = next_look(done);
    const std::int64_t before = done;
    const Tensor loss = advance(done, next);
    if (done == before) break;
    look(done, loss);
    note_stopped(done);
    if (passed_ < rungs_.size() && done == rungs_[passed_].steps) halve(done);
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    const bool goes_on = !options_.watch || options_.watch(seen(done));
    if (std::find(running_.begin(), running_.end(), true) == running_.end()) break;
    result_.interrupted = (result_.interrupted || !goes_on) && done < options_.steps;
  }
  for (std::size_t set = 0; set < running_.size(); ++set)
    if (running_[set]) result_.stopped[set] = done < options_.steps ? "interrupted" : "steps";
  return std::move(result_);
}

}  // namespace

std::vector<Rung> rungs(const Halving& halving, std::int64_t settings, std::int64_t steps) {
  const auto [eta, min_steps] = halving;
  LUGE_CHECK(ValueError, eta >= 2, "{}: the eta of halving is {}; it must be 2 or more", kRun, eta);
  LUGE_CHECK(ValueError, min_steps >= 0 && min_steps < steps,
             "{}: the min_steps of halving is {}; it must be less than steps, {}, and at least 1, or 0", kRun,
             min_steps, steps);
  LUGE_CHECK(ValueError, settings >= eta,
             "{}: the eta of halving is {} and there are {} settings; one in eta cannot go on", kRun, eta, settings);
  std::int64_t at = min_steps;
  if (at == 0) {
    at = steps;
    for (std::int64_t left = settings; left > 1; left /= eta) at /= eta;
    LUGE_CHECK(ValueError, at >= 1,
               "{}: {} steps are too few to bring {} settings down to one by halving with eta {}; give min_steps", kRun,
               steps, settings, eta);
  }
  std::vector<Rung> result;
  while (at < steps && settings > 1) {
    settings = std::max<std::int64_t>(settings / eta, 1);
    result.push_back({at, settings});
    if (at > steps / eta) break;  // the next one is beyond the end
    at *= eta;
  }
  return result;
}

Tensor LiveSteps::operator()(std::int64_t steps) {
  const Tensor goes_on = optimizer_->parameters().active();
  const stop::Training training =
      stop::run_training(*optimizer_, *rule_, data_, step_, {.every = steps, .max_steps = steps}, location_);
  const Tensor losses = training.losses();
  if (losses.defined()) last_ = last_.defined() ? where(goes_on, losses[0], last_) : losses[0];
  return last_;
}

Result run(const Advance& advance, Optimizer& optimizer, const Settings& settings, const RunOptions& options,
           SourceLocation location) {
  LUGE_CHECK(ValueError, static_cast<bool>(advance), "{}: there is nothing that takes steps", kRun);
  return Sweep(advance, optimizer, settings, options, location).run();
}

}  // namespace luge::sweep
