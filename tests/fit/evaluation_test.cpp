// The fast ways of a fit on the CPU against the plain ones: machine code against tiles, vectors of searches against
// one, covariances in float64 against those of exact sums.

#include <array>
#include <cstring>
#include <memory>
#include <random>

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <luge/capture/step.h>
#include <luge/fit/curve_fit.h>
#include <luge/luge.h>
#include <luge/math/covariance.h>
#include <luge/math/levenberg.h>
#include <luge/seam/call.h>

#include "../expect.h"
#include "fits.h"
#include "kernels/cpu/fit/fit_code.h"
#include "kernels/cpu/fit/search_lanes.h"
#include "kernels/cpu/fit/program.h"
#include "kernels/cpu/fit/sums.h"

namespace luge::test {
namespace {

using cpu::kFitLanes;
using fit::Model;

struct FormulaKind {
  std::vector<std::string> formulas;
  std::vector<std::string> predictors = {"x"};
};

/// Of all kinds: functions with and without instructions, one after another; conditions; predictors that functions
/// read; numbers alone; several predictors and outputs.
const std::vector<FormulaKind>& formula_kinds() {
  static const std::vector<FormulaKind> all = {
      {{"a * exp(-x / t) + c"}},
      {{"a * exp(-(x - m) ** 2 / (2 * s ** 2))"}},
      {{"exp(x) * a + sin(x * w) * b"}},
      {{"exp(sin(a * x) / b) + log(1 + exp(c * x))"}},
      {{"a + b * x"}},
      {{"a * x ** b"}},
      {{"where(x < m, a * m, b * exp(-x))"}},
      {{"where(a > b, a * x, b * exp(x))"}},
      {{"abs(x - a) + sqrt(x * x + b * b) / c"}},
      {{"a * x + b * sin(y)"}, {"x", "y"}},
      {{"a * cos(w * x)", "a * sin(w * x) + c"}},
      {{"a * x", "b + x", "3 * a"}},
      {{"a / (1 + exp(-(x - m) * k)) + b * exp(-x)"}},
  };
  return all;
}

/// Tiles of `count` numbers between `low` and `high`, aligned as a cache line is.
class Tiles {
 public:
  Tiles(std::size_t tiles, double low, double high, std::mt19937_64& random)
      : memory_(tiles * kTile + 8), begin_(memory_.data()) {
    while (reinterpret_cast<std::uintptr_t>(begin_) % 64 != 0) ++begin_;
    std::uniform_real_distribution<double> uniform(low, high);
    for (std::size_t i = 0; i < tiles * kTile; ++i) begin_[i] = uniform(random);
    for (std::size_t tile = 0; tile < tiles; ++tile) places_.push_back(begin_ + tile * kTile);
  }
  double* operator[](std::size_t tile) { return begin_ + tile * kTile; }
  const double* const* places() const { return places_.data(); }

 private:
  static constexpr std::size_t kTile = static_cast<std::size_t>(cpu::kFitRows * kFitLanes);
  std::vector<double> memory_;
  double* begin_;
  std::vector<const double*> places_;
};

TEST(MachineCode, AddsUpWhatTilesDo) {
  std::mt19937_64 random(11);
  int compiled = 0;
  for (const FormulaKind& each : formula_kinds())
    for (const bool weighted : {false, true})
      for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{7}, cpu::kFitRows}) {
        SCOPED_TRACE(testing::Message() << each.formulas[0] << (weighted ? ", weights, " : ", ") << rows << " rows");
        const Model model(each.formulas, {.predictors = each.predictors});
        const FitModel& formulas = *model.compiled(DType::Float64);
        cpu::Program<double> program(formulas);
        const std::unique_ptr<cpu::FitCode> code =
            cpu::compile_fit({formulas, program.formulas(), program.is_lane(), program.lanes(), weighted});
        if (!code) continue;
        ++compiled;
        const std::size_t outputs = each.formulas.size();
        Tiles x(each.predictors.size(), 0.1, 3, random), y(outputs, -1, 1, random), weight(outputs, 0.5, 2, random);
        for (std::size_t o = 0; o < outputs; ++o)
          for (std::size_t i = 0; i < 16; i += 3) weight[o][i] = 0;
        for (int p = 0; p < formulas.parameters; ++p)
          for (std::int64_t lane = 0; lane < kFitLanes; ++lane)
            program.parameter(p)[lane] = std::uniform_real_distribution<double>(0.3, 2)(random);
        const auto numbers = static_cast<std::size_t>(cpu::FitSums::numbers(formulas.parameters) * kFitLanes);
        std::vector<double> expected(numbers, 0.25), actual(numbers, 0.25);
        program.prepare(rows);
        program.run(x.places(), rows);
        for (std::size_t o = 0; o < outputs; ++o) {
          const int output = static_cast<int>(o);
          std::vector<const double*> columns;
          for (int p = 0; p < formulas.parameters; ++p) columns.push_back(program.derivative(output, p));
          const cpu::FitRows<double> in{program.output(output), y[o], weighted ? weight[o] : nullptr, columns.data(),
                                        rows};
          cpu::add_rows(FitLoss::Linear, 1, in, {expected.data(), formulas.parameters});
        }
        program.prepare_lanes();
        code->prepare();
        code->run({x.places(), y.places(), weight.places()}, rows, actual.data());
        for (std::size_t n = 0; n < numbers; ++n) {
          ASSERT_TRUE(std::isfinite(expected[n]));
          ASSERT_EQ(std::memcmp(&expected[n], &actual[n], sizeof(double)), 0)
              << "number " << n / kFitLanes << " of lane " << n % kFitLanes << ": " << actual[n] << " for "
              << expected[n];
        }
      }
  // With 32 registers all of them are.
  if (std::getenv("LUGE_JIT") == nullptr && (hwy::SupportedTargets() & HWY_AVX3) != 0) {
    EXPECT_EQ(compiled, static_cast<int>(formula_kinds().size()) * 6);
  }
}

