#include <memory>

#include <luge/math/elementwise.h>

#include "backend_fixture.h"
#include "elementwise_reference.h"

namespace luge::test {
namespace {

constexpr DType kComputed[] = {boolean, int32, int64, float32, float64};
constexpr double kParameters[] = {-1.0, 1.0};  // of clamp; the first, made positive, of the others

struct Range {
  double low, high;
};
Range range_of(Op op) {
  return {traits(op).low, traits(op).high};
}

std::array<double, 2> parameters_of(Op op) {
  if (op == Op::Clamp) return {kParameters[0], kParameters[1]};
  if (op == Op::Polygamma) return {2, 0};
  return {0.75, 0};
}

/// The largest error allowed: roundings of the formula's steps, whose terms are of the size of the
/// inputs and the result, each at most a few units in the last place. Integers are exact.
double tolerance(DType dtype, double expected, double a, double b) {
  if (!is_floating(dtype)) return 0;
  return 16 * epsilon(dtype) * (std::abs(expected) + std::max({1.0, std::abs(a), std::abs(b)}));
}

/// A call on windows of random layout and everything to check it.
class ElementwiseCase {
 public:
  ElementwiseCase(Backend& backend, Op op, DType dtype, Direction direction, const Extent& space, Chooser& choose,
                  bool plain)
      : backend_(backend), choose_(choose), dtype_(dtype), plain_(plain) {
    call_.op = op;
    call_.direction = direction;
    call_.extent = space;
    call_.parameters = parameters_of(op);
  }

  void run_forward() {
    const Op op = call_.op;
    call_.inputs = traits(op).inputs;
    call_.outputs = 1;
    for (int i = 0; i < call_.inputs; ++i) add_input(op == Op::Where && i == 0 ? boolean : dtype_, true);
    const bool sums = is_floating(dtype_) && !gives_bool(op) && choose_.chance(0.3);
    add_output(gives_bool(op) ? boolean : dtype_, sums ? Store::Accumulate : Store::Overwrite);
    run();
    for (std::int64_t i = 0; i < call_.extent.count(); ++i) {
      const double a = input(0, i), b = call_.inputs > 1 ? input(1, i) : 0, c = call_.inputs > 2 ? input(2, i) : 0;
      check(0, i, reference(op, a, b, c, call_.parameters.data()), a, b);
    }
    check_untouched();
  }

  void run_backward() {
    const Op op = call_.op;
    const int n = traits(op).inputs;
    const int saves = saves_of(op);
    call_.inputs = n + 2;
    call_.outputs = n;
    std::array<int, 3> inputs{};
    add_input(dtype_, true);
    // The op's inputs are drawn even where the derivative does not read them: the reference does.
    for (int i = 0; i < n; ++i) {
      inputs[static_cast<std::size_t>(i)] = i + 1;
      add_input(op == Op::Where && i == 0 ? boolean : dtype_, true);
    }
    add_result();
    for (int i = 1; i <= n; ++i)
      if ((saves & math::scalar::kSavesInputs) == 0 || (op == Op::Where && i > 1))
        call_.in[static_cast<std::size_t>(i)] = absent();
    if ((saves & math::scalar::kSavesOutput) == 0) call_.in[static_cast<std::size_t>(n + 1)] = absent();
    const int first = op == Op::Where ? 1 : 0;
    const int skipped = n - first > 1 && choose_.chance(0.5) ? first + static_cast<int>(choose_.below(static_cast<std::uint64_t>(n - first))) : -1;
    for (int i = 0; i < n; ++i) {
      if (i < first || i == skipped)
        skip_output(i);
      else
        add_output(dtype_, choose_.chance(0.4) ? Store::Accumulate : Store::Overwrite, i);
    }
    run();
    for (int i = first; i < n; ++i) {
      if (i == skipped) continue;
      for (std::int64_t e = 0; e < call_.extent.count(); ++e) {
        const double a = input(1, e), b = n > 1 ? input(2, e) : 0, c = n > 2 ? input(3, e) : 0;
        check(i, e, input(0, e) * reference_derivative(op, i, a, b, c, call_.parameters.data()), a, b);
      }
    }
    check_untouched();
  }

 private:
  struct Side {
    Array before, after;
    std::shared_ptr<DeviceArray> device;
    std::array<std::int64_t, kMaxDims> strides;
    double value = 0;  // of an immediate
    bool is_immediate = false;
  };

  static int saves_of(Op op) { return traits(op).saves; }

