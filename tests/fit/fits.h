#pragma once
// What tests of fits share: data, and NIST's problems.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <luge/fit/curve_fit.h>
#include <luge/luge.h>

namespace luge::test {

inline fit::FitStatus status_of(const fit::FitResult& result, std::int64_t set = -1) {
  const Tensor status = set < 0 ? result.status : result.status[set];
  return static_cast<fit::FitStatus>(status.item<std::int32_t>());
}

/// Numbers like NumPy's linspace.
inline std::vector<double> steps_from(double begin, double end, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(begin + (end - begin) * i / (count - 1));
  return values;
}

/// A problem of NIST's Statistical Reference Datasets for nonlinear regression (public domain), as its file says.
struct NistProblem {
  std::string name, formula;
  std::vector<double> starts[2], certified, deviations, y, x[2];
  int predictors = 1;
};

inline std::filesystem::path nist_folder() {
  const char* const source = std::getenv("LUGE_SOURCE");
  return std::filesystem::path(source ? source : ".") / "tests/fit/nist";
}

inline NistProblem nist_problem(const std::string& name, const std::string& formula) {
  NistProblem problem;
  problem.name = name;
  problem.formula = formula;
  problem.predictors = name == "Nelson" ? 2 : 1;
  std::ifstream file(nist_folder() / (name + ".dat"));
  if (!file) throw std::runtime_error("there is no file of " + name);
  std::string line;
  bool in_data = false;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line);
    if (in_data) {
      double y, first, second = 0;
      if (!(words >> y >> first)) continue;
      words >> second;
      problem.y.push_back(problem.predictors == 2 ? std::log(y) : y);
      problem.x[0].push_back(first);
      problem.x[1].push_back(second);
      continue;
    }
    std::string parameter, equals;
    double start1, start2, value, deviation;
    if (number > 40 && number < 62 && line.find(" = ") != std::string::npos &&
        (words >> parameter >> equals >> start1 >> start2 >> value >> deviation)) {
      problem.starts[0].push_back(start1);
      problem.starts[1].push_back(start2);
      problem.certified.push_back(value);
      problem.deviations.push_back(deviation);
    }
    in_data = number >= 60 && line.rfind("Data:", 0) == 0;
  }
  return problem;
}

}  // namespace luge::test