TEST(MachineCode, LeavesOtherModelsToTiles) {
  const auto is_compiled = [](const Model& model, DType dtype) {
    const FitModel& formulas = *model.compiled(dtype);
    cpu::Program<double> program(formulas);
    return cpu::compile_fit({formulas, program.formulas(), program.is_lane(), program.lanes(), false}) != nullptr;
  };
  EXPECT_FALSE(is_compiled(Model("a + b * x + c * x ** 2 + d * x ** 3 + e * x ** 4 + f * x ** 5"), DType::Float64));
  EXPECT_FALSE(is_compiled(Model("a + b * x"), DType::Float32));
}

/// Many sets go by machine code, few by tiles; either way each has its own observations.
TEST(MachineCode, ABatchHasTheBitsOfItsSets) {
  constexpr std::int64_t kSets = 600;
  constexpr int kPoints = 45;
  const std::vector<double> line = steps_from(0.1, 3, kPoints);
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (const FormulaKind& each : formula_kinds())
    for (const DType dtype : {float64, float32})
      for (const bool ragged : {false, true}) {
        if (each.predictors.size() > 1 || each.formulas.size() > 1) continue;
        SCOPED_TRACE(testing::Message() << each.formulas[0] << (ragged ? ", ragged, " : ", ") << name(dtype));
        const Model model(each.formulas);
        const auto parameters = static_cast<std::int64_t>(model.parameters().size());
        const Tensor x = from_host(line, {kPoints});
        std::vector<double> noise, mask, truth;
        for (std::int64_t i = 0; i < kSets * kPoints; ++i) {
          noise.push_back(0.05 * normal(random));
          mask.push_back(i % kPoints < kPoints - i / kPoints % 20 ? 1 : 0);
        }
        for (std::int64_t i = 0; i < kSets * parameters; ++i) truth.push_back(1 + 0.1 * normal(random));
        const Tensor at = from_host(truth, {kSets, parameters});
        std::vector<Tensor> columns;
        for (std::int64_t p = 0; p < parameters; ++p) columns.push_back(at.slice(1, p, p + 1));
        const Tensor y = (model({x}, columns) + from_host(noise, {kSets, kPoints})).to(dtype);
        const Tensor starts = at * 1.2, points = x.to(dtype);
        const Tensor observed = from_host(mask, {kSets, kPoints}).to(boolean);
        fit::FitOptions options;
        if (ragged) options.mask = observed;
        const fit::FitResult all = fit::curve_fit(model, points, y, starts, options);
        // Each with a memory of its own for x gives the same.
        const fit::FitResult own = fit::curve_fit(model, points.expand({kSets, kPoints}).clone(), y, starts, options);
        EXPECT_TRUE(same(all.parameters, own.parameters));
        EXPECT_TRUE(same(all.covariance, own.covariance));
        for (std::int64_t s = 0; s < kSets; s += 37) {
          if (ragged) options.mask = observed[s];
          const fit::FitResult alone = fit::curve_fit(model, points, y[s], starts[s], options);
          ASSERT_TRUE(same(all.parameters[s], alone.parameters)) << s;
          ASSERT_TRUE(same(all.covariance[s], alone.covariance)) << s;
          ASSERT_TRUE(same(all.cost[s], alone.cost)) << s;
          ASSERT_TRUE(same(all.steps[s], alone.steps)) << s;
        }
      }
}

