#include "machine.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <luge/ops/detail/random_state.h>

#include "operations.h"

namespace luge::test {

namespace {

Seen seen(std::string name, const Tensor& tensor) {
  if (!tensor.defined()) return {.name = std::move(name), .defined = false};
  const NoGrad guard;
  const Tensor host = tensor.detach().contiguous().to(Device::cpu());
  Seen one{.name = std::move(name), .dtype = host.dtype(), .shape = host.shape()};
  one.bytes.resize(static_cast<std::size_t>(host.numel()) * size_of(host.dtype()));
  if (!one.bytes.empty()) std::memcpy(one.bytes.data(), host.data(), one.bytes.size());
  return one;
}

Seen seen(std::string name, const std::vector<double>& values) {
  Seen one{.name = std::move(name), .dtype = float64, .shape = {static_cast<std::int64_t>(values.size())}};
  one.bytes.resize(values.size() * sizeof(double));
  if (!one.bytes.empty()) std::memcpy(one.bytes.data(), values.data(), one.bytes.size());
  return one;
}

template <class T>
T value_at(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
std::string number(const std::byte* bytes) {
  return fmt::format("{}", value_at<T>(bytes));
}

std::string element(const Seen& one, std::size_t i) {
  const std::byte* const bytes = one.bytes.data() + i * size_of(one.dtype);
  std::string text;
  switch (one.dtype) {
    case DType::Float32: text = number<float>(bytes); break;
    case DType::Float64: text = number<double>(bytes); break;
    case DType::Int64: text = number<std::int64_t>(bytes); break;
    case DType::Int32: text = number<std::int32_t>(bytes); break;
    default: text = number<std::uint8_t>(bytes);
  }
  text += " (0x";
  for (std::size_t b = size_of(one.dtype); b-- > 0;) text += fmt::format("{:02x}", static_cast<unsigned>(bytes[b]));
  return text + ")";
}

bool is_nan(const Seen& one, std::size_t i) {
  const std::byte* const bytes = one.bytes.data() + i * size_of(one.dtype);
  if (one.dtype == float32) return std::isnan(value_at<float>(bytes));
  return one.dtype == float64 && std::isnan(value_at<double>(bytes));
}

/// Every NaN is the same: IEEE 754 leaves its sign and payload open, and which operand's a processor hands on depends
/// on the order in which a compiler puts the operands of a + b.
bool are_same(const Seen& a, const Seen& b, std::size_t i) {
  const std::size_t width = size_of(a.dtype);
  return std::memcmp(a.bytes.data() + i * width, b.bytes.data() + i * width, width) == 0 ||
         (is_nan(a, i) && is_nan(b, i));
}

std::string kind(const Seen& one) {
  return one.defined ? fmt::format("{} {}", luge::name(one.dtype), luge::to_string(one.shape)) : "undefined";
}

}  // namespace

std::optional<std::string> difference(const State& actual, const State& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Seen &is = actual[i], &should = expected[i];
    if (is.defined != should.defined || is.dtype != should.dtype || !(is.shape == should.shape))
      return fmt::format("{} is {}; expected {}", should.name, kind(is), kind(should));
    if (is.bytes == should.bytes) continue;
    const std::size_t count = is.bytes.size() / size_of(is.dtype);
    std::size_t first = 0;
    while (first < count && are_same(is, should, first)) ++first;
    if (first == count) continue;
    return fmt::format("{}, {}, differs at element {}: {}; expected {}", should.name, kind(should), first,
                       element(is, first), element(should, first));
  }
  return {};
}

Machine::Machine(const Program& program, Device device, std::string fault)
    : program_(program),
      device_(device),
      fault_(std::move(fault)),
      monitor_({.keep_sets = program.kept_losses, .capacity = program.capacity, .progress = false}) {
  if (program.owner == Owner::Arena || program.owner == Owner::Sets) {
    ParametersOptions options{.device = device, .dtype = program.dtype, .seed = program.seed};
    if (program.owner == Owner::Sets) options.sets = program.sizes.r;
    params_ = std::make_unique<Parameters>(options);
  }
  std::vector<Tensor> leaves;
  for (const Declared& declared : program.tensors) {
    Tensor tensor = made(declared);
    if (declared.trains) leaves.push_back(tensor);
    variables_.emplace(declared.id, std::move(tensor));
  }
  if (program.owner != Owner::Nobody && !leaves.empty()) make_optimizer(leaves);
  manual_seed(program.seed);
}

Tensor Machine::made(const Declared& declared) const {
  Shape shape;
  for (const Size size : declared.shape) shape.push_back(program_.sizes.of(size));
  if (declared.trains && params_) {
    if (params_->batched()) shape.erase(0);
    return params_->add(fmt::format("t{}", declared.id), shape, init::uniform(-1.5, 1.5));
  }
  manual_seed(program_.seed * 64 + static_cast<std::uint64_t>(declared.id));  // the same, whichever others there are
  const DType dtype = declared.trains ? program_.dtype : declared.dtype;
  Tensor tensor;
  switch (declared.fill) {
    case Fill::Nothing: return {};
    case Fill::Index: tensor = randint(0, std::max<std::int64_t>(program_.sizes.of(declared.limit), 1), shape); break;
    case Fill::Ties: tensor = randint(-2, 3, shape).to(dtype); break;
    case Fill::Special: {
      constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
      const Tensor values = from_host(std::vector<double>{0., -0., kInf, -kInf, kNan, 1., -1.5, 2.}, {8});
      tensor = values.index_select(0, randint(0, 8, {element_count(shape)})).reshape(shape).to(dtype);
      break;
    }
    case Fill::Normal: tensor = randn(shape).to(dtype); break;
  }
  tensor = tensor.to(device_);
  if (declared.trains) tensor.requires_grad_();
  return tensor;
}

void Machine::make_optimizer(const std::vector<Tensor>& leaves) {
  const bool per_set = program_.lr_per_set && program_.owner == Owner::Sets;
  const PerSet lr = per_set ? PerSet(linspace(0.01, 0.2, program_.sizes.r, {.device = device_})) : PerSet(0.05);
  const auto make = [&]<class Made, class Options>(Options options) {
    options.lr = lr;
    if (params_)
      optimizer_ = std::make_unique<Made>(*params_, options);
    else
      optimizer_ = std::make_unique<Made>(leaves, options);
  };
  switch (program_.rule) {
    case Rule::Sgd: make.template operator()<Sgd>(SgdOptions{}); break;
    case Rule::Momentum: make.template operator()<Sgd>(SgdOptions{.momentum = 0.5, .weight_decay = 0.01}); break;
    case Rule::Nesterov: make.template operator()<Sgd>(SgdOptions{.momentum = 0.9, .nesterov = true}); break;
    case Rule::Adam: make.template operator()<Adam>(AdamOptions{.weight_decay = 0.01}); break;
    case Rule::AdamW: make.template operator()<AdamW>(AdamWOptions{}); break;
    case Rule::RmsProp: make.template operator()<RmsProp>(RmsPropOptions{.momentum = 0.5, .centered = true}); break;
    case Rule::Adagrad: make.template operator()<Adagrad>(AdagradOptions{.lr_decay = 0.1}); break;
  }
  switch (program_.decay) {
    case Decay::None: break;
    case Decay::Step:
      schedule_ = std::make_unique<StepLr>(*optimizer_, StepLrOptions{.step_size = 2, .gamma = 0.7});
      break;
    case Decay::Exponential:
      schedule_ = std::make_unique<ExponentialLr>(*optimizer_, ExponentialLrOptions{.gamma = 0.9});
      break;
    case Decay::Linear: schedule_ = std::make_unique<LinearLr>(*optimizer_, LinearLrOptions{.total_iters = 4}); break;
    case Decay::Cosine:
      schedule_ = std::make_unique<CosineAnnealingLr>(*optimizer_, CosineAnnealingLrOptions{.t_max = 6});
      break;
  }
}

void Machine::run(const Statement& statement) {
  std::optional<NoGrad> guard;
  if (statement.no_grad) guard.emplace();
  const Operation& op = operation(statement);
  Tensor result = op.run(*this, statement);
  if (!result.defined()) return;
  if (!fault_.empty() && op.name == fault_) result = result + 1;
  variables_[statement.out] = std::move(result);
}

void Machine::run(const std::vector<Statement>& statements) {
  for (const Statement& statement : statements) run(statement);
}

std::vector<Tensor> Machine::step() {
  struct Ending {
    ~Ending() { machine.end_step(); }
    Machine& machine;
  } ending{*this};
  run(program_.body);
  std::vector<Tensor> results;
  for (const int id : program_.results) results.push_back(at(id));
  return results;
}

void Machine::end_step() {
  std::erase_if(variables_, [&](const auto& variable) { return !program_.declared(variable.first); });
  // What a step leaves in a tensor has no graph that the next one would go through again.
  for (auto& [id, tensor] : variables_)
    if (tensor.defined() && !tensor.is_leaf()) tensor = tensor.detach();
}

void Machine::zero_grad() {
  if (optimizer_) optimizer_->zero_grad();
  for (auto& [id, tensor] : variables_)
    if (tensor.defined() && tensor.is_leaf() && tensor.requires_grad()) tensor.zero_grad();
}

Tensor& Machine::at(int id) {
  if (!has(id)) throw ValueError(fmt::format("Machine: variable {} holds no tensor", id));
  return variables_.at(id);
}

void Machine::replace(int id, const Tensor& tensor) {
  for (const auto& [other, variable] : variables_)
    if (program_.declared(other) && variable.defined() && variable.storage() == tensor.storage())
      throw ValueError("Machine: the variable would be another name of a declared tensor");
  variables_.at(id) = tensor;
}

bool Machine::has(int id) const {
  const auto found = variables_.find(id);
  return found != variables_.end() && found->second.defined();
}

Optimizer& Machine::optimizer() {
  if (!optimizer_) throw ValueError("Machine: there is no optimizer");
  return *optimizer_;
}

LrScheduler& Machine::schedule() {
  if (!schedule_) throw ValueError("Machine: there is no schedule");
  return *schedule_;
}

State Machine::state(const std::vector<Tensor>& results) {
  // A tensor made within a step is a new one at every eager step, and the same one at every replay.
  const bool replaces = program_.has(kReplace);
  State all;
  for (std::size_t i = 0; i < results.size(); ++i) all.push_back(seen(fmt::format("result {}", i), results[i]));
  for (const auto& [id, tensor] : variables_) {
    const std::string name = fmt::format("t{}", id);
    all.push_back(seen(name, tensor));
    if (!tensor.defined()) continue;
    if (program_.keep_gradients && program_.declared(id)->trains) all.push_back(seen(name + ".grad()", tensor.grad()));
    if (!replaces) all.push_back(seen(name + ".version()", std::vector<double>{static_cast<double>(tensor.version())}));
  }
  if (optimizer_) {
    all.push_back(seen("optimizer.lr()", optimizer_->lr()));
    all.push_back(seen("optimizer.steps_taken()", std::vector<double>{static_cast<double>(optimizer_->steps_taken())}));
  }
  if (schedule_) {
    all.push_back(seen("schedule.last_lr()", schedule_->last_lr()));
    all.push_back(seen("schedule.steps_taken()", std::vector<double>{static_cast<double>(schedule_->steps_taken())}));
  }
  std::vector<double> history{static_cast<double>(monitor_.recorded())};
  for (const HistoryRow& row : monitor_.history()) {
    for (const double value :
         {static_cast<double>(row.step), row.mean, row.min, row.max, static_cast<double>(row.not_finite)})
      history.push_back(value);
    history.insert(history.end(), row.sets.begin(), row.sets.end());
  }
  all.push_back(seen("monitor.history()", history));
  all.push_back(seen("the random stream",
                     std::vector<double>{static_cast<double>(next_stream(0)), static_cast<double>(global_seed())}));
  return all;
}

}  // namespace luge::test
