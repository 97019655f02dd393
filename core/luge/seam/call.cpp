#include <luge/seam/call.h>

#include <algorithm>
#include <cmath>

#include <luge/seam/detail/fit_model.h>

namespace luge {

// ---- effects ------------------------------------------------------------------------------------

Effect window_effect(Operand& operand, const Extent& extent, bool reads, bool writes) {
  std::int64_t low = 0, high = 1, distinct = 1;
  for (int d = 0; d < extent.ndim; ++d) {
    const auto at = static_cast<std::size_t>(d);
    const std::int64_t last = (extent.sizes[at] - 1) * operand.strides[at];
    (last < 0 ? low : high) += last;
    if (operand.strides[at] != 0) distinct *= extent.sizes[at];
  }
  return {&operand.data,
          bytes_of(operand.dtype, low),
          bytes_of(operand.dtype, high),
          bytes_of(operand.dtype, distinct),
          reads,
          writes};
}

void Effects::window(Operand& operand, const Extent& extent, bool reads, bool writes) {
  if (visit_operand_) return (*visit_operand_)(operand, extent, reads, writes);
  if (operand.is_memory()) (*visit_)(window_effect(operand, extent, reads, writes));
}

void Effects::rows(Operand& operand, const Rows& rows, bool reads, bool writes) {
  if (visit_operand_) {
    operand.strides[1] = 1;
    Extent extent;
    return (*visit_operand_)(operand, extent.with(rows.rows).with(rows.columns), reads, writes);
  }
  if (!operand.is_memory()) return;
  const std::int64_t last = (rows.rows - 1) * operand.strides[0];
  (*visit_)({&operand.data, bytes_of(operand.dtype, std::min<std::int64_t>(last, 0)),
          bytes_of(operand.dtype, std::max<std::int64_t>(last, 0) + rows.columns),
          bytes_of(operand.dtype, (operand.strides[0] == 0 ? 1 : rows.rows) * rows.columns), reads, writes});
}

void Effects::block(void** data, std::int64_t bytes, bool reads, bool writes) {
  if (visit_ && *data) (*visit_)({data, 0, bytes, bytes, reads, writes});
}

// ---- elementwise --------------------------------------------------------------------------------

const char* Elementwise::name() const { return luge::name(op); }
double Elementwise::flops() const { return static_cast<double>(extent.count()); }
void Elementwise::effects(Effects& effects) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(inputs); ++i) effects.reads(in[i], extent);
  for (std::size_t i = 0; i < static_cast<std::size_t>(outputs); ++i) effects.stores(out[i], extent, store[i]);
}

const char* Copy::name() const { return in.is_immediate() ? "fill" : "copy"; }
double Copy::flops() const { return 0; }
void Copy::effects(Effects& effects) {
  effects.reads(in, extent);
  effects.stores(out, extent, store);
}

// ---- reductions, products, rows -----------------------------------------------------------------

const char* Reduce::name() const { return luge::name(op); }
double Reduce::flops() const { return static_cast<double>(extent.count()); }
void Reduce::effects(Effects& effects) {
  Extent kept = extent;
  kept.ndim -= reduced;
  effects.reads(in, extent);
  effects.stores(out, kept, store);
}

const char* MatMul::name() const { return "matmul"; }
double MatMul::flops() const {
  return 2.0 * static_cast<double>(batch.count()) * static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(k);
}
void MatMul::effects(Effects& effects) {
  effects.reads(a, batch.with(m).with(k));
  effects.reads(b, batch.with(k).with(n));
  effects.stores(c, batch.with(m).with(n), store);
}

const char* Softmax::name() const { return log ? "log_softmax" : "softmax"; }
/// Exponential, subtraction, sum; and one more pass with a division.
double Softmax::flops() const { return 5.0 * static_cast<double>(rows * columns); }
void Softmax::effects(Effects& effects) {
  const Rows all{rows, columns};
  effects.reads(in, all);
  if (direction == Direction::Backward) effects.reads(y, all);
  effects.stores(out, all, store);
}

const char* CrossEntropy::name() const { return "cross_entropy"; }
double CrossEntropy::flops() const { return 3.0 * static_cast<double>(rows * columns); }
void CrossEntropy::effects(Effects& effects) {
  const Rows all{rows, columns}, one{rows, 1};
  effects.reads(logits, all);
  effects.reads(target, one);
  if (direction == Direction::Forward) {
    effects.writes(lse, one);
    effects.stores(out, one, store);
  } else {
    effects.reads(lse, one);
    effects.reads(dy, one);
    effects.stores(out, all, store);
  }
}

