// Memory's ceilings as luge reaches them, every elementwise row, reductions and rows' functions.

#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <luge/ops/create.h>
#include <luge/ops/loss.h>
#include <luge/ops/softmax.h>

#include "../micro/elementwise_rows.h"
#include "../micro/inputs.h"
#include "driver_copy.h"
#include "session.h"

namespace luge::bench {
namespace {

/// 256 MB of float32, several times the second-level caches of today's GPUs.
constexpr std::int64_t kLarge = std::int64_t{1} << 26, kSmall = 4096;
constexpr std::int64_t kSide = 8192, kSmallSide = 64;
/// As many elements or rows of a result are held against float64: what is left out was computed the same way.
constexpr std::int64_t kChecked = std::int64_t{1} << 20, kCheckedRows = 64;

Tensor head(const Tensor& tensor, std::int64_t count) {
  return tensor.detach().slice(0, 0, std::min(count, tensor.size(0))).contiguous();
}

/// The first elements on the host; floating-point numbers in float64.
std::vector<Tensor> exact_heads(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> heads;
  for (const Tensor& input : inputs) {
    const Tensor part = head(input, kChecked).to(Device::cpu());
    heads.push_back(is_floating(part.dtype()) ? part.to(float64) : part);
  }
  return heads;
}

Work forward(const Session& session, const ElementwiseRow& row, std::int64_t n) {
  const std::vector<Tensor> inputs = draw(row, n, session.device());
  return {.step = [=] { row.apply(inputs); },
          .error = [=] { return relative_error(head(row.apply(inputs), kChecked), row.apply(exact_heads(inputs))); }};
}

void require_gradients(std::vector<Tensor>& inputs) {
  for (Tensor& input : inputs)
    if (input.dtype() != boolean) input.requires_grad_();
}

Work backward(const Session& session, const ElementwiseRow& row, std::int64_t n) {
  std::vector<Tensor> inputs = draw(row, n, session.device());
  require_gradients(inputs);
  const Tensor result = row.apply(inputs), gradient = uniform({n}, -1, 1, session.device());
  auto step = [=]() mutable {
    for (Tensor& input : inputs)
      if (input.requires_grad()) input.zero_grad();
    result.backward(gradient, true);
  };
  return {.step = step, .error = [=]() mutable {
            step();
            std::vector<Tensor> references = exact_heads(inputs);
            require_gradients(references);
            row.apply(references).backward(exact(head(gradient, kChecked)));
            double worst = 0;
            for (std::size_t i = 0; i < inputs.size(); ++i)
              if (inputs[i].requires_grad())
                worst = std::max(worst, relative_error(head(inputs[i].grad(), kChecked), references[i].grad()));
            return worst;
          }};
}

using Function = std::function<Tensor(const Tensor& x, const Tensor& labels)>;

struct RowFunction {
  const char* name;
  Function apply;                        ///< as users call it
  Function by_row;                       ///< without a mean over the rows: rows alone are as rows among others
  int forward_passes, backward_passes;   ///< over the matrix, reading or writing
};

Work row_forward(const RowFunction& function, const Tensor& x, const Tensor& labels) {
  return {.step = [=] { function.apply(x, labels); },
          .error = [=] {
            return relative_error(head(function.by_row(x, labels), kCheckedRows),
                                  function.by_row(exact(head(x, kCheckedRows)), head(labels, kCheckedRows).to(Device::cpu())));
          }};
}

Work row_backward(const RowFunction& function, Tensor x, const Tensor& labels) {
  x.requires_grad_();
  const Tensor result = function.apply(x, labels), gradient = uniform(result.shape(), -1, 1, x.device());
  auto step = [=]() mutable {
    x.zero_grad();
    result.backward(gradient, true);
  };
  return {.step = step, .error = [=]() mutable {
            step();
            Tensor reference = exact(head(x, kCheckedRows));
            reference.requires_grad_();
            const Tensor rows = function.by_row(reference, head(labels, kCheckedRows).to(Device::cpu()));
            // Of a mean over all rows every row has an equal part.
            const Tensor part = result.numel() == 1 ? full(rows.shape(), gradient.item() / static_cast<double>(x.size(0)), {.dtype = float64})
                                                    : exact(head(gradient, kCheckedRows));
            rows.backward(part);
            return relative_error(head(x.grad(), kCheckedRows), reference.grad());
          }};
}

}  // namespace

void measure_ceilings(const Session& session) {
  const std::int64_t n = session.size(4 * kLarge, kSmall);
  const double bytes = 4.0 * static_cast<double>(n);
  const Tensor from = uniform({n}, -1, 1, session.device());
  Tensor to = zeros({n}, {.device = session.device()});
  session.measure({.name = "ceiling/copy", .bytes = 2 * bytes}, [&] { return Work{.step = [&] { to.copy_(from); }}; });
  if (session.device().is_cuda()) {
    constexpr int kCopies = 8;  // each waits for the driver's stream, which the session does not know
    session.measure({.name = "ceiling/memcpy", .bytes = 2 * bytes}, [&] {
      const auto copy = driver_copy();
      return Work{.step = [&, copy] { copy(to.data(), from.data(), 4 * static_cast<std::size_t>(n), kCopies); }, .steps = kCopies};
    });
  }
  session.measure({.name = "ceiling/read", .bytes = bytes}, [&] { return Work{.step = [&] { from.max(); }}; });
}

void measure_elementwise(const Session& session) {
  const std::int64_t n = session.size(kLarge, kSmall);
  const auto count = static_cast<double>(n);
  for (const ElementwiseRow& row : elementwise_rows()) {
    const std::string name = fmt::format("elementwise/{}", luge::name(row.op));
    session.measure({.name = name + "/forward", .bytes = count * forward_bytes(row)}, [&] { return forward(session, row, n); });
    if (row.differentiable)
      session.measure({.name = name + "/backward", .bytes = count * backward_bytes(row)}, [&] { return backward(session, row, n); });
  }
}

void measure_reductions(const Session& session) {
  const std::int64_t side = session.size(kSide, kSmallSide);
  const Tensor x = uniform({side, side}, 0.5, 1.5, session.device());
  const auto add = [&](const std::string& name, const std::function<Tensor(const Tensor&)>& reduce) {
    session.measure({.name = "reduction/" + name, .bytes = 4.0 * static_cast<double>(side * side)}, [&] {
      return Work{.step = [&] { reduce(x); }, .error = [&] { return relative_error(reduce(x), reduce(exact(x))); }};
    });
  };
#define LUGE_BENCH(method)                                          \
  add(#method "/all", [](const Tensor& t) { return t.method(); });  \
  add(#method "/rows", [](const Tensor& t) { return t.method(1); }); \
  add(#method "/columns", [](const Tensor& t) { return t.method(0); });
  LUGE_BENCH(sum)
  LUGE_BENCH(mean)
  LUGE_BENCH(max)
#undef LUGE_BENCH
}

void measure_rows(const Session& session) {
  const std::int64_t side = session.size(kSide, kSmallSide);
  const double pass = 4.0 * static_cast<double>(side * side);
  const Function softmax_rows = [](const Tensor& x, const Tensor&) { return softmax(x, -1); };
  const Function log_softmax_rows = [](const Tensor& x, const Tensor&) { return log_softmax(x, -1); };
  const RowFunction functions[] = {
      {"softmax", softmax_rows, softmax_rows, 2, 3},
      {"log_softmax", log_softmax_rows, log_softmax_rows, 2, 3},
      {"cross_entropy", [](const Tensor& x, const Tensor& labels) { return cross_entropy(x, labels); },
       [](const Tensor& x, const Tensor& labels) { return cross_entropy(x, labels, Reduction::None); }, 1, 2},
  };
  for (const RowFunction& function : functions) {
    const Tensor x = uniform({side, side}, -4, 4, session.device());
    const Tensor labels = randint(0, side, {side}, {.dtype = int64, .device = session.device()});
    session.measure({.name = fmt::format("{}/forward", function.name), .bytes = function.forward_passes * pass},
                    [&] { return row_forward(function, x, labels); });
    session.measure({.name = fmt::format("{}/backward", function.name), .bytes = function.backward_passes * pass},
                    [&] { return row_backward(function, x, labels); });
  }
}

}  // namespace luge::bench
