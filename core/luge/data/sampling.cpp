#include <luge/data/sampling.h>

#include <array>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/keyed_random.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/sort.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge::data {

namespace {

void check_counts(const char* op, std::int64_t points, std::int64_t sets) {
  LUGE_CHECK(ValueError, points >= 1, "{}: points is {}; it must be 1 or more", op, points);
  LUGE_CHECK(ValueError, sets >= 1, "{}: sets is {}; it must be 1 or more", op, sets);
}

/// Every order of a row's points as likely: the order of random numbers. In float64, whose 53 bits leave no ties to
/// speak of.
Tensor orders_of(const char* op, std::int64_t points, std::int64_t sets, const Draw& draw, Purpose purpose,
                 Device device) {
  return argsort(keyed_uniform(op, {sets, points}, 0, 1, draw, purpose, {.dtype = DType::Float64, .device = device}),
                 1);
}

/// The places of orders: of each row the inverse of the permutation.
Tensor places(const Tensor& orders) { return argsort(orders, 1); }

/// counts[s, indices[s, i]] += 1
Tensor counted(const Tensor& indices, std::int64_t points, TensorOptions options) {
  const Tensor counts = zeros({indices.size(0), points}, options), ones = luge::ones(indices.shape(), options);
  Gather call;
  call.direction = Direction::Backward;
  call.dim = 1;
  call.source_size = points;
  call.source = operand(counts);
  call.index = operand(indices);
  call.out = operand(ones);
  const Binding bindings[] = {{&call.out, &ones}, {&call.index, &indices}};
  set_plain_extent(call.extent, indices.shape(), bindings);
  for (int d = 0; d < 2; ++d) call.source.strides[static_cast<std::size_t>(d)] = counts.strides()[d];
  counts.storage()->backend().run(call);
  return counts;
}

/// a / b rounded down, of int64 from 0 to 2^52.
Tensor quotient(const Tensor& a, std::int64_t b) { return floor(a.to(DType::Float64) / b).to(DType::Int64); }

void check_batch(const char* op, std::int64_t batch, std::int64_t points) {
  LUGE_CHECK(ValueError, batch >= 1 && batch <= points, "{}: batch is {}; allowed are 1 to {}, the points", op, batch,
             points);
}

/// The step as an int64 tensor of shape (1).
Tensor checked_step(const char* op, const Tensor& step, Device device) {
  const TensorImpl& impl = checked(step, op, "step");
  LUGE_CHECK(DTypeError, impl.dtype == DType::Int64, "{}: step is {}; it must be int64", op, name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.numel == 1, "{}: step has shape {}; it must be one number", op, to_string(impl.shape));
  LUGE_CHECK(DeviceError, step.device() == device, "{}: step is on {} and the sets are on {}", op,
             to_string(step.device()), to_string(device));
  return checked_labels(op, step, std::int64_t{1} << 52).reshape({1});
}

/// The columns of batch number `within` of an epoch, (1) or a number.
template <class Number>
Tensor batch_of(const Tensor& orders, std::int64_t batch, const Number& within) {
  const Tensor first = arange(batch, {.dtype = DType::Int64, .device = orders.device()});
  return index_select(orders, 1, first + within * batch);
}

}  // namespace

Tensor bootstrap(std::int64_t points, std::int64_t sets, const Draw& draw, Device device) {
  check_counts("bootstrap", points, sets);
  return keyed_integers("bootstrap", {sets, points}, points, draw, Purpose::Bootstrap, device);
}

Tensor bootstrap_counts(std::int64_t points, std::int64_t sets, const Draw& draw, TensorOptions options) {
  const Operation called("bootstrap_counts");
  const NoGrad guard;
  LUGE_CHECK(DTypeError, is_floating(options.dtype) && !is_storage_only(options.dtype),
             "bootstrap_counts: dtype is {}; allowed are float32 and float64", name(options.dtype));
  return counted(bootstrap(points, sets, draw, options.device), points,
                 {.dtype = options.dtype, .device = options.device});
}