const char* Gather::name() const { return "gather"; }
double Gather::flops() const { return 0; }
void Gather::effects(Effects& effects) {
  Extent whole = extent;
  whole.sizes[static_cast<std::size_t>(dim)] = source_size;
  effects.reads(index, extent);
  if (direction == Direction::Forward) {
    effects.reads(source, whole);
    effects.writes(out, extent);
  } else {
    effects.updates(source, whole);
    effects.reads(out, extent);
  }
}

const char* Sort::name() const { return "sort"; }
/// As many comparisons as it takes to tell the orders of a row apart: log2(columns!) of each, about.
double Sort::flops() const {
  const auto n = static_cast<double>(columns);
  return static_cast<double>(rows) * n * std::log2(n);
}
void Sort::effects(Effects& effects) {
  const Rows some{rows, kept};
  effects.reads(in, Rows{rows, columns});
  effects.writes(values, some);
  effects.writes(indices, some);
}

const char* Scan::name() const { return luge::name(op); }
double Scan::flops() const { return static_cast<double>(count()); }
void Scan::effects(Effects& effects) {
  const Rows all{1, count()};
  effects.reads(in, all);
  effects.writes(out, all);
  effects.writes(indices, all);
}

// ---- values without inputs ----------------------------------------------------------------------

const char* Iota::name() const { return "arange"; }
double Iota::flops() const { return 0; }
void Iota::effects(Effects& effects) { effects.writes(out, Rows{1, n}); }

const char* Random::name() const { return "random"; }
double Random::flops() const { return 0; }
void Random::effects(Effects& effects) {
  effects.reads(state, sizeof(RandomState));
  effects.writes(out, Rows{1, sets * per_set});
}

// ---- training -----------------------------------------------------------------------------------

const char* Update::name() const { return traits(rule).step; }
double Update::flops() const { return traits(rule).flops * static_cast<double>(layout.size); }
void Update::effects(Effects& effects) {
  for (Hyper& setting : hyper) effects.reads(setting, dtype, layout.sets);
  const std::int64_t bytes = bytes_of(dtype, layout.size);
  effects.reads(grad, bytes);
  effects.updates(value, bytes);
  for (void*& block : state) effects.updates(block, bytes);
  effects.updates(steps, sizeof(std::int64_t));
  effects.reads(begun, layout.sets * static_cast<std::int64_t>(sizeof(std::int64_t)));
}
int Update::numbers() const { return traits(rule).numbers + (has_idle() ? 1 : 0); }
math::Number Update::number(int i) const {
  return i < traits(rule).numbers ? traits(rule).number[static_cast<std::size_t>(i)] : math::Number{kActive};
}
bool Update::is_per_set(int i) const {
  const math::Number from = number(i);
  if (begun && from.counts_steps()) return true;
  const auto differs = [&](int h) { return hyper[static_cast<std::size_t>(h)].stride != 0; };
  return (from.reads_hyper() && differs(from.hyper)) || (from.reads_other() && differs(from.other)) ||
         (from.reads_third() && differs(from.third));
}
bool Update::is_block(const void* data) const {
  return data == value || data == grad || std::find(state.begin(), state.end(), data) != state.end();
}

const char* ClipNorm::name() const { return "clip_grad_norm_"; }
double ClipNorm::flops() const { return 3.0 * static_cast<double>(layout.size); }
void ClipNorm::effects(Effects& effects) {
  effects.reads(max_norm, dtype, layout.sets);
  effects.updates(grad, bytes_of(dtype, layout.size));
  effects.writes(norm, bytes_of(dtype, layout.sets));
}

const char* Record::name() const { return "record"; }
double Record::flops() const { return 3.0 * static_cast<double>(n); }
void Record::effects(Effects& effects) {
  effects.reads(losses, Rows{1, n});
  effects.updates(ring, capacity * static_cast<std::int64_t>(sizeof(LossSummary)));
  effects.updates(rows, capacity * kept * static_cast<std::int64_t>(sizeof(double)));
  effects.updates(counter, sizeof(std::int64_t));
}

// ---- any call -----------------------------------------------------------------------------------

void for_each_effect(Call& call, const Effects::Visit& visit) {
  std::visit([&](auto& kind) { for_each_effect(kind, visit); }, call);
}

// ---- fits ---------------------------------------------------------------------------------------

