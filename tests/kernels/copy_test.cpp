#include "backend_fixture.h"

namespace luge::test {
namespace {

constexpr DType kEvery[] = {boolean, uint8,   int8,     int16,   int32,
                             int64,   float16, bfloat16, float32, float64};

class CopyTest : public BackendTest {
 protected:
  /// Copies a random window into another one and checks every element of the target's memory.
  void check_random(DType from, DType to, std::uint64_t seed, const Extent& space) {
    Chooser choose(seed);
    std::int64_t in_count = 0, out_count = 0;
    const auto in_strides = choose.strides(space, true, in_count),
               out_strides = choose.strides(space, false, out_count);
    Array source(from, in_count), target(to, out_count);
    choose.fill(source, -100, 100);
    if (choose.chance(0.3)) choose.fill(source, -1, 1);  // fractions that truncate to zero
    choose.fill(target, -50, 50);
    DeviceArray in(backend(), source), out(backend(), target);
    Copy call;
    call.extent = space;
    const bool fills = choose.chance(0.2);
    call.in = fills ? immediate(from, source.get(0)) : in.window();
    if (!fills) call.in.strides = in_strides;
    call.out = out.window();
    call.out.strides = out_strides;
    call.store = is_floating(to) && choose.chance(0.3) ? Store::Accumulate : Store::Overwrite;
    backend().run(call);
    Array expected = target;
    for (std::int64_t i = 0; i < space.count(); ++i) {
      const std::int64_t at = offset_of(space, out_strides, i);
      const double value = source.get(fills ? 0 : offset_of(space, in_strides, i));
      Array converted(to, 1);
      converted.set(0, value);
      if (call.store == Store::Accumulate)
        expected.set(at, to == float64
                             ? target.get(at) + converted.get(0)
                             : static_cast<double>(static_cast<float>(target.get(at)) + static_cast<float>(value)));
      else
        expected.set(at, converted.get(0));
    }
    const Array result = out.download();
    for (std::int64_t i = 0; i < out_count; ++i)
      ASSERT_TRUE(result.same_bits(i, expected, i)) << name(from) << " to " << name(to) << ", seed " << seed << ", at "
                                                    << i << ": " << result.get(i) << " instead of " << expected.get(i);
  }
};
LUGE_ON_EVERY_DEVICE(CopyTest);

TEST_P(CopyTest, AnyTypesAndLayouts) {
  std::uint64_t seed = 0;
  for (const DType from : kEvery) {
    for (const DType to : kEvery) {
      for (int repetition = 0; repetition < 25; ++repetition) {
        Chooser choose(++seed);
        check_random(from, to, seed, choose.space(0, 4, 20000));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(CopyTest, ContiguousOfEverySize) {
  for (const DType dtype : kEvery) {
    for (const std::int64_t n : kSizes) {
      Array source(dtype, n);
      Chooser choose(static_cast<std::uint64_t>(n));
      choose.fill(source, -9, 9);
      DeviceArray in(backend(), source), out(backend(), Array(dtype, n));
      Copy call;
      call.extent = extent({n});
      call.in = in.operand();
      call.out = out.operand();
      backend().run(call);
      const Array result = out.download();
      for (std::int64_t i = 0; i < n; ++i)
        ASSERT_TRUE(result.same_bits(i, source, i)) << name(dtype) << " " << i << " of " << n;
    }
  }
}

TEST_P(CopyTest, TransposesOfEveryShape) {
  for (const DType dtype : {boolean, float16, float32, float64}) {
    for (const auto& [batch, rows, columns] : {std::array<std::int64_t, 3>{1, 1, 5},
                                               {1, 16, 16},
                                               {3, 17, 33},
                                               {2, 64, 65},
                                               {1, 130, 67},
                                               {1, 1000, 3},
                                               {5, 3, 200},
                                               {1, 15, 40},
                                               {2, 64, 32},
                                               {7, 63, 31},
                                               {1, 65, 33},
                                               {1, 128, 96},
                                               {300, 16, 17},
                                               {1, 16, 1030}}) {
      Array source(dtype, batch * rows * columns);
      Chooser choose(static_cast<std::uint64_t>(rows));
      choose.fill(source, -9, 9);
      DeviceArray in(backend(), source), out(backend(), source);
      // The first arrangement keeps the batch outermost, the second moves it between the two.
      for (const bool between : {false, true}) {
        Copy call;
        call.extent = between ? extent({rows, batch, columns}) : extent({batch, rows, columns});
        call.in = between ? in.operand({1, rows * columns, rows}) : in.operand({rows * columns, 1, rows});
        call.out = between ? out.operand({batch * columns, columns, 1}) : out.operand({rows * columns, columns, 1});
        backend().run(call);
        const Array result = out.download();
        for (std::int64_t i = 0; i < source.count(); ++i)
          ASSERT_TRUE(result.same_bits(i, source, offset_of(call.extent, call.in.strides, i)))
              << rows << " x " << columns << " " << i;
      }
    }
  }
}

/// Slices whose rows are contiguous, at every alignment of rows, widths and addresses, and broadcasts of them.
TEST_P(CopyTest, RowsOfEveryWidthAndAddress) {
  for (const DType dtype : {boolean, float16, float32, float64})
    for (const std::int64_t width : {1, 2, 3, 4, 5, 8, 31, 32, 33, 130})
      for (const std::int64_t gap : {0, 1, 3, 4})
        for (const std::int64_t shift : {0, 1, 2}) {
          constexpr std::int64_t kRows = 37, kMatrices = 3;
          const std::int64_t pitch = width + gap;
          Array source(dtype, kMatrices * kRows * pitch + shift), target(dtype, kMatrices * kRows * pitch + shift);
          Chooser choose(static_cast<std::uint64_t>(width));
          choose.fill(source, -9, 9);
          choose.fill(target, -9, 9);
          DeviceArray in(backend(), source), out(backend(), target);
          for (const std::int64_t row : {pitch, std::int64_t{0}}) {  // the second: every row is the first one
            Copy call;
            call.extent = extent({kMatrices, kRows, width});
            call.in = in.operand({kRows * pitch, row, 1}, shift);
            call.out = out.operand({pitch, kMatrices * pitch, 1}, shift);
            backend().run(call);
            Array expected = target;
            for (std::int64_t i = 0; i < call.extent.count(); ++i)
              expected.set(shift + offset_of(call.extent, call.out.strides, i),
                           source.get(shift + offset_of(call.extent, call.in.strides, i)));
            const Array result = out.download();
            for (std::int64_t i = 0; i < result.count(); ++i)
              ASSERT_TRUE(result.same_bits(i, expected, i))
                  << name(dtype) << " width " << width << " gap " << gap << " shift " << shift << " at " << i;
          }
        }
}

TEST_P(CopyTest, LargeFillsAndCopies) {
  constexpr std::int64_t kN = 9'000'003;
  Array source(float32, kN);
  for (std::int64_t i = 0; i < kN; ++i) source.set(i, static_cast<double>(i % 777));
  DeviceArray in(backend(), source), out(backend(), source);
  Copy call;
  call.extent = extent({kN - 1});
  call.in = immediate(float32, 2.5);
  call.out = out.operand({1}, 1);
  backend().run(call);
  Array result = out.download();
  EXPECT_EQ(result.at<float>(0), 0);
  for (std::int64_t i = 1; i < kN; ++i) ASSERT_EQ(result.at<float>(i), 2.5F) << i;
  call.in = in.operand({1}, 1);
  backend().run(call);
  result = out.download();
  for (std::int64_t i = 0; i < kN; ++i) ASSERT_TRUE(result.same_bits(i, source, i)) << i;
}

TEST_P(CopyTest, FloatsBecomeIntegersTowardsZero) {
  Array source(float64, 4);
  const double values[] = {1.9, -1.9, -0.5, 12345678.5};
  for (std::int64_t i = 0; i < 4; ++i) source.set(i, values[i]);
  DeviceArray in(backend(), source), out(backend(), Array(int64, 4));
  Copy call;
  call.extent = extent({4});
  call.in = in.operand();
  call.out = out.operand();
  backend().run(call);
  const Array result = out.download();
  EXPECT_EQ(result.at<std::int64_t>(0), 1);
  EXPECT_EQ(result.at<std::int64_t>(1), -1);
  EXPECT_EQ(result.at<std::int64_t>(2), 0);
  EXPECT_EQ(result.at<std::int64_t>(3), 12345678);
}

}  // namespace
}  // namespace luge::test
