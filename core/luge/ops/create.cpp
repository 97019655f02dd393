#include <luge/ops/create.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <utility>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/math/random.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/generator.h>
#include <luge/ops/detail/random_state.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

Tensor with_grad(Tensor tensor, const TensorOptions& options) {
  if (options.requires_grad) tensor.requires_grad_();
  return tensor;
}

/// Before anything is allocated.
void check_options(const char* op, const TensorOptions& options) {
  LUGE_CHECK(DTypeError, !options.requires_grad || is_floating(options.dtype),
             "{}: requires_grad with dtype {}; only floating dtypes can require a gradient", op, name(options.dtype));
}

Tensor filled(const char* op, const Shape& shape, Scalar value, const TensorOptions& options) {
  const Operation called(op);
  check_options(op, options);
  value.check_stored(op, options.dtype);
  Tensor result = empty_tensor(shape, options.dtype, backend(options.device));
  fill_values(result, value, op);
  return with_grad(std::move(result), options);
}

Tensor counted(const char* op, std::int64_t n, double start, double step, std::int64_t integer_start,
               std::int64_t integer_step, const TensorOptions& options) {
  const Operation called(op);
  check_options(op, options);
  LUGE_CHECK(DTypeError, options.dtype != DType::Bool, "{}: dtype is bool; allowed are the numeric dtypes", op);
  Tensor result = empty_tensor({n}, options.dtype, backend(options.device));
  if (n > 0) {
    Iota call;
    call.n = n;
    call.out = operand(result);
    call.out.strides[0] = 1;
    call.start = start;
    call.step = step;
    call.integer_start = integer_start;
    call.integer_step = integer_step;
    result.storage()->backend().run(call);
  }
  return with_grad(std::move(result), options);
}

std::atomic<std::uint64_t> seed_in_force{0};
std::atomic<std::uint64_t> streams_taken{0};

/// Where this thread's draws come from; null: the global generator.
thread_local Generator* own_generator = nullptr;

/// What the next draw is keyed by.
RandomState next_draw(const char* op, SourceLocation location = {}) {
  if (!own_generator) return {.seed = global_seed(), .stream = next_stream()};
  refuse_capture(op, "the numbers of a generator that is given would be the same at each replay; the global one goes on",
                 location);
  return {.seed = own_generator->seed, .stream = own_generator->drawn++};
}

Tensor drawn(const char* op, const Shape& shape, Random call, const TensorOptions& options) {
  const Operation called(op);
  check_options(op, options);
  Tensor result = empty_tensor(shape, options.dtype, backend(options.device));
  if (result.numel() > 0) {
    call.sets = 1;
    call.per_set = result.numel();
    const RandomState key = next_draw(op);
    call.seed = key.seed;
    call.stream = key.stream;
    call.global = !own_generator;
    call.out = operand(result);
    call.out.strides[0] = 1;
    result.storage()->backend().run(call);
  }
  return with_grad(std::move(result), options);
}

void check_floating(const char* op, DType dtype) {
  LUGE_CHECK(DTypeError, is_floating(dtype), "{}: dtype is {}; allowed are the floating dtypes", op, name(dtype));
}

/// To be called before anything else looks at `other`, which may be undefined.
TensorOptions like(const Tensor& other, const char* op) {
  checked(other, op);
  return {.dtype = other.dtype(), .device = other.device()};
}

}  // namespace

Tensor empty(const Shape& shape, TensorOptions options) {
  const Operation called("empty");
  check_options("empty", options);
  return with_grad(empty_tensor(shape, options.dtype, backend(options.device)), options);
}
Tensor zeros(const Shape& shape, TensorOptions options) { return filled("zeros", shape, 0, options); }
Tensor ones(const Shape& shape, TensorOptions options) { return filled("ones", shape, 1, options); }
Tensor full(const Shape& shape, Scalar value, TensorOptions options) { return filled("full", shape, value, options); }

Tensor arange(Scalar start, Scalar stop, Scalar step, TensorOptions options) {
  const double first = start.to_double(), last = stop.to_double(), by = step.to_double();
  LUGE_CHECK(ValueError, std::isfinite(first) && std::isfinite(last) && std::isfinite(by),
             "arange: start, stop and step must be finite; they are {}, {} and {}", first, last, by);
  LUGE_CHECK(ValueError, by != 0 && (last - first) / by >= 0,
             "arange: step {} does not lead from {} to {}; it must not be 0 and point from start to stop", by, first,
             last);
  const double count = std::ceil((last - first) / by);
  LUGE_CHECK(ShapeError, count < 9.2e18, "arange: {} elements are more than 2^63 - 1", count);
  auto n = static_cast<std::int64_t>(count);
  const bool floating = std::max({start.kind(), stop.kind(), step.kind()}) == Scalar::Kind::Float;
  if (floating && is_floating(options.dtype)) {
    if (n > 0) start.check_stored("arange", options.dtype);
    return counted("arange", n, first, by, 0, 0, options);
  }
  const auto from = start.to<std::int64_t>("arange"), to = stop.to<std::int64_t>("arange"),
             stride = step.to<std::int64_t>("arange");
  LUGE_CHECK(ValueError, stride != 0, "arange: step {} is 0 in {}", by, name(options.dtype));
  if (!floating) {  // float64 does not hold every int64
    std::int64_t distance = 0;
    LUGE_CHECK(ShapeError, !__builtin_sub_overflow(to, from, &distance),
               "arange: from {} to {} is further than 2^63 - 1", from, to);
    n = distance / stride + (distance % stride != 0);
  }
  if (n > 0) {
    Scalar(from).check_fits("arange", options.dtype);
    Scalar(from + (n - 1) * stride).check_fits("arange", options.dtype);
  }
  return counted("arange", n, first, by, from, stride, options);
}

