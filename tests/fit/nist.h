#pragma once
// NIST's 27 certified problems of nonlinear regression by their formulas.

#include <luge/luge.h>

#include "fits.h"

namespace luge::test {

inline constexpr const char* kGauss = "b1*exp(-b2*x)+b3*exp(-(x-b4)**2/b5**2)+b6*exp(-(x-b7)**2/b8**2)";
inline constexpr const char* kLanczos = "b1*exp(-b2*x)+b3*exp(-b4*x)+b5*exp(-b6*x)";
inline constexpr const char* kCubic = "(b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)";
inline constexpr const char* kChwirut = "exp(-b1*x)/(b2+b3*x)";

inline constexpr std::pair<const char*, const char*> kNistProblems[] = {
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

inline fit::ModelNames names_of(const NistProblem& problem) {
  fit::ModelNames names;
  if (problem.predictors == 2) names.predictors = {"x1", "x2"};
  for (std::size_t p = 1; p <= problem.certified.size(); ++p) names.parameters.push_back("b" + std::to_string(p));
  return names;
}

/// Both starts as two sets of one call.
inline fit::FitResult fit_both_starts(const NistProblem& problem, Device device, const fit::FitOptions& options = {}) {
  const auto parameters = static_cast<std::int64_t>(problem.certified.size()),
             points = static_cast<std::int64_t>(problem.y.size());
  std::vector<double> starts = problem.starts[0], x = problem.x[0];
  starts.insert(starts.end(), problem.starts[1].begin(), problem.starts[1].end());
  if (problem.predictors == 2) x.insert(x.end(), problem.x[1].begin(), problem.x[1].end());
  return fit::curve_fit(fit::Model(problem.formula, names_of(problem)),
                        from_host(x, problem.predictors == 2 ? Shape{2, points} : Shape{points}, device),
                        from_host(problem.y, {points}, device), from_host(starts, {2, parameters}, device), options);
}

}  // namespace luge::test
