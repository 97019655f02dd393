// NIST's 27 certified problems of nonlinear regression, both starts as two sets of one call, with default settings.

#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"
#include "fits.h"

namespace luge::test {
namespace {

constexpr const char* kGauss = "b1*exp(-b2*x)+b3*exp(-(x-b4)**2/b5**2)+b6*exp(-(x-b7)**2/b8**2)";
constexpr const char* kLanczos = "b1*exp(-b2*x)+b3*exp(-b4*x)+b5*exp(-b6*x)";
constexpr const char* kCubic = "(b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)";
constexpr const char* kChwirut = "exp(-b1*x)/(b2+b3*x)";

constexpr std::pair<const char*, const char*> kProblems[] = {
    {"Bennett5", "b1*(b2+x)**(-1/b3)"},
    {"BoxBOD", "b1*(1-exp(-b2*x))"},
    {"Chwirut1", kChwirut},
    {"Chwirut2", kChwirut},
    {"DanWood", "b1*x**b2"},
    {"ENSO",
     "b1+b2*cos(2*pi*x/12)+b3*sin(2*pi*x/12)+b5*cos(2*pi*x/b4)+b6*sin(2*pi*x/b4)+b8*cos(2*pi*x/b7)+b9*sin(2*pi*x/b7)"},
    {"Eckerle4", "(b1/b2)*exp(-0.5*((x-b3)/b2)**2)"},
    {"Gauss1", kGauss},
    {"Gauss2", kGauss},
    {"Gauss3", kGauss},
    {"Hahn1", kCubic},
    {"Kirby2", "(b1+b2*x+b3*x**2)/(1+b4*x+b5*x**2)"},
    {"Lanczos1", kLanczos},
    {"Lanczos2", kLanczos},
    {"Lanczos3", kLanczos},
    {"MGH09", "b1*(x**2+x*b2)/(x**2+x*b3+b4)"},
    {"MGH10", "b1*exp(b2/(x+b3))"},
    {"MGH17", "b1+b2*exp(-x*b4)+b3*exp(-x*b5)"},
    {"Misra1a", "b1*(1-exp(-b2*x))"},
    {"Misra1b", "b1*(1-(1+b2*x/2)**(-2))"},
    {"Misra1c", "b1*(1-(1+2*b2*x)**(-.5))"},
    {"Misra1d", "b1*b2*x*((1+b2*x)**(-1))"},
    {"Nelson", "b1-b2*x1*exp(-b3*x2)"},
    {"Rat42", "b1/(1+exp(b2-b3*x))"},
    {"Rat43", "b1/((1+exp(b2-b3*x))**(1/b4))"},
    {"Roszman1", "b1-b2*x-arctan(b3/(x-b4))/pi"},
    {"Thurber", kCubic}};

class NistTest : public DeviceTest {
 protected:
  Tensor of(const std::vector<double>& values, const Shape& shape) const { return from_host(values, shape, device()); }
};

TEST_P(NistTest, ReachesCertifiedValuesFromBothStarts) {
  for (const auto& [name, formula] : kProblems) {
    SCOPED_TRACE(name);
    const NistProblem problem = nist_problem(name, formula);
    const auto parameters = static_cast<std::int64_t>(problem.certified.size()),
               points = static_cast<std::int64_t>(problem.y.size());
    ASSERT_GT(points, parameters);
    fit::ModelNames names;
    if (problem.predictors == 2) names.predictors = {"x1", "x2"};
    for (std::int64_t p = 1; p <= parameters; ++p) names.parameters.push_back("b" + std::to_string(p));
    const fit::Model model(formula, names);
    std::vector<double> starts = problem.starts[0], x = problem.x[0];
    starts.insert(starts.end(), problem.starts[1].begin(), problem.starts[1].end());
    if (problem.predictors == 2) x.insert(x.end(), problem.x[1].begin(), problem.x[1].end());
    const Shape shape = problem.predictors == 2 ? Shape{2, points} : Shape{points};
    const fit::FitResult result =
        fit::curve_fit(model, of(x, shape), of(problem.y, {points}), of(starts, {2, parameters}));
    const std::vector<double> found = result.parameters.to_vector<double>(),
                              deviations = result.standard_errors.to_vector<double>();
    for (std::int64_t set = 0; set < 2; ++set) {
      SCOPED_TRACE("start " + std::to_string(set + 1));
      EXPECT_TRUE(fit::is_converged(status_of(result, set))) << fit::text_of(status_of(result, set));
      for (std::int64_t p = 0; p < parameters; ++p) {
        const auto at = static_cast<std::size_t>(p), in = static_cast<std::size_t>(set * parameters + p);
        EXPECT_NEAR(found[in] / problem.certified[at], 1, 1e-6) << names.parameters[at];
        // The residuals of Lanczos1 are the rounding of its data.
        EXPECT_NEAR(deviations[in] / problem.deviations[at], 1, std::string(name) == "Lanczos1" ? 1e-2 : 1e-5)
            << names.parameters[at];
      }
    }
  }
}

LUGE_ON_EVERY_DEVICE(NistTest);

}  // namespace
}  // namespace luge::test