Tensor arange(Scalar start, Scalar stop, Scalar step) {
  const bool floating = std::max({start.kind(), stop.kind(), step.kind()}) == Scalar::Kind::Float;
  return arange(start, stop, step, {.dtype = floating ? DType::Float32 : DType::Int64});
}
Tensor arange(Scalar stop) { return arange(0, stop, 1); }
Tensor arange(Scalar stop, TensorOptions options) { return arange(0, stop, 1, options); }

Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options) {
  LUGE_CHECK(ValueError, count >= 0, "linspace: count is {}; it must be 0 or more", count);
  check_floating("linspace", options.dtype);
  Scalar(start).check_stored("linspace", options.dtype);
  Scalar(stop).check_stored("linspace", options.dtype);
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  Tensor result = counted("linspace", count, start, step, 0, 0, {.dtype = options.dtype, .device = options.device});
  if (count > 1) fill_values(result.select(0, count - 1), stop);  // exactly, whatever the steps round to
  return with_grad(std::move(result), options);
}

Tensor eye(std::int64_t rows, TensorOptions options) { return eye(rows, rows, options); }

Tensor eye(std::int64_t rows, std::int64_t columns, TensorOptions options) {
  const Operation called("eye");
  Tensor result = zeros({rows, columns}, {.dtype = options.dtype, .device = options.device});
  const std::int64_t n = std::min(rows, columns);
  if (n > 0) fill_values(window_tensor(result, {n}, {columns + 1}, 0), 1);
  return with_grad(std::move(result), options);
}

Tensor scalar(Scalar value) { return scalar(value, {.dtype = value.default_dtype()}); }
Tensor scalar(Scalar value, TensorOptions options) { return full({}, value, options); }

template <class T>
Tensor from_host(std::span<const T> values, const Shape& shape, Device device, SourceLocation location) {
  const Operation called("from_host");
  const std::int64_t count = element_count(shape);
  LUGE_CHECK(ShapeError, count == static_cast<std::int64_t>(values.size()),
             "from_host: {} values given; shape {} has {} elements", values.size(), to_string(shape), count);
  refuse_capture("from_host", kHostWrite, location);
  Tensor result = empty_tensor(shape, dtype_of<T>(), backend(device));
  if (count > 0) result.storage()->backend().copy_from_host(result.data(), values.data(), values.size_bytes());
  return result;
}
template Tensor from_host(std::span<const std::uint8_t>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const std::int8_t>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const std::int16_t>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const std::int32_t>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const std::int64_t>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const float>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const double>, const Shape&, Device, SourceLocation);
template Tensor from_host(std::span<const bool>, const Shape&, Device, SourceLocation);

Tensor tensor(std::initializer_list<double> values, TensorOptions options, SourceLocation location) {
  const Operation called("tensor");
  check_options("tensor", options);
  refuse_capture("tensor", kHostWrite, location);
  for (const double value : values) Scalar(value).check_fits("tensor", options.dtype);
  const Tensor exact = from_host(std::span(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())});
  return with_grad(exact.to(options.dtype).to(options.device), options);
}

Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, TensorOptions options,
              SourceLocation location) {
  const Operation called("tensor");
  check_options("tensor", options);
  refuse_capture("tensor", kHostWrite, location);
  std::vector<double> values;
  for (const auto& row : rows) {
    LUGE_CHECK(ShapeError, row.size() == rows.begin()->size(),
               "tensor: rows have {} and {} values; all must have the same number", rows.begin()->size(), row.size());
    for (const double value : row) Scalar(value).check_fits("tensor", options.dtype);
    values.insert(values.end(), row.begin(), row.end());
  }
  const auto columns = static_cast<std::int64_t>(rows.size() == 0 ? 0 : rows.begin()->size());
  const Tensor exact = from_host(values, {static_cast<std::int64_t>(rows.size()), columns});
  return with_grad(exact.to(options.dtype).to(options.device), options);
}

