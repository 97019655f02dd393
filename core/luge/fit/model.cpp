#include <luge/fit/model.h>

#include <algorithm>
#include <array>

#include <luge/base/detail/check.h>
#include <luge/fit/detail/graph.h>
#include <luge/fit/detail/parser.h>
#include <luge/fit/detail/trace.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/seam/detail/op_traits.h>

namespace luge::fit {

struct Model::State {
  std::vector<std::string> predictors, parameters, formulas;
  std::vector<char> differs;  ///< by parameter: whether there is a derivative
  std::shared_ptr<const FitModel> single, precise;

  void take(Graph& graph, const std::vector<Term>& outputs) {
    single = graph.model(outputs, parameters, DType::Float32);
    precise = graph.model(outputs, parameters, DType::Float64);
    for (int p = 0; p < static_cast<int>(parameters.size()); ++p) differs.push_back(graph.has_derivative(p));
  }
};

namespace {

bool is_name(const std::string& text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed) && !(text[0] >= '0' && text[0] <= '9') &&
         text != "pi" && text != "and" && text != "or" && text != "not";
}

void check_names(const ModelNames& names) {
  std::vector<std::string> all = names.predictors;
  all.insert(all.end(), names.parameters.begin(), names.parameters.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    LUGE_CHECK(ValueError, is_name(all[i]),
               "model: '{}' is no name; names are letters, digits and _, and not pi, and, or, not", all[i]);
    LUGE_CHECK(ValueError,
               std::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]) ==
                   all.begin() + static_cast<std::ptrdiff_t>(i),
               "model: {} is named twice", all[i]);
  }
}

void check_count(const std::vector<std::string>& parameters) {
  LUGE_CHECK(ValueError, !parameters.empty(), "model: there is no parameter to fit");
  LUGE_CHECK(ValueError, parameters.size() <= kMostFitParameters,
             "model: there are {} parameters; at most {} can be fitted", parameters.size(), kMostFitParameters);
}

}  // namespace

Model::Model(const std::string& formula, const ModelNames& names) : Model(std::vector<std::string>{formula}, names) {}

Model::Model(const std::vector<std::string>& formulas, const ModelNames& names) {
  LUGE_CHECK(ValueError, !formulas.empty(), "model: there is no formula");
  check_names(names);
  auto state = std::make_shared<State>();
  state->predictors = names.predictors;
  state->parameters = names.parameters;
  state->formulas = formulas;
  std::vector<std::string> mentioned;
  for (const std::string& formula : formulas)
    for (const std::string& name : names_in(formula))
      if (std::find(mentioned.begin(), mentioned.end(), name) == mentioned.end()) mentioned.push_back(name);
  // Mistakes of writing come before those of names.
  for (const std::string& formula : formulas) {
    Graph scratch(static_cast<int>(names.predictors.size()), static_cast<int>(mentioned.size()));
    const Graph::Scope scope(scratch);
    parse(scratch, formula, names.predictors, mentioned);
  }
  const auto is_mentioned = [&](const std::string& name) {
    return std::find(mentioned.begin(), mentioned.end(), name) != mentioned.end();
  };
  for (const std::string& name : names.predictors)
    LUGE_CHECK(ValueError, is_mentioned(name), "model: the formula does not mention the predictor {}; it reads {}",
               name, fmt::join(mentioned, ", "));
  if (state->parameters.empty())
    for (const std::string& name : mentioned)
      if (std::find(names.predictors.begin(), names.predictors.end(), name) == names.predictors.end())
        state->parameters.push_back(name);
  check_count(state->parameters);
  Graph graph(static_cast<int>(state->predictors.size()), static_cast<int>(state->parameters.size()));
  const Graph::Scope scope(graph);
  std::vector<Term> outputs;
  for (const std::string& formula : formulas)
    outputs.push_back(parse(graph, formula, state->predictors, state->parameters));
  state->take(graph, outputs);
  state_ = std::move(state);
}

