// Every differentiable operation at the points where formulas go wrong: zeros, infinities, NaN, ties, bounds, subnormal
// and largest numbers, rows that are empty or of one element. special_points.py says what is right there.

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <luge/ops/reduce.h>

#include "devices.h"
#include "expect.h"
#include "ops/rows.h"

namespace luge::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Points {
  std::string_view name;
  DType dtype;
  int inputs;
  std::initializer_list<double> values;

  /// The condition of where has no derivative.
  bool has_derivative(int input) const { return name != "where" || input > 0; }
  int derivatives() const { return name == "where" ? inputs - 1 : inputs; }
  std::vector<double> column(int c) const {
    const std::size_t width = static_cast<std::size_t>(inputs + 1 + derivatives());
    std::vector<double> result;
    for (std::size_t i = static_cast<std::size_t>(c); i < values.size(); i += width)
      result.push_back(values.begin()[i]);
    return result;
  }
};

constexpr Points kPoints[] = {
#include "ops/special_points.inc"
};

struct RowPoints {
  std::string_view name;
  DType dtype;
  std::initializer_list<double> x, y, dx;
};

constexpr RowPoints kRowPoints[] = {
#include "ops/special_rows.inc"
};

using Pointwise = std::function<Tensor(const std::vector<Tensor>&)>;
using OfRow = std::function<Tensor(const Tensor&)>;

/// The rows of core/luge/math/op_table.h, and what else the table names.
const std::map<std::string, Pointwise>& pointwise() {
  static const std::map<std::string, Pointwise> all = [] {
    std::map<std::string, Pointwise> made{
        {"softplus(beta=1)", [](const auto& in) { return in[0].softplus(); }},
        {"clamp(2, 1)", [](const auto& in) { return in[0].clamp(2, 1); }},
        {"clamp(min=1)", [](const auto& in) { return in[0].clamp(1, {}); }},
        {"clamp(max=-0.5)", [](const auto& in) { return in[0].clamp({}, -0.5); }},
        {"clamp(nan, 1)", [](const auto& in) { return in[0].clamp(kNan, 1); }},
        {"clamp(0, nan)", [](const auto& in) { return in[0].clamp(0, kNan); }},
        {"clamp(tensors)", [](const auto& in) { return in[0].clamp(in[1], in[2]); }},
    };
    for (const Row& row : rows())
      if (row.differentiable()) made[row.name] = row.call;
    made["where"] = [](const auto& in) { return where(in[0].ne(0), in[1], in[2]); };
    const std::pair<const char*, double> powers[] = {
        {"0.0", 0},   {"0.5", 0.5}, {"1.0", 1},         {"2.0", 2},           {"3.0", 3},
        {"-1.0", -1}, {"-2.0", -2}, {"inf", kInfinity}, {"-inf", -kInfinity}, {"nan", kNan}};
    for (const auto& [text, value] : powers) {
      made["x ** " + std::string(text)] = [p = value](const auto& in) { return in[0].pow(p); };
      made[std::string(text) + " ** x"] = [p = value](const auto& in) { return pow(p, in[0]); };
    }
    return made;
  }();
  return all;
}

/// 0, 1, ..., n - 1 the other way round.
Tensor places(const Tensor& x) { return (x.numel() - 1) - arange(x.numel(), {.dtype = int64, .device = x.device()}); }