namespace {

void observed(Observations& of, Effects& effects, bool finds) {
  const FitModel& model = *of.model;
  const auto outputs = static_cast<std::int64_t>(model.outputs.size());
  const Extent sets = Extent().with(of.sets), each = sets.with(model.parameters);
  if (model.predictors > 0) effects.reads(of.x, Extent().with(model.predictors).with(of.sets).with(of.points));
  effects.reads(of.y, sets.with(outputs).with(of.points));
  effects.reads(of.weight, sets.with(outputs).with(of.points));
  effects.reads(of.lower, each);
  effects.reads(of.upper, each);
  finds ? effects.updates(of.parameters, each) : effects.reads(of.parameters, each);
}

Extent sums_of(const Observations& of) {
  return Extent().with(kept_sums(of.model->parameters)).with(of.sets);
}

/// Of one evaluation of each model with its derivatives, and their products.
double evaluation(const Observations& of) {
  const FitModel& model = *of.model;
  const double p = model.parameters, outputs = static_cast<double>(model.outputs.size());
  return static_cast<double>(of.sets * of.points) *
         (static_cast<double>(model.formulas.links.size()) + outputs * (p * (p + 3) + 2));
}

}  // namespace

const char* LeastSquares::name() const { return "curve_fit"; }
/// How many evaluations it takes nobody knows: ten.
double LeastSquares::flops() const { return 10 * evaluation(of); }
void LeastSquares::effects(Effects& effects) {
  observed(of, effects, true);
  for (Operand* result : {&cost, &optimality, &steps, &status}) effects.writes(*result, Extent().with(of.sets));
  effects.writes(sums, sums_of(of));
}

const char* Covariance::name() const { return "covariance"; }
double Covariance::flops() const { return evaluation(of); }
void Covariance::effects(Effects& effects) {
  observed(of, effects, false);
  effects.reads(sums, sums_of(of));
  const std::int64_t p = of.model->parameters;
  effects.writes(covariance, Extent().with(of.sets).with(p).with(p));
  for (Operand* result : {&condition, &chi2, &free, &rank}) effects.writes(*result, Extent().with(of.sets));
}

// ---- linear algebra -----------------------------------------------------------------------------

const char* Factorize::name() const {
  switch (kind) {
    case Kind::Cholesky: return b.is_absent() ? "cholesky" : "cholesky_backward";
    case Kind::Lu: return "lu";
    case Kind::RowOrder: return "lu_row_order";
    case Kind::TriangularSolve:
      if (!complete) return "solve_triangular";
      return order.is_memory() ? "lu_solve" : second.is_absent() ? "cholesky_solve" : "cholesky_solve_backward";
    case Kind::Qr: return "qr";
    case Kind::Eigh: return "eigh";
    case Kind::Svd: return "svd";
  }
  return "";
}
/// The leading terms; of what iterates, of a usual number of iterations.
double Factorize::flops() const {
  const auto rows = static_cast<double>(m), columns = static_cast<double>(n);
  const double less = std::min(rows, columns), all = static_cast<double>(batch);
  const double product = less * less * (std::max(rows, columns) - less / 3);
  switch (kind) {
    case Kind::Cholesky: return (b.is_absent() ? 1 : 2) * all * columns * columns * columns / 3;
    case Kind::Lu: return all * product;
    case Kind::RowOrder: return 0;
    case Kind::TriangularSolve:
      return all * columns * columns * static_cast<double>(k) * (!complete ? 1 : second.is_absent() ? 2 : 6);
    case Kind::Qr: return (out.is_absent() ? 2 : 4) * all * product;
    case Kind::Eigh: return (second.is_absent() ? 4.0 / 3 : 9) * all * columns * columns * columns;
    case Kind::Svd: return (second.is_absent() ? 4 : 14) * all * product;
  }
  return 0;
}
void Factorize::effects(Effects& effects) {
  const Extent each = Extent().with(batch);
  const auto matrices = [&](std::int64_t rows, std::int64_t columns) { return each.with(rows).with(columns); };
  const std::int64_t less = std::min(m, n);
  switch (kind) {
    case Kind::Cholesky:
      effects.reads(in, matrices(n, n));
      effects.reads(b, matrices(n, n));
      effects.writes(out, matrices(n, n));
      break;
    case Kind::Lu:
      effects.reads(in, matrices(m, n));
      effects.writes(out, matrices(m, n));
      effects.writes(pivots, each.with(less));
      effects.writes(order, each.with(m));
      break;
    case Kind::RowOrder:
      effects.reads(pivots, each.with(k));
      effects.writes(order, each.with(m));
      break;
    case Kind::TriangularSolve: {
      const Extent sides = right ? matrices(k, n) : matrices(n, k);
      effects.reads(in, matrices(n, n));
      effects.reads(b, sides);
      effects.reads(third, sides);
      effects.reads(order, each.with(n));
      effects.writes(out, sides);
      effects.writes(second, matrices(n, n));
      break;
    }
    case Kind::Qr:
      effects.reads(in, matrices(m, n));
      effects.writes(out, matrices(m, complete ? m : less));
      effects.writes(second, matrices(complete ? m : less, n));
      break;
    case Kind::Eigh:
      effects.reads(in, matrices(n, n));
      effects.writes(out, each.with(n));
      effects.writes(second, matrices(n, n));
      break;
    case Kind::Svd:
      effects.reads(in, matrices(m, n));
      effects.writes(out, each.with(less));
      effects.writes(second, matrices(m, complete ? m : less));
      effects.writes(third, matrices(complete ? n : less, n));
      break;
  }
  effects.writes(info, each);
}

