#include "backend_fixture.h"

#include <luge/base/error.h>

namespace luge::test {
namespace {

class GatherTest : public BackendTest {
 protected:
  void check(DType dtype, Direction direction, std::uint64_t seed) {
    Chooser choose(seed);
    const Extent space = choose.space(1, 4, 8000);
    const int dim = static_cast<int>(choose.below(space.ndim));
    const auto u = static_cast<std::size_t>(dim);
    Extent picked = space;
    picked.sizes[u] = 1 + choose.below(40);
    std::int64_t source_count = 0, index_count = 0, out_count = 0;
    const bool forward = direction == Direction::Forward;
    const auto source_strides = choose.strides(picked, false, source_count);
    const auto index_strides = choose.strides(space, true, index_count);
    const auto out_strides = choose.strides(space, !forward, out_count);
    Array source(dtype, source_count), index(int64, index_count), out(dtype, out_count);
    choose.fill(source, -9, 9);
    choose.fill(out, -9, 9);
    for (std::int64_t i = 0; i < index_count; ++i) index.set(i, static_cast<double>(choose.below(picked.sizes[u])));
    DeviceArray ds(backend(), source), di(backend(), index), dout(backend(), out);
    Gather call;
    call.direction = direction;
    call.extent = space;
    call.dim = dim;
    call.source_size = picked.sizes[u];
    call.source = ds.window();
    call.source.strides = source_strides;
    call.index = di.window();
    call.index.strides = index_strides;
    call.out = dout.window();
    call.out.strides = out_strides;
    backend().run(call);
    const Array result = forward ? dout.download() : ds.download();
    Array expected = forward ? out : source;
    std::vector<double> magnitude(static_cast<std::size_t>(expected.count()), 0);
    for (std::int64_t i = 0; i < expected.count(); ++i)
      magnitude[static_cast<std::size_t>(i)] = std::abs(expected.get(i));
    std::vector<double> sums(static_cast<std::size_t>(expected.count()));
    for (std::int64_t i = 0; i < expected.count(); ++i) sums[static_cast<std::size_t>(i)] = expected.get(i);
    auto source_rest = source_strides;
    source_rest[u] = 0;
    for (std::int64_t i = 0; i < space.count(); ++i) {
      const std::int64_t label = index.at<std::int64_t>(offset_of(space, index_strides, i));
      const std::int64_t from = offset_of(space, source_rest, i) + label * source_strides[u],
                         to = offset_of(space, out_strides, i);
      if (forward) {
        sums[static_cast<std::size_t>(to)] = source.get(from);
      } else {
        sums[static_cast<std::size_t>(from)] += out.get(to);
        magnitude[static_cast<std::size_t>(from)] += std::abs(out.get(to));
      }
    }
    for (std::int64_t i = 0; i < expected.count(); ++i) {
      const double tolerance = forward ? 0 : 64 * epsilon(dtype) * magnitude[static_cast<std::size_t>(i)];
      ASSERT_TRUE(close(result.get(i), sums[static_cast<std::size_t>(i)], tolerance))
          << name(dtype) << " seed " << seed << " at " << i << ": " << result.get(i) << " instead of "
          << sums[static_cast<std::size_t>(i)];
    }
  }
};
LUGE_ON_EVERY_DEVICE(GatherTest);

TEST_P(GatherTest, ForwardOnAnyLayout) {
  std::uint64_t seed = 0;
  for (const DType dtype : {boolean, int32, int64, float32, float64})
    for (int i = 0; i < 40; ++i) {
      check(dtype, Direction::Forward, ++seed);
      if (HasFatalFailure()) return;
    }
}

TEST_P(GatherTest, BackwardOnAnyLayout) {
  std::uint64_t seed = 1000;
  for (const DType dtype : {float32, float64})
    for (int i = 0; i < 60; ++i) {
      check(dtype, Direction::Backward, ++seed);
      if (HasFatalFailure()) return;
    }
}

/// Lines of labels that are all distinct, as an order's are, added to what is there.
TEST_P(GatherTest, BackwardOfDistinctLabels) {
  constexpr std::int64_t kRows = 3, kColumns = 1001, kLabels = 700;
  for (const DType dtype : {float32, float64}) {
    Array source(dtype, kRows * kColumns), labels(int64, kRows * kLabels), out(dtype, kRows * kLabels);
    Chooser choose(5);
    choose.fill(source, -1, 1);
    choose.fill(out, -1, 1);
    for (std::int64_t r = 0; r < kRows; ++r)
      for (std::int64_t i = 0; i < kLabels; ++i)
        labels.set(r * kLabels + i, static_cast<double>((i * 37 + r) % kColumns));
    DeviceArray ds(backend(), source), dl(backend(), labels), dout(backend(), out);
    Gather call;
    call.direction = Direction::Backward;
    call.distinct = true;
    call.extent = extent({kRows, kLabels});
    call.dim = 1;
    call.source_size = kColumns;
    call.source = ds.operand({kColumns, 1});
    call.index = dl.operand({kLabels, 1});
    call.out = dout.operand({kLabels, 1});
    backend().run(call);
    Array expected = source;
    for (std::int64_t r = 0; r < kRows; ++r)
      for (std::int64_t i = 0; i < kLabels; ++i) {
        const std::int64_t at = r * kColumns + labels.at<std::int64_t>(r * kLabels + i);
        expected.set(at, source.get(at) + out.get(r * kLabels + i));
      }
    const Array result = ds.download();
    for (std::int64_t i = 0; i < expected.count(); ++i)
      ASSERT_TRUE(close(result.get(i), expected.get(i), epsilon(dtype))) << name(dtype) << " at " << i;
  }
}

/// The least label that does not exist is the end of the table, where memory ends, too.
TEST_P(GatherTest, TheEndOfTheTableIsOutside) {
  if (!backend().device().is_cuda()) GTEST_SKIP() << "the CPU leaves labels to the checks before the call";
  DeviceArray table(backend(), Array(float32, 10)), out(backend(), Array(float32, 1));
  Array labels(int64, 1);
  labels.set(0, 10);
  DeviceArray label(backend(), labels);
  Gather call;
  call.extent = extent({1});
  call.source_size = 10;
  call.source = table.operand({1});
  call.index = label.operand({1});
  call.out = out.operand({1});
  for (const Direction direction : {Direction::Forward, Direction::Backward}) {
    call.direction = direction;
    backend().run(call);
    EXPECT_THROW(backend().synchronize(), IndexError);
  }
}

/// The table of an embedding: rows move as a whole; a label that does not exist harms nothing.
TEST_P(GatherTest, RowsOfATable) {
  constexpr std::int64_t kWords = 100, kWidth = 33, kN = 2000;
  Array table(float32, kWords * kWidth), labels(int64, kN), out(float32, kN * kWidth);
  Chooser choose(1);
  choose.fill(table, -1, 1);
  for (std::int64_t i = 0; i < kN; ++i) labels.set(i, static_cast<double>(choose.below(kWords)));
  labels.set(7, -1);
  labels.set(8, 1e15);
  DeviceArray dt(backend(), table), dl(backend(), labels), dout(backend(), out);
  Gather call;
  call.extent = extent({kN, kWidth});
  call.source_size = kWords;
  call.source = dt.operand({kWidth, 1});
  call.index = dl.operand({1, 0});
  call.out = dout.operand({kWidth, 1});
  // A GPU reports such labels at the next synchronisation; the CPU leaves them to the checks before the call.
  const auto run = [&] {
    backend().run(call);
    if (!backend().device().is_cuda()) return;
    try {
      backend().synchronize();
      ADD_FAILURE() << "the labels outside the table were not reported";
    } catch (const IndexError& error) {
      EXPECT_TRUE(std::string(error.what()).ends_with(" is outside [0, 100)")) << error.what();
    }
  };
  run();
  const Array result = dout.download();
  for (std::int64_t i = 0; i < kN; ++i)
    for (std::int64_t j = 0; j < kWidth; ++j)
      if (i != 7 && i != 8) {
        ASSERT_TRUE(result.same_bits(i * kWidth + j, table, labels.at<std::int64_t>(i) * kWidth + j));
      }
  call.direction = Direction::Backward;
  run();
  const Array sums = dt.download();
  std::vector<float> expected(static_cast<std::size_t>(kWords * kWidth));
  for (std::int64_t i = 0; i < kWords * kWidth; ++i) expected[static_cast<std::size_t>(i)] = table.at<float>(i);
  for (std::int64_t i = 0; i < kN; ++i)
    for (std::int64_t j = 0; j < kWidth; ++j)
      if (i != 7 && i != 8)
        expected[static_cast<std::size_t>(labels.at<std::int64_t>(i) * kWidth + j)] += result.at<float>(i * kWidth + j);
  for (std::int64_t i = 0; i < kWords * kWidth; ++i)
    ASSERT_NEAR(sums.get(i), static_cast<double>(expected[static_cast<std::size_t>(i)]), 1e-4) << i;
}

}  // namespace
}  // namespace luge::test
