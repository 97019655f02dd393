// Models: formulas, functions, and what is wrong with them.

#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"
#include "fits.h"

namespace luge::test {
namespace {

using fit::Model;

Tensor row(const std::vector<double>& values) { return from_host(values, {static_cast<std::int64_t>(values.size())}); }
Tensor one(double value) { return full({}, value, {.dtype = float64}); }

TEST(ModelTest, FindsNamesInOrderOfMention) {
  const Model model("a * exp(-x / t) + c");
  EXPECT_EQ(model.predictors(), std::vector<std::string>{"x"});
  EXPECT_EQ(model.parameters(), (std::vector<std::string>{"a", "t", "c"}));
  EXPECT_EQ(model.outputs(), 1);
  EXPECT_EQ(Model("b * x1 + a * x2", {.predictors = {"x1", "x2"}, .parameters = {"a", "b"}}).parameters(),
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Model(std::vector<std::string>{"a * x", "a * x + b"}).outputs(), 2);
}

/// Each formula beside C++, at several points; the third column tells what it may differ by.
TEST(ModelTest, FormulasMeanWhatPythonMeans) {
  using std::exp, std::log, std::pow, std::sqrt, std::sin, std::cos, std::abs;
  struct Case {
    const char* formula;
    double (*value)(double x, double a, double b);
  };
  const Case cases[] = {
      {"a - b - x", [](double x, double a, double b) { return a - b - x; }},
      {"a / b / x", [](double x, double a, double b) { return a / b / x; }},
      {"-x ** 2 + a * b * x - b", [](double x, double a, double b) { return -(x * x) + a * b * x - b; }},
      {"a ** b ** x", [](double x, double a, double b) { return pow(a, pow(b, x)); }},
      {"2 ** -x * a + b", [](double x, double a, double b) { return pow(2, -x) * a + b; }},
      {"a * x ** 3 + b * x ** -2 + x ** 0.5",
       [](double x, double a, double b) { return a * x * x * x + b / (x * x) + sqrt(x); }},
      {"a*(x+b)*1.5e-1+.5", [](double x, double a, double b) { return a * (x + b) * 0.15 + 0.5; }},
      {"where(x < 1 and a > 0 or b == 7, a * x, b)",
       [](double x, double a, double b) { return (x < 1 && a > 0) || b == 7 ? a * x : b; }},
      {"where(not x <= 1, a, b * x)", [](double x, double a, double b) { return !(x <= 1) ? a : b * x; }},
      {"max(a, x) + min(b, x) + maximum(a, b)",
       [](double x, double a, double b) { return std::max(a, x) + std::min(b, x) + std::max(a, b); }},
      {"log10(x) * a + log2(b) + log1p(x)",
       [](double x, double a, double b) { return std::log10(x) * a + std::log2(b) + std::log1p(x); }},
      {"sinh(x) * a + cosh(b) + tan(x) + tanh(x)",
       [](double x, double a, double b) { return std::sinh(x) * a + std::cosh(b) + std::tan(x) + std::tanh(x); }},
      {"arctan(a * x) + atan(b) + erf(x) + lgamma(x + 1)",
       [](double x, double a, double b) { return std::atan(a * x) + std::atan(b) + std::erf(x) + std::lgamma(x + 1); }},
      {"a * abs(x - b) + sqrt(x) + clamp(x, 0.5, 1.5)",
       [](double x, double a, double b) { return a * abs(x - b) + sqrt(x) + std::min(std::max(x, 0.5), 1.5); }},
      {"lerp(a, b, x) + pow(x, a)", [](double x, double a, double b) { return a + x * (b - a) + pow(x, a); }},
      {"leaky_relu(x - a, 0.2) + softplus(b * x)",
       [](double x, double a, double b) { return (x > a ? x - a : 0.2 * (x - a)) + std::log1p(exp(b * x)); }},
      {"a * arcsin(x / 3) + asin(-b) + arccos(x / 3 - 0.5) + b * acos(a - 1)",
       [](double x, double a, double b) {
         return a * std::asin(x / 3) + std::asin(-b) + std::acos(x / 3 - 0.5) + b * std::acos(a - 1);
       }},
      {"a * arctan2(x - b, 1 - x) + atan2(-a * x, b - a)",
       [](double x, double a, double b) { return a * std::atan2(x - b, 1 - x) + std::atan2(-a * x, b - a); }},
      {"arcsinh(a * x) + asinh(-b * x) + arccosh(a + x) + b * arctanh(x / 3) + hypot(a, b * x)",
       [](double x, double a, double b) {
         return std::asinh(a * x) + std::asinh(-b * x) + std::acosh(a + x) + b * std::atanh(x / 3) +
                std::hypot(a, b * x);
       }},
      {"a * sinc(x - 0.9) + cbrt(b - x) + exp2(x * a) + radians(a) + degrees(b)",
       [](double x, double a, double b) {
         const double at = 3.14159265358979323846 * (x - 0.9);
         return a * (at == 0 ? 1 : sin(at) / at) + std::cbrt(b - x) + std::exp2(x * a) +
                a * 3.14159265358979323846 / 180 + b * 180 / 3.14159265358979323846;
       }},
      {"a * erfc(b * x - 1) + erfc(a * x) + exp(-x * x) * a * erfcx(x - b)",
       [](double x, double a, double b) {
         return a * std::erfc(b * x - 1) + std::erfc(a * x) +
                exp(-x * x) * a * exp((x - b) * (x - b)) * std::erfc(x - b);
       }},
      {"clamp(a * x, b, 2 * b) + clip(x, 0.5, a) * b",
       [](double x, double a, double b) {
         return std::min(std::max(a * x, b), 2 * b) + std::min(std::max(x, 0.5), a) * b;
       }},
      {"a * heaviside(x - 0.9, 0.25) + ceil(x) * b + expit(a * x) + power(b, x)",
       [](double x, double a, double b) {
         return a * (x < 0.9 ? 0 : x > 0.9 ? 1 : 0.25) + std::ceil(x) * b + 1 / (1 + exp(-a * x)) + pow(b, x);
       }},
      {"a * cos(2 * pi * x) + b",
       [](double x, double a, double b) { return a * cos(2 * 3.14159265358979323846 * x) + b; }},
  };
  const std::vector<double> x{0.3, 0.9, 1.7, 2.4};
  const double a = 1.3, b = 0.8;
  for (const Case& each : cases) {
    SCOPED_TRACE(each.formula);
    const Model model(each.formula, {.parameters = {"a", "b"}});
    std::vector<double> expected;
    for (const double at : x) expected.push_back(each.value(at, a, b));
    EXPECT_TRUE(has_values(model({row(x)}, {one(a), one(b)}), {4}, float64, expected, 1e-14));
    // Of a fit's own derivatives of the formula: the covariance of deviations 1 is that of autograd's.
    std::vector<Tensor> leaves{one(a).requires_grad_(true), one(b).requires_grad_(true)};
    double products[2][2] = {};
    for (const double at : x) {
      const std::vector<Tensor> gradients = grad({model({one(at)}, leaves)}, leaves);
      const double g[] = {gradients[0].item<double>(), gradients[1].item<double>()};
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) products[i][j] += g[i] * g[j];
    }
    const double determinant = products[0][0] * products[1][1] - products[0][1] * products[1][0];
    const std::vector<double> inverse{products[1][1] / determinant, -products[0][1] / determinant,
                                      -products[1][0] / determinant, products[0][0] / determinant};
    const fit::FitResult result = fit::curve_fit(model, row(x), row(expected), row({a, b}), {.absolute_sigma = true});
    EXPECT_TRUE(has_values(result.parameters, {2}, float64, {a, b}, 1e-10));
    EXPECT_TRUE(has_values(result.covariance, {2, 2}, float64, inverse, 1e-8));
  }
}

TEST(ModelTest, SidesThatAreNotTakenHaveNoPartInDerivatives) {
  // The root is NaN, and its derivative infinite, where the condition chooses the other side.
  const Model model("where(x < x0, c, c + a * sqrt(x - x0))");
  const std::vector<double> x = steps_from(0, 4, 41);
  std::vector<double> y;
  for (const double at : x) y.push_back(at < 1.55 ? 0.5 : 0.5 + 2 * std::sqrt(at - 1.55));
  const fit::FitResult result = fit::curve_fit(model, row(x), row(y), row({1.52, 0.2, 1}));
  EXPECT_TRUE(has_values(result.parameters, {3}, float64, {1.55, 0.5, 2}, 1e-6));
}

TEST(ModelTest, FunctionsOfTensorsAreTheirFormulas) {
  const Model traced(
      [](const std::vector<Tensor>& x, const std::vector<Tensor>& p) {
        return std::vector<Tensor>{where(x[0] < 1.0, p[0] * exp(-x[0] / p[1]), p[0] * x[0].square()) + 2 * p[2] -
                                   x[0].pow(2.0)};
      },
      {.predictors = {"x"}, .parameters = {"a", "t", "c"}});
  const Model formula("where(x < 1, a * exp(-x / t), a * x ** 2) + 2 * c - x ** 2");
  const Tensor x = linspace(0, 2, 21, {.dtype = float64});
  const std::vector<Tensor> p{one(2), one(1.5), one(0.5)};
  EXPECT_TRUE(same(traced({x}, p), formula({x}, p)));
  const Tensor y = formula({x}, p) + 0.01 * sin(20 * x);
  const fit::FitResult a = fit::curve_fit(traced, x, y, row({1, 1, 1})),
                       b = fit::curve_fit(formula, x, y, row({1, 1, 1}));
  EXPECT_TRUE(same(a.parameters, b.parameters));
  EXPECT_TRUE(same(a.covariance, b.covariance));
}

TEST(ModelTest, SaysWhatFunctionsMayNotDo) {
  const auto traced = [](const Model::Function& function) {
    return Model(function, {.predictors = {"x"}, .parameters = {"a"}});
  };
  using Tensors = std::vector<Tensor>;
  const Tensor own = arange(7, {.dtype = float64});
  expect_errors({
      LUGE_ERROR(ValueError, "^model: .* sum",
                 traced([](const Tensors& x, const Tensors& p) { return Tensors{p[0] * x[0] / x[0].sum()}; })),
      LUGE_ERROR(ValueError, "^model: .* another order",
                 traced([](const Tensors& x, const Tensors& p) { return Tensors{p[0] * x[0] + x[0].slice(0, 0, 1)}; })),
      LUGE_ERROR(ValueError, "^model: .* neither a predictor nor a parameter",
                 traced([&own](const Tensors& x, const Tensors& p) { return Tensors{p[0] * x[0] + own}; })),
      LUGE_ERROR(ValueError, "^model: the function depends on how many points there are",
                 traced([](const Tensors& x, const Tensors& p) {
                   return Tensors{p[0] * static_cast<double>(x[0].numel()) + x[0]};
                 })),
      LUGE_ERROR(ValueError, "^model: .* takes single points of a predictor",
                 traced([](const Tensors& x, const Tensors& p) { return Tensors{p[0] * x[0].select(0, -1) + x[0]}; })),
      LUGE_ERROR(ValueError, "^model: the function converts to int32",
                 traced([](const Tensors& x, const Tensors& p) { return Tensors{p[0] * x[0].to(int32)}; })),
      LUGE_ERROR(ValueError, "^model: the function returns nothing",
                 traced([](const Tensors&, const Tensors&) { return Tensors{}; })),
      LUGE_ERROR(ValueError, "^model: the parameter a has no influence",
                 traced([](const Tensors& x, const Tensors&) { return Tensors{2 * x[0]}; })),
  });
}

/// The message, and where its mark points.
void expect_place(const std::string& formula, const std::string& message, std::size_t place) {
  SCOPED_TRACE(formula);
  try {
    Model model(formula);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ValueError& error) {
    const std::string text = error.what(), first = text.substr(0, text.find('\n'));
    EXPECT_NE(first.find(message), std::string::npos) << text;
    EXPECT_EQ(first.rfind("model: ", 0), 0u) << text;
    const std::size_t line = text.find('\n'), mark = text.rfind('\n');
    ASSERT_NE(line, mark) << text;
    EXPECT_EQ(text.substr(line + 3, mark - line - 3), formula);
    EXPECT_EQ(text.substr(mark + 3), std::string(place, ' ') + "^") << text;
  }
}

TEST(ModelTest, ShowsThePlaceOfAMistake) {
  expect_place("a * expp(x)", "there is no function expp", 4);
  expect_place("a * expp(x)", "there is no function expp; alike: exp, exp2", 4);
  expect_place("a * qqqqqq(x)", "there is no function qqqqqq", 4);
  expect_place("a * np.exp(x)", "written without a module", 6);
  expect_place("a * (x + b", ") is missing", 10);
  expect_place("a * x +", "ends where a number should be", 7);
  expect_place("a * * x", "a number, a name or a function", 4);
  expect_place("a x", "should end here", 2);
  expect_place("2x", "products are written with *", 1);
  expect_place("a ^ x", "powers are written with **", 2);
  expect_place("a * x $ 2", "has no meaning", 6);
  expect_place("where(x, a, b)", "a number stands where a condition", 6);
  expect_place("a * (x < 1)", "a condition stands where a number", 4);
  expect_place("a < x < b", "joined with 'and'", 6);
  expect_place("exp(a, x)", "exp takes 1 argument, and 2 are given", 0);
  expect_place("where(x < a, b)", "where takes 3 arguments, and 2 are given", 0);
  expect_place("1e999 * a * x", "beyond float64", 0);
  // Of a long formula sixty characters before and behind the place are shown.
  try {
    Model model(std::string(300, '(') + "a*x");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ValueError& error) {
    EXPECT_EQ(std::string(error.what()), "model: the formula is nested too deeply\n  " + std::string(120, '(') +
                                             "\n  " + std::string(60, ' ') + "^");
  }
}

/// Functions that are made of ops, at places where a careless formula fails: next to poles and zeros, far out.
TEST(ModelTest, ComposedFunctionsKeepTheirDigits) {
  struct Case {
    const char* formula;
    std::vector<double> x;
    double (*value)(double x);
    double tolerance;  // relative
  };
  const Case cases[] = {
      {"a * erfc(x)",
       {-30, -3, -1e-3, -1e-9, 0, 1e-9, 0.3, 1, 3, 6, 10, 20, 26},
       [](double x) { return std::erfc(x); },
       4e-13},
      // Of 50 digits.
      {"a * erfcx(x)",
       {-3, -0.5, 0, 0.5, 2, 10, 100, 1e6},
       [](double x) {
         const std::pair<double, double> known[] = {
             {-3, 16205.988853999586625},  {-0.5, 1.952360489182557},    {0, 1.0},
             {0.5, 0.61569034419292587},   {2, 0.25539567631050574},     {10, 0.056140992743822585},
             {100, 0.0056416137829894329}, {1e6, 5.6418958354747429e-07}};
         for (const auto& [at, value] : known)
           if (at == x) return value;
         return 0.0;
       },
       4e-15},
      {"a * arcsin(x)", {-1, -0.999999, -1e-8, 0, 0.5, 1}, [](double x) { return std::asin(x); }, 1e-15},
      {"a * arccos(x)", {-1, -0.999, 0, 0.5, 0.999999}, [](double x) { return std::acos(x); }, 1e-15},
      {"a * arcsinh(x)",
       {-1e200, -1e8, -99999999, -1e-8, 0, 1e-8, 3, 1e8, 1e200},
       [](double x) { return std::asinh(x); },
       1e-15},
      {"a * arccosh(x)", {1, 1.0000001, 3, 1e8, 1e200}, [](double x) { return std::acosh(x); }, 1e-15},
      {"a * hypot(x, 1e-170)", {-3e-170, 0, 1e-200, 1}, [](double x) { return std::hypot(x, 1e-170); }, 1e-15},
      {"a * hypot(1e170, x)", {-3e170, 0, 1, 1e200}, [](double x) { return std::hypot(1e170, x); }, 1e-15},
      {"a * arctanh(x)", {-0.99, -1e-8, 0, 1e-8, 0.99}, [](double x) { return std::atanh(x); }, 1e-15},
      {"a * arctan2(x, -1)", {-1e9, -1, -1e-9, 0, 1e-9, 1, 1e9}, [](double x) { return std::atan2(x, -1); }, 1e-15},
      {"a * arctan2(x, 1)", {-1e9, -1, -1e-9, 0, 1e-9, 1, 1e9}, [](double x) { return std::atan2(x, 1); }, 1e-15},
      {"a * arctan2(x, 0)", {-1, 0, 1}, [](double x) { return std::atan2(x, 0); }, 1e-15},
      {"a * arctan2(1, x)", {-1e9, -1, -1e-9, 0, 1e-9, 1, 1e9}, [](double x) { return std::atan2(1, x); }, 1e-15},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.formula);
    const std::vector<double> values = Model(each.formula)({row(each.x)}, {one(1)}).to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double expected = each.value(each.x[i]);
      EXPECT_NEAR(values[i], expected, std::abs(expected) * each.tolerance + 1e-320) << "x = " << each.x[i];
    }
  }
  // What is no number stays none.
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const auto value = [](const char* formula, double at) {
    return Model(formula)({row({at})}, {one(1)})[0].item<double>();
  };
  for (const char* formula : {"a * arctan2(x, 1)", "a * arctan2(1, x)", "a * arctan2(0, x)", "a * hypot(x, 1)",
                              "a * hypot(1, x)", "a * heaviside(x, 0.5)", "a * arcsinh(x)", "a * arccosh(x)"})
    EXPECT_TRUE(std::isnan(value(formula, nan))) << formula;
  for (const double below : {0.5, -0.5, -2.0, -1e10, -1e200}) EXPECT_TRUE(std::isnan(value("a * arccosh(x)", below)));
  EXPECT_EQ(value("a * hypot(x, 1)", -infinity), infinity);
  EXPECT_EQ(value("a * hypot(x, x)", infinity), infinity);
  EXPECT_EQ(value("a * arcsinh(x)", -infinity), -infinity);
  // Derivatives where one side of a choice ends.
  const auto slope = [](const char* formula, double at) {
    const Tensor p = one(at).requires_grad_(true);
    return grad({Model(formula, {.parameters = {"p"}})({one(0)}, {p})}, {p})[0].item<double>();
  };
  EXPECT_NEAR(slope("erfc(p) + 0 * x", 0), -2 / std::sqrt(3.14159265358979323846), 1e-14);
  EXPECT_NEAR(slope("erfcx(p) + 0 * x", 0), -2 / std::sqrt(3.14159265358979323846), 1e-14);
  EXPECT_NEAR(slope("arcsinh(p) + 0 * x", 0), 1, 1e-15);
  EXPECT_NEAR(slope("arcsinh(p) + 0 * x", 1e10), 1e-10, 1e-25);
  EXPECT_NEAR(slope("hypot(p, 4) + 0 * x", 3), 0.6, 1e-15);
  EXPECT_NEAR(slope("hypot(3, p) + 0 * x", 3), std::sqrt(0.5), 1e-15);
  EXPECT_NEAR(slope("arctan2(p, -1) + 0 * x", 0), -1, 1e-15);
  EXPECT_NEAR(slope("arctan2(1, p) + 0 * x", 0), -1, 1e-15);
}

