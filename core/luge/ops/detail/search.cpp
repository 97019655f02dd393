// Bisection (Knuth, The Art of Computer Programming 3, 6.2.1, algorithm U): all values take the same steps, of halving
// length, so that each step is a few calls over all of them.

#include <luge/ops/detail/search.h>

#include <bit>

#include <luge/autograd/grad_mode.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/edit.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// From so many values on they are looked up part by part.
constexpr std::int64_t kLong = std::int64_t{1} << 16;

struct Scanned {
  Tensor values, places;
};

Scanned scanned(ScanOp op, const Tensor& x) {
  const NoGrad guard;
  const Tensor in = x.contiguous();
  Backend& backend = x.storage()->backend();
  Scanned result{empty_tensor(x.shape(), x.dtype(), backend), {}};
  if (op == ScanOp::Max) result.places = empty_tensor(x.shape(), DType::Int64, backend);
  if (x.numel() == 0) return result;
  Scan call;
  call.op = op;
  call.n = x.shape().back();
  call.outer = x.numel() / call.n;
  call.in = operand(in);
  call.out = operand(result.values);
  if (result.places.defined()) call.indices = operand(result.places);
  backend.run(call);
  return result;
}

}  // namespace

Tensor pick(const Tensor& x, const Tensor& index) {
  const NoGrad guard;
  if (x.ndim() == 1 && index.ndim() != 1) return pick(x, index.reshape({index.numel()})).view(index.shape());
  Tensor out = empty_tensor(index.shape(), x.dtype(), x.storage()->backend());
  if (out.numel() > 0) run_gather(Direction::Forward, x, x.ndim() - 1, index, out);
  return out;
}

Tensor places(std::int64_t n, const Tensor& x) { return arange(n, {.dtype = DType::Int64, .device = x.device()}); }

Tensor bisect(const Tensor& sorted, const Tensor& values, bool right) {
  const NoGrad guard;
  const std::int64_t n = sorted.shape().back();
  Tensor at = zeros(values.shape(), {.dtype = DType::Int64, .device = values.device()});
  if (n == 0 || values.numel() == 0) return at;
  if (sorted.ndim() == 1 && values.ndim() != 1)
    return bisect(sorted, values.reshape({values.numel()}), right).view(values.shape());
  if (sorted.ndim() == 1 && values.numel() > kLong && values.device().is_cpu() && !observer) {
    for_parts(values.numel(), values, [&](std::int64_t begin, std::int64_t end) {
      copy_values(bisect(sorted, values.slice(0, begin, end), right), at.slice(0, begin, end), Store::Overwrite);
    });
    return at;
  }
  const auto stands_before = [&](const Tensor& elements) { return right ? elements.le(values) : elements.lt(values); };

  // All that is known is that the place lies in [at, at + step].
  auto step = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n)));
  if (step < n) at = where(stands_before(sorted.slice(-1, step - 1, step)), n - step, at);
  for (step /= 2; step > 0; step /= 2)
    at = where(stands_before(pick(sorted.slice(-1, step - 1), at)), at + step, at);
  at = where(stands_before(pick(sorted, at)), at + 1, at);
  return is_floating(values.dtype()) ? where(values.isnan(), n, at) : at;
}

Tensor running_sums(const Tensor& x) { return scanned(ScanOp::Sum, x).values; }
Tensor places_of_running_maxima(const Tensor& x) { return scanned(ScanOp::Max, x).places; }

void add_at(const Tensor& sums, const Tensor& index, const Tensor& values) {
  const NoGrad guard;
  if (values.numel() > 0) run_gather(Direction::Backward, sums, sums.ndim() - 1, index, values);
}

}  // namespace luge