  Side window(DType dtype, bool repeats) {
    std::int64_t count = call_.extent.count();
    std::array<std::int64_t, kMaxDims> strides{};
    if (plain_) {
      std::int64_t stride = 1;
      for (int d = call_.extent.ndim - 1; d >= 0; --d) {
        strides[static_cast<std::size_t>(d)] = stride;
        stride *= call_.extent.sizes[static_cast<std::size_t>(d)];
      }
    } else {
      strides = choose_.strides(call_.extent, repeats, count);
    }
    Side side{Array(dtype, count), Array(dtype, count), nullptr, strides};
    const Range range = range_of(call_.op);
    choose_.fill(side.before, range.low, range.high);
    side.after = side.before;
    return side;
  }

  void add_input(DType dtype, bool may_be_immediate) {
    Side side = window(dtype, true);
    Operand& operand = call_.in[in_.size()];
    if (may_be_immediate && !plain_ && choose_.chance(0.2)) {
      side.is_immediate = true;
      side.value = side.before.get(0);
      operand = immediate(dtype, side.value);
    } else {
      side.device = std::make_shared<DeviceArray>(backend_, side.before);
      operand = side.device->window();
      operand.strides = side.strides;
    }
    in_.push_back(std::move(side));
  }

  /// The saved output of a backward call: what the forward gives, rounded.
  void add_result() {
    Side side = window(dtype_, false);
    for (std::int64_t i = 0; i < call_.extent.count(); ++i) {
      const int n = traits(call_.op).inputs;
      side.before.set(
          offset_of(call_.extent, side.strides, i),
          reference(call_.op, input(1, i), n > 1 ? input(2, i) : 0, n > 2 ? input(3, i) : 0, call_.parameters.data()));
    }
    side.device = std::make_shared<DeviceArray>(backend_, side.before);
    Operand& operand = call_.in[in_.size()];
    operand = side.device->window();
    operand.strides = side.strides;
    in_.push_back(std::move(side));
  }

  void add_output(DType dtype, Store store, int index = 0) {
    const auto u = static_cast<std::size_t>(index);
    Side side = window(dtype, false);
    side.device = std::make_shared<DeviceArray>(backend_, side.before);
    call_.out[u] = side.device->window();
    call_.out[u].strides = side.strides;
    call_.store[u] = store;
    out_.resize(u, Side{Array(dtype, 0), Array(dtype, 0), nullptr, {}});
    out_.push_back(std::move(side));
  }
  void skip_output(int index) { call_.out[static_cast<std::size_t>(index)] = absent(); }

  void run() {
    backend_.run(call_);
    for (Side& side : out_)
      if (side.device) side.after = side.device->download();
  }

  double input(int i, std::int64_t element) const {
    const Side& side = in_[static_cast<std::size_t>(i)];
    return side.is_immediate ? side.value : side.before.get(offset_of(call_.extent, side.strides, element));
  }

  void check(int index, std::int64_t element, double expected, double a, double b) {
    Side& side = out_[static_cast<std::size_t>(index)];
    const std::int64_t at = offset_of(call_.extent, side.strides, element);
    if (call_.store[static_cast<std::size_t>(index)] == Store::Accumulate) expected += side.before.get(at);
    const double actual = side.after.get(at);
    if (side.before.dtype() == int32)
      expected = static_cast<double>(static_cast<std::int32_t>(static_cast<std::int64_t>(expected)));
    if (side.before.dtype() == int64) expected = static_cast<double>(static_cast<std::int64_t>(expected));
    ASSERT_TRUE(close(actual, expected, tolerance(side.before.dtype(), expected, a, b)))
        << name(call_.op) << (call_.direction == Direction::Backward ? " backward " : " ") << name(dtype_)
        << " element " << element << " of " << call_.extent.count() << ": " << actual << " instead of " << expected
        << " for a = " << a << ", b = " << b;
    touched_.push_back({index, at});
  }

  /// Elements between those of a strided output must not change.
  void check_untouched() {
    std::vector<std::vector<bool>> touched;
    for (const Side& side : out_) touched.emplace_back(static_cast<std::size_t>(side.before.count()), false);
    for (const auto& [side, at] : touched_)
      touched[static_cast<std::size_t>(side)][static_cast<std::size_t>(at)] = true;
    for (std::size_t s = 0; s < out_.size(); ++s)
      for (std::int64_t i = 0; i < out_[s].before.count(); ++i)
        ASSERT_TRUE(touched[s][static_cast<std::size_t>(i)] || out_[s].after.same_bits(i, out_[s].before, i))
            << name(call_.op) << " wrote beside its output, at " << i;
  }