Tensor folds(std::int64_t points, std::int64_t k, const Draw& draw, const Tensor& assignment, Device device) {
  const char* const op = "folds";
  const Operation called(op);
  const NoGrad guard;
  LUGE_CHECK(ValueError, k >= 2 && k <= points, "{}: k is {}; allowed are 2 to {}, the points", op, k, points);
  LUGE_CHECK(ValueError, draw.first_set == 0, "{}: first_set is {}; the folds are the same for all sets", op,
             draw.first_set);
  Tensor own;
  if (assignment.defined()) {
    const TensorImpl& impl = checked(assignment, op, "assignment");
    LUGE_CHECK(ShapeError, impl.shape.ndim() == 1, "{}: assignment has shape {}; it must be (sets,)", op,
               to_string(impl.shape));
    LUGE_CHECK(DeviceError, assignment.device() == device, "{}: assignment is on {}; the masks are to be on {}", op,
               to_string(assignment.device()), to_string(device));
    own = checked_labels(op, assignment, k);
  } else {
    own = arange(k, {.dtype = DType::Int64, .device = device});
  }
  const Tensor fold = quotient(places(orders_of(op, points, 1, draw, Purpose::Folds, device)) * k, points);
  return fold.eq(own.reshape({own.numel(), 1}));
}

Tensor split(std::int64_t points, std::int64_t held, std::int64_t sets, const Draw& draw, Device device) {
  const char* const op = "split";
  const Operation called(op);
  const NoGrad guard;
  check_counts(op, points, sets);
  LUGE_CHECK(ValueError, held >= 1 && held < points, "{}: held is {}; allowed are 1 to {}, fewer than the points", op,
             held, points - 1);
  return places(orders_of(op, points, sets, draw, Purpose::Split, device)).lt(held);
}

Tensor shuffled(std::int64_t points, std::int64_t sets, const Draw& draw, Device device) {
  const Operation called("shuffled");
  const NoGrad guard;
  check_counts("shuffled", points, sets);
  return orders_of("shuffled", points, sets, draw, Purpose::Order, device);
}

Tensor minibatch(const Tensor& orders, std::int64_t batch, const DrawStep& step) {
  const char* const op = "minibatch";
  const Operation called(op);
  const NoGrad guard;
  const TensorImpl& impl = checked(orders, op, "orders");
  LUGE_CHECK(ShapeError, impl.shape.ndim() == 2, "{}: orders have shape {}; it must be (sets, points)", op,
             to_string(impl.shape));
  LUGE_CHECK(DTypeError, impl.dtype == DType::Int64, "{}: orders are {}; they must be int64", op, name(impl.dtype));
  check_batch(op, batch, impl.shape[1]);
  const std::int64_t per_epoch = impl.shape[1] / batch;
  if (!step.is_tensor()) {
    LUGE_CHECK(ValueError, step.number() >= 0, "{}: step is {}; it must be 0 or more", op, step.number());
    return batch_of(orders, batch, step.number() % per_epoch);
  }
  const Tensor number = checked_step(op, step.tensor(), orders.device());
  return batch_of(orders, batch, number - quotient(number, per_epoch) * per_epoch);
}

Tensor minibatch(std::int64_t points, std::int64_t batch, std::int64_t sets, const Draw& draw, Device device) {
  const char* const op = "minibatch";
  const Operation called(op);
  const NoGrad guard;
  check_counts(op, points, sets);
  check_batch(op, batch, points);
  LUGE_CHECK(ValueError, draw.seed.has_value(),
             "{}: there is no seed; the batches of an epoch are of one order only with one", op);
  const std::int64_t per_epoch = points / batch;
  Draw of_epoch = draw;
  if (draw.step.is_tensor())
    of_epoch.step = quotient(checked_step(op, draw.step.tensor(), device), per_epoch);
  else
    of_epoch.step = draw.step.number() / per_epoch;
  return minibatch(orders_of(op, points, sets, of_epoch, Purpose::Order, device), batch, draw.step);
}

}  // namespace luge::data
