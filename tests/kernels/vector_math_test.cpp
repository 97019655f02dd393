// The CPU's vector functions against long double libm, on every instruction set of this machine.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string_view>
#include <utility>
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
  double bound;      ///< units in the last place
};

long double exact_silu(long double x) { return x / (1 + std::exp(-x)); }
/// gelu(x) = x / 2 erfc(-x / sqrt 2), whose tail is that of erfc.
long double exact_gelu(long double x) { return x == 0 ? x : x / 2 * std::erfc(-x / std::sqrt(2.0L)); }
long double exact_softplus(long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }
long double exact_logistic(long double x) { return 1 / (1 + std::exp(-x)); }
long double exact_silu_slope(long double x) { return exact_logistic(x) * (1 + x * exact_logistic(-x)); }
long double exact_gelu_slope(long double x) {
  return std::erfc(-x / std::sqrt(2.0L)) / 2 + x * std::exp(-x * x / 2) * 0.398942280401432677939946L;
}

const Function kFunctions[] = {
    {Op::Exp, [](long double x) { return std::exp(x); }, -110, 95, 2},
    {Op::Expm1, [](long double x) { return std::expm1(x); }, -40, 95, 2},
    {Op::Log, [](long double x) { return std::log(x); }, 0, 100, 2},
    {Op::Log1p, [](long double x) { return std::log1p(x); }, -1, 100, 2},
    {Op::Sin, [](long double x) { return std::sin(x); }, -100, 100, 2},
    {Op::Cos, [](long double x) { return std::cos(x); }, -100, 100, 2},
    {Op::Tanh, [](long double x) { return std::tanh(x); }, -20, 20, 2},
    {Op::Sqrt, [](long double x) { return std::sqrt(x); }, 0, 100, 0.5},
    {Op::Rsqrt, [](long double x) { return 1 / std::sqrt(x); }, 0, 100, 2},
    {Op::Reciprocal, [](long double x) { return 1 / x; }, -100, 100, 1},
    {Op::Erf, [](long double x) { return std::erf(x); }, -7, 7, 2},
    {Op::Erfc, [](long double x) { return std::erfc(x); }, -6, 10, 4},
    {Op::Exp2, [](long double x) { return std::exp2(x); }, -150, 130, 2},
    {Op::Log2, [](long double x) { return std::log2(x); }, 0, 100, 2},
    {Op::Log10, [](long double x) { return std::log10(x); }, 0, 100, 2},
    {Op::Tan, [](long double x) { return std::tan(x); }, -100, 100, 2},
    {Op::Asin, [](long double x) { return std::asin(x); }, -1, 1, 2},
    {Op::Acos, [](long double x) { return std::acos(x); }, -1, 1, 2},
    {Op::Atan, [](long double x) { return std::atan(x); }, -10, 10, 2},
    {Op::Sinh, [](long double x) { return std::sinh(x); }, -90, 90, 2},
    {Op::Cosh, [](long double x) { return std::cosh(x); }, -90, 90, 2},
    {Op::Asinh, [](long double x) { return std::asinh(x); }, -100, 100, 2},
    {Op::Acosh, [](long double x) { return std::acosh(x); }, 1, 100, 2},
    {Op::Atanh, [](long double x) { return std::atanh(x); }, -1, 1, 2},
    {Op::Sigmoid, exact_logistic, -110, 40, 2},
    {Op::Silu, exact_silu, -110, 40, 2},
    {Op::Gelu, exact_gelu, -15, 6, 4},
    {Op::Softplus, exact_softplus, -110, 40, 2},
};

/// Of those that have parameters: beta of softplus.
constexpr double kParameters[] = {1};