// ---- convolutions -------------------------------------------------------------------------------

const char* Convolution::name() const {
  static constexpr const char* names[3][3] = {{"conv1d", "conv1d_input", "conv1d_weight"},
                                              {"conv2d", "conv2d_input", "conv2d_weight"},
                                              {"conv3d", "conv3d_input", "conv3d_weight"}};
  return names[dims - 1][static_cast<std::size_t>(role)];
}
double Convolution::flops() const {
  return 2.0 * static_cast<double>(sets * batch) * static_cast<double>(w_set()) * static_cast<double>(product(out));
}
void Convolution::effects(Effects& effects) {
  const Extent images = Extent().with(sets).with(batch), each = Extent().with(sets);
  const Extent xs = images.with(x_image()), ys = images.with(y_image()), ws = each.with(w_set());
  x.strides[2] = y.strides[2] = w.strides[1] = bias.strides[1] = 1;
  switch (role) {
    case Role::Output:
      effects.reads(x, xs);
      effects.reads(w, ws);
      effects.reads(bias, each.with(groups * out_channels));
      effects.stores(y, ys, store);
      break;
    case Role::Input:
      effects.reads(y, ys);
      effects.reads(w, ws);
      effects.reads(bias, each.with(groups * in_channels));
      effects.stores(x, xs, store);
      break;
    case Role::Weight:
      effects.reads(y, ys);
      effects.reads(x, xs);
      effects.stores(w, ws, store);
      break;
  }
}

// ---- normalization ------------------------------------------------------------------------------

const char* Normalization::name() const {
  const bool back = direction == Direction::Backward;
  if (over_batch) return back ? "batch_norm_backward" : "batch_norm";
  if (!centred) return back ? "rms_norm_backward" : "rms_norm";
  if (groups == 1 && inner == 1) return back ? "layer_norm_backward" : "layer_norm";
  if (channels == 1) return back ? "instance_norm_backward" : "instance_norm";
  return back ? "group_norm_backward" : "group_norm";
}
/// Sum, difference, square, sum, and one more pass with a product and a sum for the weights; about twice that back.
double Normalization::flops() const {
  return (direction == Direction::Forward ? 8.0 : 14.0) * static_cast<double>(sets * set_size());
}
void Normalization::effects(Effects& effects) {
  const Extent each = Extent().with(sets);
  const Extent values = each.with(set_size()), numbers = each.with(rows()), learned = each.with(weights());
  for (Operand* const operand : {&x, &weight, &bias, &y, &mean, &rstd, &variance, &dy, &dx, &dweight, &dbias})
    operand->strides[1] = 1;
  effects.reads(x, values);
  effects.reads(weight, learned);
  if (direction == Direction::Forward) {
    effects.reads(bias, learned);
    effects.writes(y, values);
    for (Operand* const number : {&mean, &rstd, &variance}) effects.writes(*number, numbers);
  } else {
    effects.reads(dy, values);
    effects.reads(mean, numbers);
    effects.reads(rstd, numbers);
    effects.stores(dx, values, store);
    effects.stores(dweight, learned, weight_store);
    effects.stores(dbias, learned, bias_store);
  }
}

const char* name_of(const Call& call) {
  return std::visit([](const auto& kind) { return kind.name(); }, call);
}

Cost cost_of(const Call& call) {
  Cost cost{.bytes = 0, .flops = std::visit([](const auto& kind) { return kind.flops(); }, call)};
  for_each_effect(call, [&](const Effect& effect) {
    cost.bytes += static_cast<double>(effect.bytes) * ((effect.reads ? 1 : 0) + (effect.writes ? 1 : 0));
  });
  return cost;
}

}  // namespace luge