TEST(MachineCode, CapturedBatchesHaveTheBitsOfEagerOnes) {
  constexpr std::int64_t kSets = 900, kPoints = 40;
  const Model model("a * exp(-x / t) + c");
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  std::vector<double> values;
  for (std::int64_t i = 0; i < kSets * kPoints; ++i)
    values.push_back(2 * std::exp(-0.1 * static_cast<double>(i % kPoints)) + 0.5 + 0.05 * normal(random));
  const Tensor x = from_host(steps_from(0, 4, kPoints), {kPoints}), y = from_host(values, {kSets, kPoints});
  const Tensor start = from_host(std::vector<double>{1, 1, 1}, {3});
  Tensor scale = ones({}, {.dtype = float64});
  const auto fitted = [&] {
    const fit::FitResult result = fit::curve_fit(model, x, y * scale, start);
    return cat({result.parameters, result.standard_errors, result.r2.unsqueeze(1)}, 1);
  };
  auto step = capture(fitted);
  step();
  step();
  scale.fill_(2.0);
  EXPECT_TRUE(same(step(), fitted()));
}

// ---- searches

/// A fit of a * exp(-x / t) + c or of a polynomial whose sums are found point by point.
struct OwnFit {
  int parameters;
  std::vector<double> x, y, start, low, high;

  std::vector<double> sums(const double* p) const {
    std::vector<double> all(static_cast<std::size_t>(cpu::FitSums::numbers(parameters)));
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::vector<double> columns;
      double f = 0;
      if (parameters == 3) {
        const double e = std::exp(-x[i] / p[1]);
        f = p[0] * e + p[2];
        columns = {e, p[0] * e * x[i] / (p[1] * p[1]), 1};
      } else {
        for (int k = 0; k < parameters; ++k) {
          columns.push_back(std::pow(x[i], k));
          f += p[k] * columns.back();
        }
      }
      std::size_t next = 0;
      all[next++] += (f - y[i]) * (f - y[i]);
      for (const double column : columns) all[next++] += column * (f - y[i]);
      for (std::size_t a = 0; a < columns.size(); ++a)
        for (std::size_t b = 0; b <= a; ++b) all[next++] += columns[a] * columns[b];
    }
    return all;
  }
  double squares() const {
    double sum = 0;
    for (const double value : y) sum += value * value;
    return sum;
  }
};

/// Poor starts, some with a NaN observation, some on a bound that holds.
std::vector<OwnFit> own_fits(int parameters) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<OwnFit> fits;
  for (int f = 0; f < 60; ++f) {
    OwnFit made{parameters, steps_from(0, 4, 12 + f % 5), {}, {}, {}, {}};
    for (const double x : made.x) made.y.push_back(2 * std::exp(-x / (0.4 + uniform(random))) + 0.2 * uniform(random));
    if (f % 13 == 4) made.y[3] = kNaN;
    for (int p = 0; p < parameters; ++p) {
      made.start.push_back(parameters == 3 ? 0.1 + 8 * uniform(random) : 0.0);
      made.low.push_back(p == 2 ? 0.15 : -20);
      made.high.push_back(p == 1 ? 1.1 : 20);
    }
    fits.push_back(made);
  }
  return fits;
}

using math::scalar::FitSettings;

/// What a search asks and finds.
struct Asked {
  std::vector<double> trials, found;
  double cost = 0, cosine = 0;
  int steps = 0, status = 0;
};

template <int P>
Asked searched(const OwnFit& fit, const FitSettings& settings, bool bounded) {
  math::scalar::Levenberg<P> search;
  Asked asked;
  search.begin(fit.parameters, fit.start.data(), bounded ? fit.low.data() : nullptr,
               bounded ? fit.high.data() : nullptr, static_cast<long>(fit.x.size()), fit.squares());
  for (bool ended = false; !ended;) {
    asked.trials.insert(asked.trials.end(), search.trial(), search.trial() + fit.parameters);
    ended = search.tell(settings, fit.sums(search.trial()).data(), 1);
  }
  asked.found.assign(search.found(), search.found() + fit.parameters);
  asked.cost = search.cost();
  asked.cosine = search.cosine();
  asked.steps = search.steps();
  asked.status = search.status();
  return asked;
}

