// lgamma, digamma and trigamma within the errors that core/luge/math/gamma.h states, on every instruction set of this
// machine, and at their poles.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "gamma_reference.h"
#include "kernels/cpu/tile.h"
#include "kernels/every_target.h"

namespace luge::test {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

enum Function { Lgamma, Digamma, Trigamma };

/// By the tiles of the CPU; trigamma is the derivative of digamma.
template <class T>
std::vector<T> values(const cpu::TileTable& table, Function function, const std::vector<T>& x) {
  constexpr int kDType = static_cast<int>(sizeof(T) == 4 ? float32 : float64);
  std::vector<T> y(x.size());
  const std::vector<T> ones(x.size(), T(1));
  const void* in[] = {function == Trigamma ? ones.data() : x.data(), x.data(), x.data()};
  void* out[] = {y.data()};
  const auto op = static_cast<std::size_t>(function == Lgamma ? Op::Lgamma : Op::Digamma);
  const cpu::TileFn tile = function == Trigamma ? table.backward[op][kDType] : table.forward[op][kDType];
  tile(in, out, nullptr, x.size());
  return y;
}

long double exact(Function function, long double x) {
  return function == Lgamma ? std::lgamma(x) : function == Digamma ? digamma(x) : trigamma(x);
}

/// What may be wrong in float64, in units of its last place at 1.
long double allowed(Function function, long double x, long double y) {
  const long double size = std::fabs(y);
  // A unit in the last place is between half of an epsilon and an epsilon of the number.
  const long double unit = std::ldexp(1.0L, std::ilogb(std::max(size, 1e-300L)));
  if (function == Trigamma) return 6 * unit;
  if (function == Digamma) return (x > -0.5L ? 4 : 8) * std::max(1.0L, size);
  return x > -0.5L ? 4 * unit : 4 * std::max(1.0L, std::max(size, std::lgamma(-x)));
}

template <class T>
std::vector<T> arguments() {
  std::vector<T> x;
  std::mt19937_64 engine(11);
  const std::pair<double, double> ranges[] = {{-0.5, 0.5}, {0.5, 1.5}, {1.2, 1.5},   {1.5, 2.5}, {2.5, 12},
                                              {9, 100},    {-5, -0.5}, {-40, -0.5}, {1, 1},     {2, 2}};
  std::uniform_real_distribution<double> part(0, 1), exponent(-30, 30);
  for (const auto& [low, high] : ranges)
    for (int i = 0; i < 4000; ++i) {
      const double near = low == high ? std::pow(10.0, -17 * part(engine)) * (i % 2 == 0 ? 1 : -1) : 0;
      x.push_back(static_cast<T>(low + (high - low) * part(engine) + near));
    }
  for (int i = 0; i < 4000; ++i) x.push_back(static_cast<T>(std::pow(10.0, exponent(engine))));
  // Seams of the pieces.
  for (const double seam : {-0.5, 0.5, 1.28, 1.5, 2.5, 10.0, 12.0})
    for (const T side : {T(-100), T(100)})
      x.insert(x.end(), {static_cast<T>(seam), std::nextafter(static_cast<T>(seam), side)});
  std::erase_if(x, [](T v) { return v <= 0 && v == std::floor(v); });
  return x;
}

template <class T>
void check(const cpu::TileTable& table, const char* target) {
  const std::vector<T> x = arguments<T>();
  for (const Function function : {Lgamma, Digamma, Trigamma}) {
    const std::vector<T> y = values(table, function, x);
    long double worst = 0;
    T where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double e = exact(function, static_cast<long double>(x[i]));
      long double limit = allowed(function, static_cast<long double>(x[i]), e) * 0x1p-52L;
      // float32 is rounded once more.
      if (sizeof(T) == 4) {
        if (std::fabs(e) > static_cast<long double>(std::numeric_limits<T>::max())) {
          EXPECT_TRUE(std::isinf(y[i]));
          continue;
        }
        limit += std::max(std::fabs(e) * 0x1p-24L, 0x1p-149L);
      }
      const long double error = std::fabs(static_cast<long double>(y[i]) - e) / limit;
      if (!(error <= worst)) worst = error, where = x[i];
    }
    EXPECT_LE(worst, 1) << "function " << function << " of " << sizeof(T) << " bytes on " << target << " at " << where;
  }
}

template <class T>
void check_poles(const cpu::TileTable& table, const char* target) {
  const T big = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::denorm_min();
  const std::vector<T> x{0, T(-0.0), -1, -2, -40, -big, T(kNoBound), T(-kNoBound), T(kNan), 1, 2, -least};
  const T of_least = static_cast<T>(-std::log(static_cast<long double>(least)));
  const std::vector<std::pair<Function, std::vector<T>>> expected = {
      {Lgamma,
       {T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound),
        T(kNan), 0, 0, of_least}},
      {Digamma,
       {T(-kNoBound), T(kNoBound), T(kNan), T(kNan), T(kNan), T(kNan), T(kNoBound), T(kNan), T(kNan),
        static_cast<T>(-0.57721566490153286), static_cast<T>(0.42278433509846714), T(kNoBound)}},
      {Trigamma,
       {T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), T(kNoBound), 0, T(kNan), T(kNan),
        static_cast<T>(1.6449340668482264), static_cast<T>(0.6449340668482264), T(kNoBound)}}};
  for (const auto& [function, y] : expected) {
    const std::vector<T> found = values(table, function, x);
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(found[i] == y[i] || (std::isnan(found[i]) && std::isnan(y[i])) ||
                  (std::isfinite(y[i]) &&
                   std::fabs(found[i] - y[i]) <= 4 * std::numeric_limits<T>::epsilon() * std::fabs(y[i])))
          << "function " << function << " of " << x[i] << " on " << target << " is " << found[i];
  }
}

TEST(Gamma, Float32WithinItsStatedErrors) { on_every_target(&check<float>); }
TEST(Gamma, Float64WithinItsStatedErrors) { on_every_target(&check<double>); }
TEST(Gamma, Poles) {
  on_every_target(&check_poles<float>);
  on_every_target(&check_poles<double>);
}

}  // namespace
}  // namespace luge::test