Model::Model(const Function& function, const ModelNames& names) {
  const Operation called("model");
  check_names(names);
  check_count(names.parameters);
  auto state = std::make_shared<State>();
  state->predictors = names.predictors;
  state->parameters = names.parameters;
  const int predictors = static_cast<int>(names.predictors.size()),
            parameters = static_cast<int>(names.parameters.size());
  Graph graph(predictors, parameters);
  const Graph::Scope scope(graph);
  const std::vector<Term> outputs = trace(graph, predictors, parameters, function);
  state->take(graph, outputs);
  state_ = std::move(state);
}

const std::vector<std::string>& Model::predictors() const { return state_->predictors; }
const std::vector<std::string>& Model::parameters() const { return state_->parameters; }
const std::vector<std::string>& Model::formulas() const { return state_->formulas; }
int Model::outputs() const { return static_cast<int>(state_->precise->outputs.size()); }

bool Model::has_derivative(std::size_t parameter) const { return state_->differs[parameter] != 0; }

const std::shared_ptr<const FitModel>& Model::compiled(DType dtype) const {
  return dtype == DType::Float32 ? state_->single : state_->precise;
}

// ---- values -------------------------------------------------------------------------------------

namespace {

Tensor computed(const Link& link, const std::array<Tensor, 3>& in) {
  switch (link.op) {
#define LUGE_ROW(function, Formula, dtypes, text, ...) \
  case Op::Formula:                                    \
    return luge::function(in[0] LUGE_PARAMETERS(LUGE_GIVE_FIRST, LUGE_GIVE_SECOND, __VA_ARGS__));
#define LUGE_GIVE_FIRST(name, value) , link.parameters[0]
#define LUGE_GIVE_SECOND(name, value) , link.parameters[1]
    LUGE_UNARY_OPS(LUGE_ROW)
    LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_GIVE_FIRST
#undef LUGE_GIVE_SECOND
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  case Op::Formula: return luge::function(in[0], in[1]);
    LUGE_BINARY_OPS(LUGE_ROW)
    LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  case Op::Formula: return luge::function(in[0], in[1], in[2]);
    LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
    case Op::Clamp: return clamp(in[0], Scalar(link.parameters[0]), Scalar(link.parameters[1]));
    case Op::Where: return where(in[0], in[1], in[2]);
  }
  return {};
}

}  // namespace

Tensor Model::operator()(const std::vector<Tensor>& predictors, const std::vector<Tensor>& parameters,
                         int output) const {
  const FitModel& model = *state_->precise;
  LUGE_CHECK(ValueError,
             predictors.size() == state_->predictors.size() && parameters.size() == state_->parameters.size(),
             "model: {} predictors and {} parameters are given; the model has {} and {}", predictors.size(),
             parameters.size(), state_->predictors.size(), state_->parameters.size());
  LUGE_CHECK(ValueError, output >= 0 && output < outputs(), "model: output is {}; the model has {}", output, outputs());
  std::vector<Tensor> values = predictors;
  values.insert(values.end(), parameters.begin(), parameters.end());
  const Tensor like = values[0];
  const auto read = [&](const ChainInput& in) {
    if (in.kind == ChainInput::Kind::Value) return values[static_cast<std::size_t>(in.value)];
    return full({}, in.number.floating, {.dtype = like.dtype(), .device = like.device()});
  };
  // Links that only derivatives need come after what outputs need, or are not read by them.
  std::vector<char> needed(model.formulas.values.size());
  const ChainInput& result = model.outputs[static_cast<std::size_t>(output)];
  if (result.kind == ChainInput::Kind::Value) needed[static_cast<std::size_t>(result.value)] = 1;
  for (auto link = model.formulas.links.rbegin(); link != model.formulas.links.rend(); ++link)
    for (const ChainInput& in : link->in)
      if (in.kind == ChainInput::Kind::Value && needed[static_cast<std::size_t>(link->out[0])])
        needed[static_cast<std::size_t>(in.value)] = 1;
  values.resize(model.formulas.values.size());
  for (const Link& link : model.formulas.links) {
    if (!needed[static_cast<std::size_t>(link.out[0])]) continue;
    std::array<Tensor, 3> in;
    for (std::size_t i = 0; i < in.size(); ++i)
      if (link.in[i].kind != ChainInput::Kind::Absent) in[i] = read(link.in[i]);
    values[static_cast<std::size_t>(link.out[0])] = computed(link, in);
  }
  return read(result);
}

}  // namespace luge::fit
