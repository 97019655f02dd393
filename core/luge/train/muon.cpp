#include <luge/train/muon.h>

#include <algorithm>
#include <cmath>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/train/detail/optimizer_state.h>

namespace luge {

namespace {

/// A number, or one for each set, beside matrices.
Tensor beside(const Tensor& value) { return value.ndim() == 0 ? value : value.reshape({-1, 1, 1}); }

/// The nearest orthogonal matrix, roughly, by Newton-Schulz iterations of fifth order.
Tensor orthogonalized(const Tensor& matrix, const MuonOptions& options) {
  const auto [linear, cubic, quintic] = options.ns_coefficients;
  const bool is_tall = matrix.size(-2) > matrix.size(-1);
  Tensor x = matrix.to(DType::BFloat16);
  if (is_tall) x = x.transpose(-2, -1);
  const Tensor norm = (x.to(DType::Float32).pow(2)).sum({-2, -1}, true).sqrt().to(DType::BFloat16);
  x = x / norm.clamp(options.eps, {});
  for (int i = 0; i < options.ns_steps; ++i) {
    const Tensor gram = matmul(x, x.transpose(-2, -1));
    x = x * linear + matmul(gram * cubic + matmul(gram, gram) * quintic, x);
  }
  return is_tall ? x.transpose(-2, -1) : x;
}

double ratio(MuonRate rate, std::int64_t rows, std::int64_t columns) {
  const auto r = static_cast<double>(rows), c = static_cast<double>(columns);
  switch (rate) {
    case MuonRate::Original: return std::sqrt(std::max(1.0, r / c));
    case MuonRate::MatchRmsAdamW: return 0.2 * std::sqrt(std::max(r, c));
    case MuonRate::SpectralUnclamped: return std::sqrt(r / c);
  }
  return 1;
}

void check_options(const MuonOptions& options) {
  LUGE_CHECK(ValueError, options.ns_steps >= 0 && options.ns_steps < 100, "Muon: ns_steps is {}; it must be from 0 to 99",
             options.ns_steps);
  LUGE_CHECK(ValueError, options.eps >= 0 && std::isfinite(options.eps), "Muon: eps is {}; it must be 0 or more and finite", options.eps);
}

void check_matrices(const std::vector<Tensor>& leaves) {
  for (const Tensor& leaf : leaves) {
    if (!leaf.defined()) continue;  // which the optimizer itself refuses
    const std::optional<Parameters> home = Parameters::home_of(leaf);
    LUGE_CHECK(ValueError, leaf.ndim() == (home && home->batched() ? 3 : 2), "Muon: a parameter has shape {}; allowed are {}",
               to_string(leaf.shape()), home && home->batched() ? "matrices (sets, rows, columns)" : "matrices");
  }
}

OptimizerSettings settings(const MuonOptions& options) {
  return {.values = {{"lr", options.lr}, {"weight_decay", options.weight_decay}, {"momentum", options.momentum}},
          .flags = {{"nesterov", options.nesterov}}};
}

std::shared_ptr<const OptimizerKind> kind() {
  const MuonOptions standard;
  return std::make_shared<OptimizerKind>(OptimizerKind{.name = "Muon",
                                                       .values = {{.name = "lr", .standard = standard.lr},
                                                                  {.name = "weight_decay", .standard = standard.weight_decay},
                                                                  {.name = "momentum", .standard = standard.momentum}},
                                                       .flags = {{"nesterov", standard.nesterov}},
                                                       .has_rule = false,
                                                       .states = {"momentum_buffer"}});
}

}  // namespace

void muon_step_(Tensor& p, const Tensor& gradient, Tensor& buffer, const MuonStep& step, const MuonOptions& options) {
  const NoGrad guard;
  const Tensor lr = beside(step.lr), decay = beside(step.weight_decay), momentum = beside(step.momentum);
  // An ordinary arena has one set, and matrices without the axis of it.
  const Shape each = p.ndim() == 2 ? Shape{} : Shape{-1, 1, 1};
  const auto put = [stepped = step.stepped.defined() ? step.stepped.reshape(each).ne(0) : Tensor()](Tensor& to, const Tensor& value) {
    to.copy_(stepped.defined() ? where(stepped, value, to) : value);
  };
  const Tensor average = buffer + (gradient - buffer) * (1 - momentum);
  put(buffer, average);
  const Tensor way = options.nesterov ? gradient + momentum * (average - gradient) : average;
  const Tensor update = orthogonalized(way, options).to(p.dtype());
  put(p, p * (1 - lr * decay) - lr * ratio(options.rate, p.size(-2), p.size(-1)) * update);
}

Muon::Muon(const Parameters& parameters, const MuonOptions& options)
    : Optimizer([&] {
        check_options(options);
        check_matrices(parameters.tensors());
        return std::make_unique<State>(kind(), std::vector<State::Draft>{{parameters, {}, settings(options)}});
      }()),
      options_{options} {}

Muon::Muon(const std::vector<Tensor>& leaves, const MuonOptions& options) : Muon(std::vector<Group>{{leaves, options}}) {}

Muon::Muon(const std::vector<Group>& groups)
    : Optimizer([&] {
        std::vector<State::Draft> drafts;
        for (const Group& group : groups) {
          check_options(group.options);
          check_matrices(group.params);
          drafts.push_back({std::nullopt, group.params, settings(group.options)});
        }
        return std::make_unique<State>(kind(), std::move(drafts));
      }()) {
  for (const Group& group : groups) options_.push_back(group.options);
}

void Muon::add_group(const Group& group) {
  check_options(group.options);
  check_matrices(group.params);
  Optimizer::add_group({group.params, settings(group.options)});
  options_.push_back(group.options);
}

void Muon::step() {
  const NoGrad guard;
  for (std::size_t g = 0; g < groups(); ++g) {
    MuonOptions options = options_[g];
    options.nesterov = flag("nesterov", g);
    const MuonStep step{.lr = value("lr", g), .weight_decay = value("weight_decay", g), .momentum = value("momentum", g),
                        .stepped = stepped_sets(g)};
    std::vector<Tensor> leaves = params(g);
    bool any = false;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (!is_active(g, i)) continue;
      any = true;
      Tensor buffer = state_of(g, i)[0].second;
      muon_step_(leaves[i], leaves[i].grad(), buffer, step, options);
    }
    if (any) Tensor(steps(g)).add_(1);
  }
}

}  // namespace luge