const std::map<std::string, OfRow>& of_rows() {
  static const std::map<std::string, OfRow> all = {
      {"sum", [](const Tensor& x) { return x.sum(0); }},
      {"mean", [](const Tensor& x) { return x.mean(0); }},
      {"prod", [](const Tensor& x) { return x.prod(0); }},
      {"var", [](const Tensor& x) { return x.var(0); }},
      {"std", [](const Tensor& x) { return x.std(0); }},
      {"logsumexp", [](const Tensor& x) { return x.logsumexp(0); }},
      {"nansum", [](const Tensor& x) { return x.nansum(0); }},
      {"softmax", [](const Tensor& x) { return x.softmax(0); }},
      {"log_softmax", [](const Tensor& x) { return x.log_softmax(0); }},
      {"amax", [](const Tensor& x) { return x.max(0); }},
      {"amin", [](const Tensor& x) { return x.min(0); }},
      {"max", [](const Tensor& x) { return max_along(x, 0).values; }},
      {"min", [](const Tensor& x) { return min_along(x, 0).values; }},
      {"max of all", [](const Tensor& x) { return x.max(); }},
      {"min of all", [](const Tensor& x) { return x.min(); }},
      {"sort", [](const Tensor& x) { return sort(x, 0).values; }},
      {"sort descending", [](const Tensor& x) { return sort(x, 0, true).values; }},
      {"matmul",
       [](const Tensor& x) {
         const Tensor b = tensor({1, 0, -2, 1, 1}, {.dtype = x.dtype(), .device = x.device()});
         return x.reshape({1, x.numel()}).matmul(b.slice(0, 0, x.numel()).reshape({x.numel(), 1}));
       }},
      {"mse_loss",
       [](const Tensor& x) { return mse_loss(x, ones(x.shape(), {.dtype = x.dtype(), .device = x.device()})); }},
      {"cross_entropy",
       [](const Tensor& x) {
         return cross_entropy(x.reshape({1, x.numel()}), zeros({1}, {.dtype = int64, .device = x.device()}));
       }},
      {"to", [](const Tensor& x) { return x.to(x.dtype() == float32 ? float64 : float32); }},
      {"clone", [](const Tensor& x) { return x.clone(); }},
      {"cat",
       [](const Tensor& x) {
         return cat({x, x}, 0);
       }},
      {"stack",
       [](const Tensor& x) {
         return stack({x, x}, 0);
       }},
      {"reshape",
       [](const Tensor& x) {
         return x.reshape({x.numel(), 1});
       }},
      {"transpose",
       [](const Tensor& x) {
         return x.reshape({1, x.numel()}).transpose(0, 1);
       }},
      {"expand",
       [](const Tensor& x) {
         return x.expand({3, x.numel()});
       }},
      {"slice", [](const Tensor& x) { return x.slice(0, 0, -1); }},
      {"index_select", [](const Tensor& x) { return x.index_select(0, places(x)); }},
      {"index_copy",
       [](const Tensor& x) {
         const TensorOptions like{.dtype = x.dtype(), .device = x.device()};
         return x.index_copy(0, zeros({1}, {.dtype = int64, .device = x.device()}), ones({1}, like));
       }},
      {"gather", [](const Tensor& x) { return x.gather(0, places(x)); }},
  };
  return all;
}

/// The sign of a zero is that of either argument, in PyTorch by the length of the tensor.
bool either_zero(std::string_view name) {
  return name.starts_with("max") || name.starts_with("min") || name == "amax" || name == "amin" ||
         name == "clamp(tensors)";
}

/// Its error is one of numbers of the size of 1, which leave little.
bool crosses_zero(std::string_view name) { return name == "gelu" || name == "digamma"; }

class SpecialPointsTest : public DeviceTest {
 protected:
  Tensor made(const std::vector<double>& values, DType dtype, bool requires_grad) const {
    Tensor result = from_host(values, {static_cast<std::int64_t>(values.size())}, device()).to(dtype);
    return requires_grad ? result.requires_grad_() : result;
  }

  /// Zeros, ones, infinities and NaN are met exactly, the rest to eight units in the last place or, where a formula
  /// subtracts (derivatives, rows), sixteen units of `scale`; without a scale halves are exact, too.
  static ::testing::AssertionResult agree(const std::vector<double>& actual, const std::vector<double>& expected,
                                          DType dtype, double scale, bool signs) {
    const double eps = 2 * unit_roundoff(dtype), least = dtype == float32 ? 0x1p-149 : 0x1p-1074;
    if (actual.size() != expected.size())
      return ::testing::AssertionFailure() << actual.size() << " values instead of " << expected.size();
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const double a = actual[i], e = expected[i];
      const bool exact = e == 0 || std::abs(e) == 1 || (std::abs(e) == 0.5 && scale == 0) || !std::isfinite(e);
      const double tolerance = exact ? 0 : 8 * eps * std::abs(e) + 2 * least + 16 * eps * scale;
      if (!close(a, e, tolerance))
        return ::testing::AssertionFailure() << "value " << i << " is " << a << " instead of " << e;
      if (signs && e == 0 && std::signbit(a) != std::signbit(e))
        return ::testing::AssertionFailure() << "value " << i << " is a zero of the wrong sign";
    }
    return ::testing::AssertionSuccess();
  }
};
LUGE_ON_EVERY_DEVICE(SpecialPointsTest);

TEST_P(SpecialPointsTest, EveryOperationHasThem) {
  std::set<std::string> here;
  for (const Points& entry : kPoints) here.insert(std::string(entry.name) + std::string(name(entry.dtype)));
  for (const RowPoints& entry : kRowPoints) here.insert(std::string(entry.name) + std::string(name(entry.dtype)));
  for (const DType dtype : {float32, float64}) {
    for (const auto& [name, call] : pointwise())
      EXPECT_TRUE(here.contains(name + std::string(luge::name(dtype)))) << name;
    for (const auto& [name, call] : of_rows())
      EXPECT_TRUE(here.contains(name + std::string(luge::name(dtype)))) << name;
  }
  EXPECT_EQ(here.size(), 2 * (pointwise().size() + of_rows().size()));
}

