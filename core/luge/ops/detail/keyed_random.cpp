#include <luge/ops/detail/keyed_random.h>

#include <bit>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/math/random.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/random_state.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

constexpr std::int64_t kSteps = std::int64_t{1} << 40;  // that enter a counter

/// A seed of its own for each purpose.
std::uint64_t seed_of(std::uint64_t seed, Purpose purpose) {
  const auto words = math::scalar::philox(math::scalar::Words{{purpose.kind, purpose.index, 0, 0}}, seed);
  return math::scalar::joined(words.x[0], words.x[1]);
}

/// Seed and step in device memory, as Random reads them.
Tensor state_of(const char* op, std::uint64_t seed, const Tensor& step, Device device) {
  const TensorImpl& impl = checked(step, op, "step");
  LUGE_CHECK(DTypeError, impl.dtype == DType::Int64, "{}: step is {}; it must be int64", op, name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.numel == 1, "{}: step has shape {}; it must be one number", op, to_string(impl.shape));
  LUGE_CHECK(DeviceError, step.device() == device, "{}: step is on {}; the numbers are drawn on {}", op,
             to_string(step.device()), to_string(device));
  const Tensor checked_step = checked_labels(op, step, kSteps);
  const TensorOptions whole{.dtype = DType::Int64, .device = device};
  return cat({full({1}, std::bit_cast<std::int64_t>(seed), whole), checked_step.reshape({1})});
}

Tensor drawn(const char* op, const Shape& shape, Random call, const Draw& draw, Purpose purpose,
             TensorOptions options) {
  const NoGrad guard;
  LUGE_CHECK(ValueError, draw.first_set >= 0, "{}: first_set is {}; it must be 0 or more", op, draw.first_set);
  LUGE_CHECK(ValueError, draw.step.is_tensor() || (draw.step.number() >= 0 && draw.step.number() < kSteps),
             "{}: step is {}; allowed are 0 to {}", op, draw.step.number(), kSteps - 1);
  LUGE_CHECK(ValueError, draw.seed || (!draw.step.is_tensor() && draw.step.number() == 0),
             "{}: step is given without a seed, whose draws it counts", op);
  Tensor result = empty_tensor(shape, options.dtype, backend(options.device));
  if (result.numel() == 0) return result;
  Tensor state;  // lives until the call has been made
  call.sets = shape[0];
  call.per_set = result.numel() / call.sets;
  call.first_set = draw.first_set;
  call.global = !draw.seed;
  if (call.global) {
    call.seed = global_seed();
    call.stream = next_stream();
  } else {
    call.seed = seed_of(*draw.seed, purpose);
    if (draw.step.is_tensor()) {
      state = state_of(op, call.seed, draw.step.tensor(), options.device);
      call.state = static_cast<const RandomState*>(state.data());
    } else {
      call.stream = static_cast<std::uint64_t>(draw.step.number());
    }
  }
  call.out = operand(result);
  call.out.strides[0] = 1;
  result.storage()->backend().run(call);
  return result;
}

}  // namespace

Tensor keyed_uniform(const char* op, const Shape& shape, double low, double high, const Draw& draw, Purpose purpose,
                     TensorOptions options) {
  return drawn(op, shape, {.kind = Random::Kind::Uniform, .low = low, .high = high, .out = {}}, draw, purpose, options);
}

Tensor keyed_normal(const char* op, const Shape& shape, double mean, double deviation, const Draw& draw,
                    Purpose purpose, TensorOptions options) {
  return drawn(op, shape, {.kind = Random::Kind::Normal, .low = mean, .high = deviation, .out = {}}, draw, purpose,
               options);
}

Tensor keyed_integers(const char* op, const Shape& shape, std::int64_t count, const Draw& draw, Purpose purpose,
                      Device device) {
  return drawn(op, shape, {.kind = Random::Kind::Integer, .integer_low = 0, .integer_high = count, .out = {}}, draw,
               purpose, {.dtype = DType::Int64, .device = device});
}

}  // namespace luge
