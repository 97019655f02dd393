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
