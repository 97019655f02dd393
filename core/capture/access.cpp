#include <luge/capture/access.h>

#include <algorithm>

#include <luge/op.h>

namespace luge {

namespace {

std::int64_t bytes_of(DType dtype, std::int64_t count) { return count * static_cast<std::int64_t>(size_of(dtype)); }

/// Memory that a struct knows by its pointer only.
template <class T>
Access raw(T*& data, std::int64_t bytes, bool reads, bool writes) {
  return {const_cast<void**>(reinterpret_cast<const void* const*>(&data)), 0, bytes, reads, writes};
}

/// `rows` runs of `columns` contiguous elements, strides[0] apart.
Access rows_access(Operand& operand, std::int64_t rows, std::int64_t columns, bool reads, bool writes) {
  const std::int64_t last = (rows - 1) * operand.strides[0];
  return {&operand.data, bytes_of(operand.dtype, std::min<std::int64_t>(last, 0)),
          bytes_of(operand.dtype, std::max<std::int64_t>(last, 0) + columns), reads, writes};
}

using Visit = std::function<void(const Access&)>;

void visit_window(Operand& operand, const Extent& extent, bool reads, bool writes, const Visit& visit) {
  if (operand.is_memory()) visit(window_access(operand, extent, reads, writes));
}

void visit_rows(Operand& operand, std::int64_t rows, std::int64_t columns, bool reads, bool writes, const Visit& visit) {
  if (operand.is_memory()) visit(rows_access(operand, rows, columns, reads, writes));
}

void visit_hyper(Hyper& hyper, DType dtype, std::int64_t sets, const Visit& visit) {
  if (hyper.data) visit(raw(hyper.data, bytes_of(dtype, hyper.stride == 0 ? 1 : sets), true, false));
}

bool adds(Store store) { return store == Store::Accumulate; }

void each(Elementwise& call, const Visit& visit) {
  for (int i = 0; i < call.inputs; ++i) visit_window(call.in[static_cast<std::size_t>(i)], call.extent, true, false, visit);
  for (int i = 0; i < call.outputs; ++i) {
    const auto at = static_cast<std::size_t>(i);
    visit_window(call.out[at], call.extent, adds(call.store[at]), true, visit);
  }
}

void each(Copy& call, const Visit& visit) {
  visit_window(call.in, call.extent, true, false, visit);
  visit_window(call.out, call.extent, adds(call.store), true, visit);
}

void each(Reduce& call, const Visit& visit) {
  visit_window(call.in, call.extent, true, false, visit);
  Extent kept = call.extent;
  kept.ndim -= call.reduced;
  visit_window(call.out, kept, adds(call.store), true, visit);
}

void each(MatMul& call, const Visit& visit) {
  const auto matrix = [&](Operand& operand, std::int64_t rows, std::int64_t columns, bool reads, bool writes) {
    Extent extent = call.batch;
    extent.sizes[static_cast<std::size_t>(extent.ndim++)] = rows;
    extent.sizes[static_cast<std::size_t>(extent.ndim++)] = columns;
    visit_window(operand, extent, reads, writes, visit);
  };
  matrix(call.a, call.m, call.k, true, false);
  matrix(call.b, call.k, call.n, true, false);
  matrix(call.c, call.m, call.n, adds(call.store), true);
}

void each(Softmax& call, const Visit& visit) {
  visit_rows(call.in, call.rows, call.columns, true, false, visit);
  if (call.direction == Direction::Backward) visit_rows(call.y, call.rows, call.columns, true, false, visit);
  visit_rows(call.out, call.rows, call.columns, adds(call.store), true, visit);
}

void each(CrossEntropy& call, const Visit& visit) {
  const bool forward = call.direction == Direction::Forward;
  visit_rows(call.logits, call.rows, call.columns, true, false, visit);
  visit_rows(call.target, call.rows, 1, true, false, visit);
  visit_rows(call.lse, call.rows, 1, !forward, forward, visit);
  if (!forward) visit_rows(call.dy, call.rows, 1, true, false, visit);
  visit_rows(call.out, call.rows, forward ? 1 : call.columns, adds(call.store), true, visit);
}

void each(Gather& call, const Visit& visit) {
  const bool forward = call.direction == Direction::Forward;
  Extent source = call.extent;
  source.sizes[static_cast<std::size_t>(call.dim)] = call.source_size;
  visit_window(call.index, call.extent, true, false, visit);
  visit_window(call.source, source, true, !forward, visit);
  visit_window(call.out, call.extent, !forward, forward, visit);
}

void each(Iota& call, const Visit& visit) { visit_rows(call.out, 1, call.n, false, true, visit); }

void each(Random& call, const Visit& visit) {
  if (call.state) visit(raw(call.state, sizeof(RandomState), true, false));
  visit_rows(call.out, 1, call.sets * call.per_set, false, true, visit);
}

void each(Update& call, const Visit& visit) {
  for (Hyper* const hyper : {&call.lr, &call.momentum, &call.dampening, &call.weight_decay, &call.beta1, &call.beta2,
                             &call.epsilon})
    visit_hyper(*hyper, call.dtype, call.layout.sets, visit);
  const std::int64_t bytes = bytes_of(call.dtype, call.layout.size);
  visit(raw(call.grad, bytes, true, false));
  visit(raw(call.value, bytes, true, true));
  if (call.first) visit(raw(call.first, bytes, true, true));
  if (call.second) visit(raw(call.second, bytes, true, true));
  visit(raw(call.steps, sizeof(std::int64_t), true, true));
}

void each(ClipNorm& call, const Visit& visit) {
  visit_hyper(call.max_norm, call.dtype, call.layout.sets, visit);
  visit(raw(call.grad, bytes_of(call.dtype, call.layout.size), true, true));
  visit(raw(call.norm, bytes_of(call.dtype, call.layout.sets), false, true));
}

void each(Record& call, const Visit& visit) {
  visit_rows(call.losses, 1, call.n, true, false, visit);
  visit(raw(call.ring, call.capacity * static_cast<std::int64_t>(sizeof(LossSummary)), true, true));
  if (call.rows) visit(raw(call.rows, call.capacity * call.kept * static_cast<std::int64_t>(sizeof(double)), true, true));
  visit(raw(call.counter, sizeof(std::int64_t), true, true));
}

/// Distinct elements of a window, in bytes.
double distinct_bytes(const Operand& operand, const Extent& extent) {
  if (!operand.is_memory()) return 0;
  double count = 1;
  for (int d = 0; d < extent.ndim; ++d)
    if (operand.strides[static_cast<std::size_t>(d)] != 0)
      count *= static_cast<double>(extent.sizes[static_cast<std::size_t>(d)]);
  return count * static_cast<double>(size_of(operand.dtype));
}

double flops(const Elementwise& call) { return static_cast<double>(call.extent.count()); }
double flops(const Reduce& call) { return static_cast<double>(call.extent.count()); }
double flops(const MatMul& call) {
  return 2.0 * static_cast<double>(call.batch.count()) * static_cast<double>(call.m) * static_cast<double>(call.n) *
         static_cast<double>(call.k);
}
/// Exponential, subtraction, sum; and one more pass with a division.
double flops(const Softmax& call) { return 5.0 * static_cast<double>(call.rows * call.columns); }
double flops(const CrossEntropy& call) { return 3.0 * static_cast<double>(call.rows * call.columns); }
double flops(const Update& call) {
  return (call.rule == UpdateRule::Sgd ? (call.first ? 6.0 : 4.0) : 15.0) * static_cast<double>(call.layout.size);
}
double flops(const ClipNorm& call) { return 3.0 * static_cast<double>(call.layout.size); }
double flops(const Record& call) { return 3.0 * static_cast<double>(call.n); }
double flops(const auto&) { return 0; }

/// What windows do not tell: of broadcast operands only the distinct elements move.
double window_bytes(Call& call) {
  double bytes = 0;
  for_each_access(call, [&](const Access& access) {
    bytes += static_cast<double>(access.high - access.low) * ((access.reads ? 1 : 0) + (access.writes ? 1 : 0));
  });
  return bytes;
}

double bytes_of_elementwise(const Elementwise& call) {
  double bytes = 0;
  for (int i = 0; i < call.inputs; ++i) bytes += distinct_bytes(call.in[static_cast<std::size_t>(i)], call.extent);
  for (int i = 0; i < call.outputs; ++i) {
    const auto at = static_cast<std::size_t>(i);
    bytes += distinct_bytes(call.out[at], call.extent) * (adds(call.store[at]) ? 2 : 1);
  }
  return bytes;
}

}  // namespace

Access window_access(Operand& operand, const Extent& extent, bool reads, bool writes) {
  std::int64_t low = 0, high = 1;
  for (int d = 0; d < extent.ndim; ++d) {
    const auto at = static_cast<std::size_t>(d);
    const std::int64_t last = (extent.sizes[at] - 1) * operand.strides[at];
    (last < 0 ? low : high) += last;
  }
  return {&operand.data, bytes_of(operand.dtype, low), bytes_of(operand.dtype, high), reads, writes};
}

void for_each_access(Call& call, const Visit& visit) {
  std::visit([&](auto& kind) { each(kind, visit); }, call);
}

void for_each_access(Reduce& call, const Visit& visit) { each(call, visit); }
void for_each_access(Update& call, const Visit& visit) { each(call, visit); }
void for_each_access(Record& call, const Visit& visit) { each(call, visit); }

Cost cost_of(const Call& call) {
  Call copy = call;
  const auto* const elementwise = std::get_if<Elementwise>(&call);
  return {.bytes = elementwise ? bytes_of_elementwise(*elementwise) : window_bytes(copy),
          .flops = std::visit([](const auto& kind) { return flops(kind); }, call)};
}

const char* name_of(const Call& call) {
  struct Names {
    const char* operator()(const Elementwise& c) const {
      return name(c.op);
    }
    const char* operator()(const Copy& c) const { return c.in.is_immediate() ? "fill" : "copy"; }
    const char* operator()(const Reduce& c) const {
      constexpr const char* names[] = {"sum", "mean", "prod", "min", "max", "argmin", "argmax", "logsumexp"};
      return names[static_cast<int>(c.op)];
    }
    const char* operator()(const MatMul&) const { return "matmul"; }
    const char* operator()(const Softmax& c) const { return c.log ? "log_softmax" : "softmax"; }
    const char* operator()(const CrossEntropy&) const { return "cross_entropy"; }
    const char* operator()(const Gather&) const { return "gather"; }
    const char* operator()(const Iota&) const { return "arange"; }
    const char* operator()(const Random&) const { return "random"; }
    const char* operator()(const Update& c) const {
      constexpr const char* names[] = {"sgd step", "adam step", "adamw step"};
      return names[static_cast<int>(c.rule)];
    }
    const char* operator()(const ClipNorm&) const { return "clip_grad_norm_"; }
    const char* operator()(const Record&) const { return "record"; }
  };
  return std::visit(Names(), call);
}

}  // namespace luge