TEST(ModelTest, AParameterOfConditionsHasToBeFixed) {
  const Model model("where(x < x0, a, b)");
  EXPECT_FALSE(model.has_derivative(0));
  EXPECT_TRUE(model.has_derivative(1) && model.has_derivative(2));
  const Tensor x = row({0, 1, 2, 3, 4, 5}), y = row({1, 2, 3, 10, 20, 30});
  const Tensor p0 = row({2.5, 0, 0});
  const fit::FitResult result = fit::curve_fit(model, x, y, p0, {.fixed = row({1, 0, 0}).to(boolean)});
  EXPECT_TRUE(has_values(result.parameters, {3}, float64, {2.5, 2, 20}, 1e-12));
  EXPECT_TRUE(std::isnan(result.standard_errors[0].item<double>()));
  const fit::FitResult held =
      fit::curve_fit(model, x, y, p0, {.lower = row({2.5, -99, -99}), .upper = row({2.5, 99, 99})});
  EXPECT_TRUE(same(held.parameters, result.parameters));
  // Where it is fixed in one of two sets only, nothing tells where it should go in the other.
  const Tensor some = from_host(std::vector<double>{1, 0, 0, 0, 0, 0}, {2, 3}).to(boolean);
  expect_errors({
      LUGE_ERROR(ValueError, "^curve_fit: the parameter x0 decides conditions", fit::curve_fit(model, x, y, p0)),
      LUGE_ERROR(ValueError, "^curve_fit: the parameter x0 decides conditions",
                 fit::curve_fit(model, x, y, p0.expand({2, 3}), {.fixed = some})),
      LUGE_ERROR(ValueError, "^plan: the parameter x0 decides conditions", fit::plan(model, x, y, p0)),
  });
}

TEST(ModelTest, SaysWhatIsWrongWithNames) {
  expect_errors({
      LUGE_ERROR(ValueError, "^model: .*does not mention the predictor x; it reads a, t", Model("a * exp(-t)")),
      LUGE_ERROR(ValueError, "^model: there is no parameter", Model("x + 1")),
      LUGE_ERROR(ValueError, "^model: the parameter b has no influence", Model("a * x", {.parameters = {"a", "b"}})),
      LUGE_ERROR(ValueError, "^model: a is named twice", Model("a * x", {.parameters = {"a", "a"}})),
      LUGE_ERROR(ValueError, "^model: '2a' is no name", Model("a * x", {.parameters = {"2a"}})),
      LUGE_ERROR(ValueError, "^model: there is no formula", Model(std::vector<std::string>{})),
  });
}

}  // namespace
}  // namespace luge::test