/// Derivatives, which may cross zero: errors count in units of the last place of the result, or of 1/4 if that is more.
const Function kSlopes[] = {
    {Op::Silu, exact_silu_slope, -110, 40, 10},  // x (1 - s) with s near 1; in float64 2.5 times as far out
    {Op::Gelu, exact_gelu_slope, -15, 15, 6},
    {Op::Softplus, exact_logistic, -110, 40, 2},
};

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
  // Of each exponent of either sign, the ends and some significands.
  constexpr int kFraction = Limits::digits - 1;
  for (int e = Limits::min_exponent - kFraction; e <= Limits::max_exponent; ++e) {
    for (int i = 0; i < (sizeof(T) == 4 ? 128 : 16); ++i) {
      const double significand = i == 0   ? 0.5
                                 : i == 1 ? std::nextafter(0.5, 1.0)
                                 : i == 2 ? std::nextafter(1.0, 0.0)
                                          : 0.5 + std::abs(small(engine)) / 2;
      const T x = std::ldexp(static_cast<T>(significand), e);
      result.push_back(x);
      result.push_back(-x);
    }
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
    table.forward[static_cast<int>(function.op)][static_cast<int>(kDType)](in, out, kParameters, x.size());
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
    // libm, which the fallback target has, is off by more than that in tanh.
    const double bound = std::string_view(target) == "SCALAR" ? std::max(4.0, function.bound) : function.bound;
    EXPECT_LE(worst, bound) << name(function.op) << " of " << name(kDType) << " on " << target << " at " << where;
    if (std::getenv("LUGE_TEST_VERBOSE") != nullptr)
      std::printf("%-8s %-6s %s %.2f ulp at %.17g\n", target, name(function.op), sizeof(T) == 4 ? "f32" : "f64", worst,
                  static_cast<double>(where));
  }
}

template <class T>
void check_slopes(const cpu::TileTable& table, const char* target) {
  constexpr DType kDType = sizeof(T) == 4 ? float32 : float64;
  for (const Function& function : kSlopes) {
    const std::vector<T> x = arguments<T>(function);
    const std::vector<T> dy(x.size(), T(1));
    std::vector<T> dx(x.size());
    const void* in[] = {dy.data(), x.data(), nullptr};
    void* out[] = {dx.data()};
    table.backward[static_cast<int>(function.op)][static_cast<int>(kDType)](in, out, kParameters, x.size());
    double worst = 0;
    T where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double exact = function.exact(static_cast<long double>(x[i]));
      if (std::isnan(exact)) {
        EXPECT_TRUE(std::isnan(dx[i])) << name(function.op) << "'(" << x[i] << ") on " << target;
        continue;
      }
      const int place = std::max(-2, std::ilogb(static_cast<double>(exact)));
      const double unit = std::ldexp(static_cast<double>(std::numeric_limits<T>::epsilon()), place);
      const double error = static_cast<double>(std::fabs(static_cast<long double>(dx[i]) - exact)) / unit;
      if (!(error <= worst)) worst = error, where = x[i];
    }
    const double bound = function.bound * (function.op == Op::Silu && sizeof(T) == 8 ? 2.5 : 1);
    EXPECT_LE(worst, bound) << name(function.op) << "' of " << name(kDType) << " on " << target << " at " << where;
    if (std::getenv("LUGE_TEST_VERBOSE") != nullptr)
      std::printf("%-8s %-6s' %s %.2f ulp at %.17g\n", target, name(function.op), sizeof(T) == 4 ? "f32" : "f64", worst,
                  static_cast<double>(where));
  }
}

TEST(VectorMath, Float32WithinItsBoundsEverywhere) { on_every_target(&check<float>); }
TEST(VectorMath, Float64WithinItsBoundsEverywhere) { on_every_target(&check<double>); }

TEST(VectorMath, DerivativesWithinTheirBoundsEverywhere) {
  on_every_target(&check_slopes<float>);
  on_every_target(&check_slopes<double>);
}