  Backend& backend_;
  Chooser& choose_;
  DType dtype_;
  bool plain_;
  Elementwise call_;
  std::vector<Side> in_, out_;
  std::vector<std::pair<int, std::int64_t>> touched_;
};

class ElementwiseTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(ElementwiseTest);

TEST_P(ElementwiseTest, EveryOpAndTypeAtEverySize) {
  Chooser choose(1);
  for (int o = 0; o < kOpCount; ++o) {
    const Op op = static_cast<Op>(o);
    for (const DType dtype : kComputed) {
      if (!takes(accepted(op), dtype)) continue;
      for (const std::int64_t n : kSizes) {
        if (n > 5000 && op != Op::Add && op != Op::Where) continue;
        ElementwiseCase(backend(), op, dtype, Direction::Forward, extent({n}), choose, true).run_forward();
        if (HasFatalFailure()) return;
        if (!is_differentiable(op) || !is_floating(dtype)) continue;
        ElementwiseCase(backend(), op, dtype, Direction::Backward, extent({n}), choose, true).run_backward();
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ElementwiseTest, EveryOpOnAnyLayout) {
  for (int o = 0; o < kOpCount; ++o) {
    const Op op = static_cast<Op>(o);
    for (const DType dtype : kComputed) {
      if (!takes(accepted(op), dtype)) continue;
      for (int repetition = 0; repetition < 12; ++repetition) {
        Chooser choose(static_cast<std::uint64_t>(o * 1000 + repetition));
        const Extent space = choose.space(0, 4, 6000);
        ElementwiseCase(backend(), op, dtype, Direction::Forward, space, choose, false).run_forward();
        if (HasFatalFailure()) return;
        if (!is_differentiable(op) || !is_floating(dtype)) continue;
        ElementwiseCase(backend(), op, dtype, Direction::Backward, space, choose, false).run_backward();
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(ElementwiseTest, TransposedOperands) {
  for (const auto& [rows, columns] :
       {std::array<std::int64_t, 2>{64, 128}, {100, 70}, {17, 1000}, {2000, 16}, {333, 333}}) {
    Array a(float32, rows * columns), b(float32, rows * columns);
    Chooser choose(static_cast<std::uint64_t>(rows));
    choose.fill(a, -2, 2);
    choose.fill(b, -2, 2);
    for (const bool output : {false, true}) {
      DeviceArray x(backend(), a), y(backend(), b), z(backend(), a);
      Elementwise call;
      call.op = Op::Sub;
      call.extent = extent({rows, columns});
      call.inputs = 2;
      call.outputs = 1;
      call.in = {x.operand({columns, 1}), output ? y.operand({columns, 1}) : y.operand({1, rows})};
      call.out = {output ? z.operand({1, rows}) : z.operand({columns, 1})};
      call.store[0] = output ? Store::Accumulate : Store::Overwrite;
      backend().run(call);
      const Array result = z.download();
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t at = i * columns + j, crossed = j * rows + i;
          const float old = output ? a.at<float>(crossed) : 0;
          const float expected = old + (a.at<float>(at) - b.at<float>(output ? at : crossed));
          ASSERT_EQ(result.at<float>(output ? crossed : at), expected)
              << rows << " x " << columns << " at " << i << ", " << j;
        }
      }
    }
  }
}

TEST_P(ElementwiseTest, OutputMayBeAnInput) {
  for (const std::int64_t n : {std::int64_t{3}, std::int64_t{1000}, std::int64_t{5001}}) {
    Array a(float32, n), b(float32, n);
    Chooser choose(static_cast<std::uint64_t>(n));
    choose.fill(a, -2, 2);
    choose.fill(b, -2, 2);
    DeviceArray x(backend(), a), y(backend(), b);
    Elementwise call;
    call.op = Op::Mul;
    call.direction = Direction::Backward;
    call.extent = extent({n});
    call.inputs = 4;
    call.outputs = 2;
    call.in = {x.operand(), x.operand(), y.operand(), absent()};
    call.out = {x.operand(), y.operand()};
    backend().run(call);
    const Array da = x.download(), db = y.download();
    for (std::int64_t i = 0; i < n; ++i) {
      const float dy = a.at<float>(i);
      ASSERT_EQ(da.at<float>(i), dy * b.at<float>(i)) << i;
      ASSERT_EQ(db.at<float>(i), dy * dy) << i;
    }
  }
}

/// An element's bits do not depend on how many others there are, nor on where it stands.
TEST_P(ElementwiseTest, NeighboursDoNotMatter) {
  constexpr std::int64_t kN = 2500;
  for (int o = 0; o < kOpCount; ++o) {
    const Op op = static_cast<Op>(o);
    for (const DType dtype : {float32, float64}) {
      if (!takes(accepted(op), dtype)) continue;
      Chooser choose(7);
      Array values[3] = {Array(op == Op::Where ? boolean : dtype, kN), Array(dtype, kN), Array(dtype, kN)};
      for (Array& array : values) choose.fill(array, -5, 5);
      for (std::int64_t i = 0; i < kN; i += 97) {
        if (op != Op::Where) values[0].set(i, i % 2 == 0 ? 1e6 : std::numeric_limits<double>::quiet_NaN());
        values[1].set(i, std::numeric_limits<double>::infinity());
      }
      DeviceArray in[3] = {{backend(), values[0]}, {backend(), values[1]}, {backend(), values[2]}};
      Array result(gives_bool(op) ? boolean : dtype, kN);
      DeviceArray out(backend(), result);
      const auto run = [&](std::int64_t from, std::int64_t n) {
        Elementwise call;
        call.op = op;
        call.extent = extent({n});
        call.inputs = traits(op).inputs;
        call.outputs = 1;
        call.parameters = parameters_of(op);
        for (int i = 0; i < call.inputs; ++i) call.in[static_cast<std::size_t>(i)] = in[i].operand({1}, from);
        call.out[0] = out.operand({1}, from);
        backend().run(call);
      };
      run(0, kN);
      const Array together = out.download();
      for (std::int64_t i = 0; i < kN;) {
        const std::int64_t n = std::min<std::int64_t>(1 + choose.below(40), kN - i);
        run(i, n);
        i += n;
      }
      const Array apart = out.download();
      for (std::int64_t i = 0; i < kN; ++i)
        ASSERT_TRUE(together.same_bits(i, apart, i)) << name(op) << " element " << i;
    }
  }
}

TEST_P(ElementwiseTest, LargeOutputsAreCompleteAtOddAddresses) {
  constexpr std::int64_t kN = 9'000'001;  // beyond the caches: written past them
  Array a(float32, kN + 3);
  for (std::int64_t i = 0; i < a.count(); ++i) a.set(i, static_cast<double>(i % 1001));
  DeviceArray x(backend(), a), y(backend(), Array(float32, kN + 5));
  Elementwise call;
  call.op = Op::Sub;
  call.extent = extent({kN});
  call.inputs = 2;
  call.outputs = 1;
  call.in = {x.operand({1}, 3), immediate(float32, 1.0)};
  call.out = {y.operand({1}, 1)};
  backend().run(call);
  const Array result = y.download();
  for (std::int64_t i = 0; i < kN; ++i) ASSERT_EQ(result.at<float>(i + 1), a.at<float>(i + 3) - 1) << i;
  EXPECT_EQ(result.at<float>(0), 0);
  EXPECT_EQ(result.at<float>(kN + 1), 0);
}

TEST_P(ElementwiseTest, ComparisonsTestsAndExtremesOfSpecialValues) {
  const double special[] = {std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity(),
                            0.0,
                            -0.0,
                            1.0,
                            -2.5};
  constexpr std::int64_t kValues = 7, kN = kValues * kValues;
  for (const DType dtype : {float32, float64}) {
    Array a(dtype, kN), b(dtype, kN);
    for (std::int64_t i = 0; i < kN; ++i) {
      a.set(i, special[i / kValues]);
      b.set(i, special[i % kValues]);
    }
    DeviceArray x(backend(), a), y(backend(), b);
    for (int o = 0; o < kOpCount; ++o) {
      const Op op = static_cast<Op>(o);
      const bool exact =
          gives_bool(op) || op == Op::Maximum || op == Op::Minimum || op == Op::Relu || op == Op::Abs || op == Op::Sign;
      if (!exact || !takes(accepted(op), dtype)) continue;
      DeviceArray out(backend(), Array(gives_bool(op) ? boolean : dtype, kN));
      Elementwise call;
      call.op = op;
      call.extent = extent({kN});
      call.inputs = traits(op).inputs;
      call.outputs = 1;
      call.in = {x.operand(), y.operand()};
      call.out = {out.operand()};
      backend().run(call);
      const Array result = out.download();
      for (std::int64_t i = 0; i < kN; ++i)
        ASSERT_TRUE(close(result.get(i), reference(op, a.get(i), b.get(i), 0, nullptr), 0))
            << name(op) << "(" << a.get(i) << ", " << b.get(i) << ") is " << result.get(i);
    }
  }
}

TEST_P(ElementwiseTest, IntegersWrapAround) {
  Array a(int32, 1);
  a.set(0, 2147483647);
  DeviceArray x(backend(), a);
  Elementwise call;
  call.op = Op::Add;
  call.extent = extent({1});
  call.inputs = 2;
  call.outputs = 1;
  call.in = {x.operand(), immediate(int32, 1)};
  call.out = {x.operand()};
  backend().run(call);
  EXPECT_EQ(x.download().at<std::int32_t>(0), std::numeric_limits<std::int32_t>::min());
}

}  // namespace
}  // namespace luge::test
