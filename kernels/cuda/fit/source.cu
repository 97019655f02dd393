#include "source.h"

// Under nvcc fmt takes itself for less constexpr than it is, and format strings cannot be checked.
#define FMT_USE_CONSTEXPR 1
#define FMT_CONSTEVAL
#include <fmt/format.h>

#include "../fused/chain_text.h"
#include "../fused/expressions.h"

namespace luge::cuda {

namespace {

const char* term_of(FitLoss loss) {
  switch (loss) {
    case FitLoss::Linear: return "formula::SquareTerm{}";
    case FitLoss::SoftL1: return "formula::RobustTerm<formula::SoftL1Loss>{data.loss_scale}";
    case FitLoss::Huber: return "formula::RobustTerm<formula::HuberLoss>{data.loss_scale}";
    case FitLoss::Cauchy: return "formula::RobustTerm<formula::CauchyLoss>{data.loss_scale}";
    case FitLoss::Tukey: return "formula::RobustTerm<formula::TukeyLoss>{data.loss_scale}";
    case FitLoss::Poisson: return "formula::PoissonTerm{}";
  }
  return "?";
}

const char* search_of(FitMethod method) {
  switch (method) {
    case FitMethod::LevenbergMarquardt: return "formula::Levenberg";
    case FitMethod::Lbfgs: return "formula::Lbfgs";
    case FitMethod::NelderMead: return "formula::NelderMead";
    case FitMethod::Adam: return "formula::AdamSearch";
  }
  return "?";
}

/// The body of Model::evaluate.
std::string evaluation(const FitModel& model) {
  const char* const type = type_name(model.dtype);
  std::string text;
  const auto define = [&](int value, const char* array, int index) {
    text += fmt::format("[[maybe_unused]] const {} v{} = {}[{}];\n", type, value, array, index);
  };
  for (int k = 0; k < model.predictors; ++k) define(k, "x", k);
  for (int p = 0; p < model.parameters; ++p) define(model.parameter(p), "parameters", p);
  int links = 0;
  for (const Link& link : model.formulas.links) text += statements(model.formulas, link, links++, 0);
  for (std::size_t o = 0; o < model.outputs.size(); ++o)
    text += fmt::format("values[{}] = {};\n", o, input(model.outputs[o], model.dtype));
  for (std::size_t d = 0; d < model.derivatives.size(); ++d)
    text += fmt::format("derivatives[{}] = {};\n", d, input(model.derivatives[d], model.dtype));
  return text;
}

}  // namespace

std::string fit_source(const FitModel& model, FitLoss loss, FitWork work, FitMethod method) {
  const char* const type = type_name(model.dtype);
  const bool searches = work != FitWork::Covariance;
  return fmt::format(
      "#include \"fit.cuh\"\n\n#include <luge/math/elementwise.h>\n\nusing namespace luge::cuda;\n\n"
      "struct Model {{\n"
      "  using Element = {0};\n"
      "  static constexpr int kPredictors = {1}, kParameters = {2}, kOutputs = {3};\n"
      "  __device__ static void evaluate([[maybe_unused]] const {0}* x, const {0}* parameters, {0}* values,\n"
      "                                  {0}* derivatives) {{\n{4}  }}\n}};\n\n"
      // With one block on a multiprocessor as the least, registers hold the search without a stack.
      "extern \"C\" __global__ void __launch_bounds__(kThreads, 1) {5}(\n"
      "    const __grid_constant__ FitData<{0}> data,\n    const FitQueue queue,\n"
      "    const __grid_constant__ {6} out) {{\n  {7}(data, queue, out, {8});\n}}\n",
      type, model.predictors, model.parameters, model.outputs.size(), indented(evaluation(model), 4), kFitKernel,
      searches ? "FitSearch" : "FitCovariance",
      searches ? fmt::format("search_by_{}<Model, {}>", work == FitWork::SearchByWarps ? "warps" : "threads",
                             search_of(method))
               : "find_covariances<Model>",
      term_of(loss));
}

}  // namespace luge::cuda