TEST_P(SpecialPointsTest, ElementByElement) {
  for (const Points& entry : kPoints) {
    const Pointwise& call = pointwise().at(std::string(entry.name));
    const auto n = entry.column(0).size();
    // Once as it is, once without its last element and after others, so that vectors and tails see every point.
    for (const std::size_t shift : {0, 3}) {
      const auto moved = [&](int c) {
        std::vector<double> values = entry.column(c);
        values.insert(values.begin(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(shift));
        return values;
      };
      std::vector<Tensor> inputs;
      for (int i = 0; i < entry.inputs; ++i) inputs.push_back(made(moved(i), entry.dtype, entry.has_derivative(i)));
      const Tensor y = call(inputs), dy = ones({static_cast<std::int64_t>(n + shift)}, on(entry.dtype));
      SCOPED_TRACE(std::string(entry.name) + " of " + std::string(name(entry.dtype)));
      EXPECT_TRUE(agree(y.to_vector<double>(), moved(entry.inputs), entry.dtype, crosses_zero(entry.name) ? 1 : 0,
                        !either_zero(entry.name)));
      y.backward(dy);
      int column = entry.inputs;
      for (int i = 0; i < entry.inputs; ++i) {
        if (!entry.has_derivative(i)) continue;
        EXPECT_TRUE(agree(inputs[static_cast<std::size_t>(i)].grad().to_vector<double>(), moved(++column), entry.dtype,
                          1, false))
            << "derivative by input " << i;
      }
    }
  }
}

/// Fused kernels, on the CPU by machine code of their own, have the bits of the eager operations.
TEST_P(SpecialPointsTest, Captured) {
  for (const Points& entry : kPoints) {
    SCOPED_TRACE(std::string(entry.name) + " of " + std::string(name(entry.dtype)));
    const Pointwise& call = pointwise().at(std::string(entry.name));
    std::vector<Tensor> inputs;
    for (int i = 0; i < entry.inputs; ++i)
      inputs.push_back(made(entry.column(i), entry.dtype, entry.has_derivative(i)));
    const Tensor dy = ones(inputs.back().shape(), on(entry.dtype));
    const auto body = [&] {
      for (Tensor& input : inputs)
        if (input.requires_grad()) input.zero_grad();
      // Multiplied by 1, so that there are chains to fuse.
      const Tensor y = call(inputs) * 1.0;
      y.backward(dy);
      return y;
    };
    const auto seen = [&](const Tensor& y) {
      std::vector<std::vector<double>> all{y.to_vector<double>()};
      for (const Tensor& input : inputs)
        if (input.requires_grad()) all.push_back(input.grad().to_vector<double>());
      return all;
    };
    const std::vector<std::vector<double>> eager = seen(body());
    auto step = capture(body);
    step();
    const std::vector<std::vector<double>> replayed = seen(step());
    for (std::size_t c = 0; c < eager.size(); ++c)
      for (std::size_t i = 0; i < eager[c].size(); ++i)
        EXPECT_TRUE(close(replayed[c][i], eager[c][i], 0) &&
                    (std::isnan(eager[c][i]) || std::signbit(replayed[c][i]) == std::signbit(eager[c][i])))
            << "column " << c << ", point " << i << ": " << replayed[c][i] << " instead of " << eager[c][i];
  }
}

TEST_P(SpecialPointsTest, RowByRow) {
  for (const RowPoints& entry : kRowPoints) {
    std::string row;
    double scale = 1;
    for (const double x : entry.x) {
      row += " " + std::to_string(x);
      // Sums of squares and products come from as many squares; what the largest numbers leave is infinite or exact.
      if (std::abs(x) < 1e6) scale = std::max(scale, x * x);
    }
    SCOPED_TRACE(std::string(entry.name) + " of" + row + ", " + std::string(name(entry.dtype)));
    Tensor x = made(entry.x, entry.dtype, true);
    const Tensor result = of_rows().at(std::string(entry.name))(x), y = result.reshape({result.numel()});
    // A conversion is as coarse as the coarser of the two.
    const DType coarse = entry.name == "to" ? float32 : entry.dtype;
    EXPECT_TRUE(agree(y.to_vector<double>(), entry.y, coarse, scale, !either_zero(entry.name)));
    if (y.numel() == 0) continue;
    y.backward(arange(1, y.numel() + 1, 1, on(y.dtype())));
    EXPECT_TRUE(agree(x.grad().to_vector<double>(), entry.dx, coarse, scale, false)) << "gradient";
  }
}

}  // namespace
}  // namespace luge::test