void expect_same_bits(double actual, double expected) {
  EXPECT_EQ(std::memcmp(&actual, &expected, sizeof actual), 0) << actual << " for " << expected;
}

/// Lanes with a fit each, of which one begins wherever another has ended.
void expect_lanes_to_agree(int parameters, bool bounded) {
  const std::vector<OwnFit> fits = own_fits(parameters);
  const FitSettings settings{1e-10, 1e-10, 1e-10, 30, 0x1p-52, 0x1p-26};
  auto model = std::make_shared<FitModel>();
  model->dtype = DType::Float64;
  model->parameters = parameters;
  LeastSquares call;
  call.of.model = model;
  call.ftol = settings.ftol;
  call.xtol = settings.xtol;
  call.gtol = settings.gtol;
  call.max_steps = settings.max_steps;
  if (bounded) call.of.lower.kind = Operand::Kind::Memory;
  const std::unique_ptr<cpu::SearchLanes> lanes = cpu::levenberg_lanes(call);
  std::array<std::size_t, kFitLanes> fit_of{};
  std::vector<Asked> asked(fits.size());
  std::uint32_t running = 0;
  std::size_t next = 0;
  const auto fill = [&](std::size_t lane) {
    running &= ~(1u << lane);
    if (next == fits.size()) return;
    const OwnFit& fit = fits[next];
    lanes->begin(static_cast<std::int64_t>(lane), fit.start.data(), bounded ? fit.low.data() : nullptr,
                 bounded ? fit.high.data() : nullptr, static_cast<std::int64_t>(fit.x.size()), fit.squares());
    fit_of[lane] = next++;
    running |= 1u << lane;
  };
  for (std::size_t lane = 0; lane < fit_of.size(); ++lane) fill(lane);
  const auto numbers = static_cast<std::size_t>(cpu::FitSums::numbers(parameters));
  std::vector<double> sums(numbers * kFitLanes, kNaN);
  while (running != 0) {
    const double* const trial = lanes->trial();
    for (std::size_t lane = 0; lane < fit_of.size(); ++lane) {
      if ((running >> lane & 1) == 0) continue;
      std::vector<double> p;
      for (int k = 0; k < parameters; ++k) p.push_back(trial[k * kFitLanes + static_cast<std::int64_t>(lane)]);
      Asked& own = asked[fit_of[lane]];
      own.trials.insert(own.trials.end(), p.begin(), p.end());
      const std::vector<double> at = fits[fit_of[lane]].sums(p.data());
      for (std::size_t n = 0; n < numbers; ++n) sums[n * kFitLanes + lane] = at[n];
    }
    const std::uint32_t ended = lanes->tell(sums.data(), running);
    for (std::size_t lane = 0; lane < fit_of.size(); ++lane) {
      if ((ended >> lane & 1) == 0) continue;
      Asked& own = asked[fit_of[lane]];
      for (int k = 0; k < parameters; ++k)
        own.found.push_back(lanes->found()[k * kFitLanes + static_cast<std::int64_t>(lane)]);
      own.cost = lanes->cost()[lane];
      own.cosine = lanes->cosine()[lane];
      own.steps = static_cast<int>(lanes->steps()[lane]);
      own.status = static_cast<int>(lanes->status()[lane]);
      fill(lane);
    }
  }
  for (std::size_t f = 0; f < fits.size(); ++f) {
    SCOPED_TRACE(testing::Message() << "fit " << f);
    const Asked one =
        parameters == 3 ? searched<3>(fits[f], settings, bounded) : searched<0>(fits[f], settings, bounded);
    ASSERT_EQ(asked[f].trials.size(), one.trials.size());
    for (std::size_t i = 0; i < one.trials.size(); ++i) expect_same_bits(asked[f].trials[i], one.trials[i]);
    for (std::size_t i = 0; i < one.found.size(); ++i) expect_same_bits(asked[f].found[i], one.found[i]);
    if (one.status != static_cast<int>(FitStatus::Diverged)) expect_same_bits(asked[f].cost, one.cost);
    EXPECT_TRUE(close(asked[f].cosine, one.cosine, 0));
    EXPECT_EQ(asked[f].steps, one.steps);
    EXPECT_EQ(asked[f].status, one.status);
  }
}

