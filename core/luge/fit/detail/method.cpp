#include <luge/fit/detail/method.h>

#include <luge/base/detail/check.h>

namespace luge::fit {

namespace {

constexpr Method kMethods[] = {{"lm", FitMethod::LevenbergMarquardt, 2000, 10},
                               {"lbfgs", FitMethod::Lbfgs, 2000, 25},
                               {"nelder-mead", FitMethod::NelderMead, 20000, 400},
                               {"adam", FitMethod::Adam, 20000, 2000}};

}  // namespace

const Method& method_named(std::string_view op, std::string_view name) {
  for (const Method& known : kMethods)
    if (known.name == name) return known;
  raise<ValueError>("{}: method is '{}'; allowed are lm, lbfgs, nelder-mead, adam", op, name);
}

}  // namespace luge::fit
