// Where a tensor is not 0. How many places there are is read on the host: memory for them has to be found.

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/edit.h>
#include <luge/ops/detail/places.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/indexing.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// On the CPU one pass counts and one writes, both without branches.
Tensor places_on_host(const Tensor& mask) {
  const Tensor packed = mask.contiguous();
  const auto* const is_set = static_cast<const bool*>(packed.data());
  const std::int64_t count = packed.numel(), found = std::count(is_set, is_set + count, true);
  Tensor result = empty_tensor({found}, DType::Int64, mask.storage()->backend());
  auto* const to = static_cast<std::int64_t*>(result.data());
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < count && next < found; ++i) {
    to[next] = i;
    next += is_set[i] ? 1 : 0;
  }
  return result;
}

/// Each element has a place of its own: those for which the mask is true come first.
Tensor places_on_device(const Tensor& mask) {
  const std::int64_t size = mask.numel();
  const Tensor count = running_count(mask), all = arange(size, {.dtype = DType::Int64, .device = mask.device()});
  const auto found = count.select(0, size - 1).item<std::int64_t>();
  const Tensor to = where(mask.reshape({size}), count - 1, all - count + found);
  const Tensor result = empty_tensor({size}, DType::Int64, mask.storage()->backend());
  run_gather(Direction::Backward, result, 0, to, all, std::nullopt, Repeats::No);
  return result.slice(0, 0, found).clone();
}

/// flat / size and the remainder, for flat below 2^52.
std::pair<Tensor, Tensor> divided(const Tensor& flat, std::int64_t size) {
  const Tensor quotient = (flat.to(DType::Float64) / static_cast<double>(size)).floor().to(DType::Int64);
  return {quotient, flat - quotient * size};
}

void check_readable(const char* op) { refuse_capture(op, kHostRead, SourceLocation{}); }

}  // namespace

Tensor running_count(const Tensor& mask) {
  const Tensor flags = mask.to(DType::Int64).contiguous();
  Backend& backend = mask.storage()->backend();
  const Tensor result = empty_tensor({mask.numel()}, DType::Int64, backend);
  if (mask.numel() == 0) return result;
  Scan call;
  call.op = ScanOp::Sum;
  call.n = mask.numel();
  call.in = operand(flags);
  call.out = operand(result);
  backend.run(call);
  return result;
}

Tensor flat_places(const char* op, const Tensor& x) {
  checked(x, op);
  check_readable(op);
  return no_grad([&] {
    const Tensor mask = x.dtype() == DType::Bool ? x : x.ne(0);
    if (mask.numel() == 0) return empty_tensor({0}, DType::Int64, x.storage()->backend());
    return x.device().is_cpu() ? places_on_host(mask) : places_on_device(mask);
  });
}

std::vector<Tensor> places(const char* op, const Tensor& x) {
  Tensor flat = flat_places(op, x);
  std::vector<Tensor> result(static_cast<std::size_t>(x.ndim()));
  for (int d = x.ndim(); d-- > 0;) {
    Tensor& along = result[static_cast<std::size_t>(d)];
    if (d == 0)
      along = flat;
    else
      std::tie(flat, along) = divided(flat, std::max<std::int64_t>(x.shape()[d], 1));
  }
  return result;
}

namespace {

/// The columns of a new tensor.
Tensor nonzero_of(const char* op, const Tensor& x) {
  if (x.defined() && x.ndim() == 0) {
    const std::int64_t found = flat_places(op, x).numel();
    return empty_tensor({found, 0}, DType::Int64, x.storage()->backend());
  }
  checked(x, op);
  const std::vector<Tensor> columns = places(op, x);
  Tensor result = empty_tensor({columns[0].numel(), x.ndim()}, DType::Int64, x.storage()->backend());
  for (int d = 0; d < x.ndim(); ++d) result.select(1, d).copy_(columns[static_cast<std::size_t>(d)], SourceLocation{});
  return result;
}

}  // namespace

Tensor nonzero(const Tensor& x) { return nonzero_of("nonzero", x); }
Tensor argwhere(const Tensor& x) { return nonzero_of("argwhere", x); }

std::vector<Tensor> where(const Tensor& condition) {
  checked(condition, "where", "condition");
  return places("where", condition.ndim() == 0 ? condition.view({1}) : condition);
}

}  // namespace luge