/// The first target's results of functions.h, with which those of the others are compared.
template <class T>
void same_on_every_target() {
  static std::vector<std::vector<T>> first;
  first.clear();
  on_every_target([](const cpu::TileTable& table, const char* target) {
    if (std::string_view(target) == "SCALAR") return;  // it has libm
    constexpr DType kDType = sizeof(T) == 4 ? float32 : float64;
    std::size_t at = 0;
    for (const Function& function : kFunctions) {
      const std::vector<T> x = arguments<T>(function);
      std::vector<T> y(x.size());
      const void* in[] = {x.data()};
      void* out[] = {y.data()};
      table.forward[static_cast<int>(function.op)][static_cast<int>(kDType)](in, out, kParameters, x.size());
      if (at == first.size()) first.push_back(y);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bool same =
            std::isnan(y[i]) ? std::isnan(first[at][i]) : std::memcmp(&y[i], &first[at][i], sizeof(T)) == 0;
        ASSERT_TRUE(same) << name(function.op) << "(" << x[i] << ") on " << target;
      }
      ++at;
    }
  });
  EXPECT_GE(first.size(), 7U);
}
TEST(VectorMath, EqualBitsOnAllInstructionSets) {
  same_on_every_target<float>();
  same_on_every_target<double>();
}

/// Bases and exponents: all pairs of numbers with cases of their own, and random ones whose power is a number.
std::vector<std::pair<float, float>> powers() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> special{Limits::quiet_NaN()};
  for (const float x : {0.0F, Limits::denorm_min(), Limits::min(), 1e-20F, 0.25F, 0.3F, 0.5F, 0.74999F, 0.75F, 1.0F, 1.0000001F,
                        1.5F, 2.0F, 2.5F, 3.0F, 4.0F, 5.0F, 127.0F, 128.0F, 149.0F, 150.0F, 1e10F, 8388607.0F, 8388609.0F,
                        16777215.0F, 16777216.0F, 33554434.0F, Limits::max(), Limits::infinity()}) {
    special.push_back(x);
    special.push_back(-x);
  }
  std::vector<std::pair<float, float>> result;
  for (const float base : special)
    for (const float exponent : special) result.emplace_back(base, exponent);
  std::mt19937_64 engine(7);
  std::uniform_real_distribution<double> part(-1, 1);
  for (int i = 0; i < 200000; ++i) {
    const double wide = std::exp(85 * part(engine)), narrow = 1 + part(engine) * std::pow(10.0, -6 * std::fabs(part(engine)));
    const auto base = static_cast<float>(i % 2 == 0 ? wide : narrow);
    result.emplace_back(base, static_cast<float>(100 * part(engine) / std::log(base)));
    result.emplace_back(static_cast<float>(10 * part(engine)), static_cast<float>(std::round(20 * part(engine))));
  }
  return result;
}

TEST(VectorMath, PowersWithinTwoUnitsAndEqualOnAllInstructionSets) {
  static std::vector<float> first;
  first.clear();
  on_every_target([](const cpu::TileTable& table, const char* target) {
    std::vector<float> bases, exponents;
    for (const auto& [base, exponent] : powers()) {
      bases.push_back(base);
      exponents.push_back(exponent);
    }
    std::vector<float> found(bases.size());
    const void* in[] = {bases.data(), exponents.data()};
    void* out[] = {found.data()};
    table.forward[static_cast<int>(Op::Pow)][static_cast<int>(float32)](in, out, kParameters, bases.size());
    double worst = 0;
    std::size_t where = 0;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      const long double exact = std::pow(static_cast<long double>(bases[i]), static_cast<long double>(exponents[i]));
      const double error = ulps(found[i], exact);
      if (error > worst) worst = error, where = i;
      if (found[i] == 0) {
        EXPECT_EQ(std::signbit(found[i]), std::signbit(exact)) << bases[i] << " to " << exponents[i] << " on " << target;
      }
    }
    EXPECT_LE(worst, 2) << bases[where] << " to " << exponents[where] << " on " << target << ": " << found[where];
    if (std::getenv("LUGE_TEST_VERBOSE") != nullptr) std::printf("%-8s pow    f32 %.2f ulp\n", target, worst);
    if (std::string_view(target) == "SCALAR") return;  // it has libm
    if (first.empty()) first = found;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool same = std::isnan(found[i]) ? std::isnan(first[i]) : std::memcmp(&found[i], &first[i], sizeof(float)) == 0;
      ASSERT_TRUE(same) << bases[i] << " to " << exponents[i] << " on " << target;
    }
  });
}

}  // namespace
}  // namespace luge::test