TEST(SearchLanes, GoTheWayOfASearchAloneOnEveryTarget) {
  const std::int64_t supported = hwy::SupportedTargets();
  for (std::int64_t targets = supported & (HWY_AVX3 | HWY_AVX2 | HWY_NEON | HWY_SCALAR); targets != 0;
       targets &= targets - 1) {
    const std::int64_t target = targets & -targets;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    for (const int parameters : {3, 7})
      for (const bool bounded : {false, true}) {
        SCOPED_TRACE(testing::Message() << parameters << " parameters" << (bounded ? ", bounds" : ""));
        expect_lanes_to_agree(parameters, bounded);
      }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// ---- covariances

/// A Jacobian whose columns have lengths far apart and angles down to `angle` between them.
std::vector<std::vector<double>> jacobian(int parameters, int points, double angle, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> columns;
  for (int p = 0; p < parameters; ++p) {
    std::vector<double> column;
    for (int i = 0; i < points; ++i) {
      const double own = normal(random);
      column.push_back(p == 0 ? own : columns[0][static_cast<std::size_t>(i)] + angle * own);
    }
    columns.push_back(column);
  }
  for (int p = 0; p < parameters; ++p)
    for (double& value : columns[static_cast<std::size_t>(p)]) value *= std::pow(10.0, 3 * p - 4);
  return columns;
}

TEST(PlainCovariance, IsThatOfExactSumsOrIsRefused) {
  using namespace math::scalar;
  std::mt19937_64 random(17);
  auto work = std::make_unique<CovarianceWork>();
  int known = 0, refused = 0;
  for (int parameters = 1; parameters <= kMostPlain; ++parameters)
    for (const double angle : {1.0, 0.1, 0.01, 1e-4, 1e-9})
      for (int repeat = 0; repeat < 20; ++repeat) {
        SCOPED_TRACE(testing::Message() << parameters << " parameters, angle " << angle);
        constexpr int kPoints = 40;
        const auto columns = jacobian(parameters, kPoints, angle, random);
        std::vector<double> plain, high, low;
        for (std::size_t i = 0; i < columns.size(); ++i)
          for (std::size_t j = 0; j <= i; ++j) {
            double sum = 0;
            Pair exact{0, 0};
            for (std::size_t k = 0; k < kPoints; ++k) {
              sum = std::fma(columns[i][k], columns[j][k], sum);
              const Pair product = pair_product(columns[i][k], columns[j][k]),
                         next = pair_sum(exact.high, product.high);
              exact = {next.high, exact.low + (next.low + product.low)};
            }
            plain.push_back(sum);
            const Pair whole = pair_sum(exact.high, exact.low);
            high.push_back(whole.high);
            low.push_back(whole.low);
          }
        const auto count = static_cast<std::size_t>(parameters);
        std::vector<double> covariance(count * count);
        const CovarianceOutput expected =
            covariance_of({parameters, high.data(), low.data(), nullptr, 1, 0, 1e-11}, *work, covariance.data());
        math::scalar::PlainCovariance<double> found;
        const auto product = [&](int i, int j) { return plain[static_cast<std::size_t>(i * (i + 1) / 2 + j)]; };
        if (!found.find(parameters, product, kPoints)) {
          ++refused;
          EXPECT_LE(angle, 0.1);
          continue;
        }
        ++known;
        EXPECT_TRUE(parameters == 1 || angle > 1e-3);
        EXPECT_EQ(expected.rank, parameters);
        EXPECT_NEAR(found.condition() / expected.condition, 1, 1e-9);
        for (int i = 0; i < parameters; ++i)
          for (int j = 0; j < parameters; ++j) {
            const auto at = [&](int a, int b) {
              return covariance[static_cast<std::size_t>(a) * count + static_cast<std::size_t>(b)];
            };
            EXPECT_NEAR((found.covariance(i, j) - at(i, j)) / std::sqrt(at(i, i) * at(j, j)), 0,
                        PlainCovariance<double>::kExact);
          }
      }
  EXPECT_GT(known, 200);
  EXPECT_GT(refused, 200);
}

TEST(PlainCovariance, RefusesWhatIsNotFinite) {
  using namespace math::scalar;
  PlainCovariance<double> found;
  for (const double bad : {kNaN, kInfinity, 0.0, -1.0}) {
    EXPECT_FALSE(found.find(
        2, [&](int i, int j) { return i == 1 && j == 1 ? bad
                                      : i == j         ? 1.0
                                                       : 0.1; }, 40))
        << bad;
    EXPECT_FALSE(found.find(
        2, [&](int i, int) { return i == 0   ? bad
                                    : i == 1 ? 1.0
                                             : 0.1; }, 40))
        << bad;
  }
}

}  // namespace
}  // namespace luge::test
