// The CPU's vector functions against long double libm, on every instruction set of this machine.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/tile.h"
#include "kernels/every_target.h"

namespace luge::test {
namespace {

/// Distance of an approximation from the exact value in units of the last place of T there.
template <class T>
double ulps(T actual, long double exact) {
  if (std::isnan(exact)) return std::isnan(actual) ? 0 : std::numeric_limits<double>::infinity();
  if (std::isnan(actual)) return std::numeric_limits<double>::infinity();
  const T rounded = static_cast<T>(exact);
  if (actual == rounded) return 0;
  if (std::isinf(rounded) || std::isinf(actual)) return std::numeric_limits<double>::infinity();
  const T magnitude = std::fabs(rounded);
  const T unit = std::max(magnitude - std::nextafter(magnitude, T(0)), std::numeric_limits<T>::denorm_min());
  return static_cast<double>(std::fabs(static_cast<long double>(actual) - exact) / static_cast<long double>(unit));
}

struct Function {
  Op op;
  long double (*exact)(long double);
  double low, high;  ///< where most of the random arguments lie
};

const Function kFunctions[] = {
    {Op::Exp, [](long double x) { return std::exp(x); }, -110, 95},
    {Op::Expm1, [](long double x) { return std::expm1(x); }, -40, 95},
    {Op::Log, [](long double x) { return std::log(x); }, 0, 100},
    {Op::Log1p, [](long double x) { return std::log1p(x); }, -1, 100},
    {Op::Sin, [](long double x) { return std::sin(x); }, -100, 100},
    {Op::Cos, [](long double x) { return std::cos(x); }, -100, 100},
    {Op::Tanh, [](long double x) { return std::tanh(x); }, -20, 20},
    {Op::Sqrt, [](long double x) { return std::sqrt(x); }, 0, 100},
};

/// erf has no row of its own; gelu is built on it: gelu(x) = x / 2 (1 + erf(x / sqrt 2)).
long double exact_gelu(long double x) { return x == 0 ? x : x / 2 * std::erfc(-x / std::sqrt(2.0L)); }

template <class T>
std::vector<T> arguments(const Function& function) {
  std::vector<T> result;
  using Limits = std::numeric_limits<T>;
  for (const T x : {T(0),
                    Limits::denorm_min(),
                    Limits::min() / 3,
                    Limits::min(),
                    Limits::epsilon() / 2,
                    Limits::epsilon(),
                    T(1e-4),
                    T(0.25),
                    T(0.346),
                    T(0.3466),
                    T(0.5),
                    T(0.7),
                    T(1),
                    std::nextafter(T(1), T(0)),
                    std::nextafter(T(1), T(2)),
                    T(1.5),
                    T(1.5707964),
                    T(3.1415927),
                    T(10),
                    T(20),
                    T(88.7),
                    T(88.73),
                    T(103.9),
                    T(104.1),
                    T(709.7),
                    T(709.79),
                    T(745),
                    T(745.2),
                    T(38999),
                    T(39001),
                    T(1e5),
                    T(1e9),
                    T(1e30),
                    Limits::max(),
                    Limits::infinity()}) {
    result.push_back(x);
    result.push_back(-x);
  }
  result.push_back(Limits::quiet_NaN());
  std::mt19937_64 engine(3);
  std::uniform_real_distribution<double> usual(function.low, function.high), small(-1, 1), exponent(-300, 300);
  for (int i = 0; i < 60000; ++i) {
    result.push_back(static_cast<T>(usual(engine)));
    result.push_back(static_cast<T>(small(engine)));
    result.push_back(static_cast<T>(usual(engine) * (sizeof(T) == 8 ? 7.4 : 1)));
    result.push_back(
        static_cast<T>(std::copysign(std::pow(10.0, exponent(engine) / (sizeof(T) == 4 ? 8 : 1)), small(engine))));
  }
  // Near the zeros of sine and cosine almost everything cancels.
  for (int k = 1; k < 12000; ++k) result.push_back(static_cast<T>(k * 1.57079632679489661923L));
  return result;
}

template <class T>
void check(const cpu::TileTable& table, const char* target) {
  constexpr DType kDType = sizeof(T) == 4 ? float32 : float64;
  for (const Function& function : kFunctions) {
    const std::vector<T> x = arguments<T>(function);
    std::vector<T> y(x.size());
    const void* in[] = {x.data()};
    void* out[] = {y.data()};
    table.forward[static_cast<int>(function.op)][static_cast<int>(kDType)](in, out, nullptr, x.size());
    double worst = 0;
    T where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(y[i], function.exact(static_cast<long double>(x[i])));
      if (error > worst) worst = error, where = x[i];
      const T libm = static_cast<T>(function.exact(static_cast<long double>(x[i])));
      if (libm == 0 && !std::isnan(x[i])) {
        EXPECT_EQ(std::signbit(y[i]), std::signbit(libm)) << name(function.op) << "(" << x[i] << ") on " << target;
      }
    }
    EXPECT_LE(worst, 4) << name(function.op) << " of " << name(kDType) << " on " << target << " at " << where;
    if (std::getenv("LUGE_TEST_VERBOSE") != nullptr)
      std::printf("%-8s %-6s %s %.2f ulp at %.17g\n", target, name(function.op), sizeof(T) == 4 ? "f32" : "f64", worst,
                  static_cast<double>(where));
  }
}

/// 1 + erf is exact to a unit of 1 (or of 2 above), which gelu multiplies by x / 2.
template <class T>
void check_gelu(const cpu::TileTable& table, const char* target) {
  constexpr DType kDType = sizeof(T) == 4 ? float32 : float64;
  std::vector<T> x;
  for (double v = -9; v < 9; v += 0.00037) x.push_back(static_cast<T>(v));
  std::vector<T> y(x.size());
  const void* in[] = {x.data()};
  void* out[] = {y.data()};
  table.forward[static_cast<int>(Op::Gelu)][static_cast<int>(kDType)](in, out, nullptr, x.size());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double scale =
        std::fabs(static_cast<long double>(x[i])) * static_cast<long double>(std::numeric_limits<T>::epsilon());
    const long double error = std::fabs(static_cast<long double>(y[i]) - exact_gelu(static_cast<long double>(x[i])));
    worst = std::max(
        worst, static_cast<double>(error / std::max(scale, static_cast<long double>(std::numeric_limits<T>::min()))));
  }
  EXPECT_LE(worst, 3) << "gelu of " << name(kDType) << " on " << target;
}

TEST(VectorMath, Float32WithinFourUlpOfLibmEverywhere) { on_every_target(&check<float>); }
TEST(VectorMath, Float64WithinFourUlpOfLibmEverywhere) { on_every_target(&check<double>); }

TEST(VectorMath, GeluOfErf) {
  on_every_target([](const cpu::TileTable& table, const char* target) {
    check_gelu<float>(table, target);
    check_gelu<double>(table, target);
  });
}

}  // namespace
}  // namespace luge::test