Tensor from_memory(void* data, const Shape& shape, const Strides& strides, DType dtype, Device device,
                   std::function<void()> release) {
  LUGE_CHECK(ShapeError, shape.ndim() == strides.ndim(),
             "from_memory: shape is {} and strides are {}; both must have as many "
             "dimensions",
             to_string(shape), to_string(strides));
  const Operation called("from_memory");
  const std::int64_t numel = element_count(shape);
  LUGE_CHECK(ValueError, data || numel == 0, "from_memory: there is no memory for {} elements", numel);
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  std::int64_t last = 0;  // offset of the last element
  for (int d = 0; d < shape.ndim(); ++d) {
    LUGE_CHECK(ValueError, strides[d] >= 0, "from_memory: strides are {}; each must be 0 or more", to_string(strides));
    std::int64_t reach = 0;
    const bool fits = numel == 0 || (!__builtin_mul_overflow(shape[d] - 1, strides[d], &reach) &&
                                     !__builtin_add_overflow(last, reach, &last) && last < INT64_MAX / size);
    LUGE_CHECK(ValueError, fits, "from_memory: shape {} with strides {} reaches beyond 2^63 bytes", to_string(shape),
               to_string(strides));
  }
  const auto bytes = static_cast<std::size_t>(numel == 0 ? 0 : (last + 1) * size);
  Ref<Storage> storage = Storage::foreign(backend(device), data, bytes);
  Tensor result(Ref<TensorImpl>(new TensorImpl(storage, dtype, shape, strides, 0, numel)));
  storage->on_release(std::move(release));
  return result;
}

Tensor empty_like(const Tensor& other) {
  const Operation called("empty_like");
  const TensorOptions options = like(other, "empty_like");
  return empty(other.shape(), options);
}
Tensor zeros_like(const Tensor& other) {
  const Operation called("zeros_like");
  const TensorOptions options = like(other, "zeros_like");
  return zeros(other.shape(), options);
}
Tensor ones_like(const Tensor& other) {
  const Operation called("ones_like");
  const TensorOptions options = like(other, "ones_like");
  return ones(other.shape(), options);
}
Tensor full_like(const Tensor& other, Scalar value) {
  const Operation called("full_like");
  const TensorOptions options = like(other, "full_like");
  return full(other.shape(), value, options);
}

// ---- random -------------------------------------------------------------------------------------

std::uint64_t global_seed() { return seed_in_force.load(); }
std::uint64_t next_stream(std::uint64_t count) { return streams_taken.fetch_add(count); }

std::uint64_t streams_so_far() { return streams_taken.load(); }
void set_global_generator(std::uint64_t seed, std::uint64_t streams) {
  seed_in_force = seed;
  streams_taken = streams;
}

DrawFrom::DrawFrom(Generator& generator) : kept_(std::exchange(own_generator, &generator)) {}
DrawFrom::~DrawFrom() { own_generator = kept_; }

void manual_seed(std::uint64_t seed) {
  if (observer) [[unlikely]]
    observer->seeds(seed);
  set_global_generator(seed, 0);
}

Tensor rand(const Shape& shape, TensorOptions options) {
  check_floating("rand", options.dtype);
  Random call;
  call.kind = Random::Kind::Uniform;
  if (!is_storage_only(options.dtype)) return drawn("rand", shape, call, options);
  // Multiples of the distance of the largest halves below 1, which rounding cannot raise to 1. As in PyTorch.
  check_options("rand", options);
  const NoGrad guard;
  const double steps = options.dtype == DType::Float16 ? 0x1p11 : 0x1p8;
  const Tensor uniform = drawn("rand", shape, call, {.device = options.device});
  return with_grad((floor(uniform * steps) * (1 / steps)).to(options.dtype), options);
}

Tensor randn(const Shape& shape, TensorOptions options) {
  check_floating("randn", options.dtype);
  Random call;
  call.kind = Random::Kind::Normal;
  return drawn("randn", shape, call, options);
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options) {
  LUGE_CHECK(ValueError, low < high, "randint: low is {} and high is {}; low must be less than high", low, high);
  LUGE_CHECK(DTypeError, is_integral(options.dtype), "randint: dtype is {}; allowed are the integer dtypes",
             name(options.dtype));
  LUGE_CHECK(ValueError, Scalar(low).fits(options.dtype) && Scalar(high - 1).fits(options.dtype),
             "randint: [{}, {}) does not fit {}", low, high, name(options.dtype));
  Random call;
  call.kind = Random::Kind::Integer;
  call.integer_low = low;
  call.integer_high = high;
  return drawn("randint", shape, call, options);
}

Tensor rand_like(const Tensor& other) {
  const Operation called("rand_like");
  const TensorOptions options = like(other, "rand_like");
  return rand(other.shape(), options);
}
Tensor randn_like(const Tensor& other) {
  const Operation called("randn_like");
  const TensorOptions options = like(other, "randn_like");
  return randn(other.shape(), options);
}

Tensor randperm(std::int64_t n, SourceLocation location) {
  LUGE_CHECK(ValueError, n >= 0, "randperm: n is {}; it must be 0 or more", n);
  refuse_capture("randperm", kHostWrite, location);
  Tensor result = empty({n}, {.dtype = DType::Int64});
  auto* const order = static_cast<std::int64_t*>(result.data());
  std::iota(order, order + n, 0);
  const auto [seed, stream] = next_draw("randperm", location);
  // Fisher and Yates, one keyed draw per position.
  for (auto i = static_cast<std::size_t>(n); i > 1; --i)
    std::swap(order[i - 1], order[math::scalar::uniform_integer(math::scalar::random_word(seed, stream, 0, i), i)]);
  return result;
}

}  // namespace luge
