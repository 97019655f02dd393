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

/// Rows of every width move in words of 1 to 16 bytes, as widths, distances of rows and addresses allow.
TEST_P(GatherTest, RowsOfEveryWidthAndAddress) {
  constexpr std::int64_t kWords = 23, kN = 67;
  for (const DType dtype : {boolean, uint8, int16, float16, int32, int64, float32, float64})
    for (const std::int64_t width : {1, 2, 3, 4, 6, 8, 16, 33, 128})
      for (const std::int64_t shift : {0, 1, 2})
        for (const std::int64_t gap : {0, 1, 4}) {
          Chooser choose(static_cast<std::uint64_t>(width * 10 + shift));
          const std::int64_t pitch = width + gap;
          Array table(dtype, kWords * pitch + shift), labels(int64, kN), out(dtype, kN * pitch + shift);
          choose.fill(table, 0, 100);
          choose.fill(out, 0, 100);
          for (std::int64_t i = 0; i < kN; ++i) labels.set(i, static_cast<double>(choose.below(kWords)));
          DeviceArray dt(backend(), table), dl(backend(), labels), dout(backend(), out);
          Gather call;
          call.extent = extent({kN, width});
          call.source_size = kWords;
          call.source = dt.operand({pitch, 1}, shift);
          call.index = dl.operand({1, 0});
          call.out = dout.operand({pitch, 1}, shift);
          backend().run(call);
          Array expected = out;
          for (std::int64_t i = 0; i < kN; ++i)
            for (std::int64_t j = 0; j < width; ++j)
              expected.set(i * pitch + shift + j, table.get(labels.at<std::int64_t>(i) * pitch + shift + j));
          const Array picked = dout.download();
          for (std::int64_t i = 0; i < picked.count(); ++i)
            ASSERT_TRUE(picked.same_bits(i, expected, i)) << name(dtype) << " " << width << " " << shift << " " << gap;
          // And back: of equal labels the last one stays.
          call.direction = Direction::Backward;
          call.store = Store::Overwrite;
          DeviceArray dback(backend(), table), dvalues(backend(), out);
          call.source = dback.operand({pitch, 1}, shift);
          call.out = dvalues.operand({pitch, 1}, shift);
          backend().run(call);
          expected = table;
          for (std::int64_t i = 0; i < kN; ++i)
            for (std::int64_t j = 0; j < width; ++j)
              expected.set(labels.at<std::int64_t>(i) * pitch + shift + j, out.get(i * pitch + shift + j));
          const Array put = dback.download();
          for (std::int64_t i = 0; i < put.count(); ++i)
            ASSERT_TRUE(put.same_bits(i, expected, i)) << name(dtype) << " " << width << " " << shift << " " << gap;
        }
}

/// Very many labels: a search of each through all others would not end here. Integers below 2^24 add up exactly in any
/// order; the last one's order shows in what is overwritten.
TEST_P(GatherTest, BackwardOfVeryManyLabels) {
  constexpr std::int64_t kN = 120001, kWidth = 4;
  const struct {
    const char* name;
    std::int64_t (*label)(std::int64_t);
  } cases[] = {{"distinct", [](std::int64_t i) { return i * 77777 % kN; }},
               {"equal", [](std::int64_t) { return std::int64_t{5}; }},
               {"of a few", [](std::int64_t i) { return i * i % 1009; }},
               {"in pairs", [](std::int64_t i) { return (i * 31 % kN) / 2; }}};
  for (const auto& [name, label] : cases)
    for (const Store store : {Store::Accumulate, Store::Overwrite}) {
      Array source(float32, kN * kWidth), labels(int64, kN), out(float32, kN * kWidth);
      for (std::int64_t i = 0; i < kN; ++i) labels.set(i, static_cast<double>(label(i)));
      for (std::int64_t i = 0; i < kN * kWidth; ++i) {
        source.set(i, static_cast<double>(i % 7));
        out.set(i, static_cast<double>(i * 13 % 101));
      }
      DeviceArray ds(backend(), source), dl(backend(), labels), dout(backend(), out);
      Gather call;
      call.direction = Direction::Backward;
      call.store = store;
      call.extent = extent({kN, kWidth});
      call.source_size = kN;
      call.source = ds.operand({kWidth, 1});
      call.index = dl.operand({1, 0});
      call.out = dout.operand({kWidth, 1});
      backend().run(call);
      std::vector<double> expected(static_cast<std::size_t>(kN * kWidth));
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = source.get(static_cast<std::int64_t>(i));
      for (std::int64_t i = 0; i < kN; ++i)
        for (std::int64_t j = 0; j < kWidth; ++j) {
          double& place = expected[static_cast<std::size_t>(label(i) * kWidth + j)];
          place = out.get(i * kWidth + j) + (store == Store::Accumulate ? place : 0);
        }
      const Array result = ds.download();
      for (std::int64_t i = 0; i < kN * kWidth; ++i)
        ASSERT_EQ(result.get(i), expected[static_cast<std::size_t>(i)]) << name << " at " << i;
    }
}

/// Gradients that round: the sum of a place has the same bits alone, in a batch of lines, and in wider rows.
TEST_P(GatherTest, ASumHasTheSameBitsInAnyBatch) {
  constexpr std::int64_t kLines = 3, kLength = 3000, kPlaces = 17;
  for (const DType dtype : {float32, float64}) {
    Chooser choose(11);
    Array out(dtype, kLines * kLength), labels(int64, kLines * kLength);
    choose.fill(out, -1, 1);
    for (std::int64_t i = 0; i < labels.count(); ++i) labels.set(i, static_cast<double>(choose.below(kPlaces)));
    // dim 1 of (lines, length), each line with labels of its own.
    const auto add = [&](std::int64_t first, std::int64_t lines) {
      DeviceArray ds(backend(), Array(dtype, lines * kPlaces)), dl(backend(), labels), dout(backend(), out);
      Gather call;
      call.direction = Direction::Backward;
      call.extent = extent({lines, kLength});
      call.dim = 1;
      call.source_size = kPlaces;
      call.source = ds.operand({kPlaces, 1});
      call.index = dl.operand({kLength, 1}, first * kLength);
      call.out = dout.operand({kLength, 1}, first * kLength);
      backend().run(call);
      return ds.download();
    };
    const Array all = add(0, kLines);
    for (std::int64_t line = 0; line < kLines; ++line) {
      const Array one = add(line, 1);
      for (std::int64_t i = 0; i < kPlaces; ++i)
        ASSERT_TRUE(all.same_bits(line * kPlaces + i, one, i)) << name(dtype) << " line " << line;
    }
    // The first line's labels for rows of several equal columns.
    for (const std::int64_t width : {2, 4, 5, 8}) {
      Array rows(dtype, kLength * width);
      for (std::int64_t i = 0; i < rows.count(); ++i) rows.set(i, out.get(i / width));
      DeviceArray ds(backend(), Array(dtype, kPlaces * width)), dl(backend(), labels), drows(backend(), rows);
      Gather call;
      call.direction = Direction::Backward;
      call.extent = extent({kLength, width});
      call.source_size = kPlaces;
      call.source = ds.operand({width, 1});
      call.index = dl.operand({1, 0});
      call.out = drows.operand({width, 1});
      backend().run(call);
      const Array sums = ds.download();
      for (std::int64_t i = 0; i < sums.count(); ++i)
        ASSERT_TRUE(sums.same_bits(i, all, i / width)) << name(dtype) << " width " << width;
    }
  }
}

/// Labels that lie apart, as a column of a matrix, and in more than one batch dimension.
TEST_P(GatherTest, BackwardOfLabelsThatLieApart) {
  constexpr std::int64_t kA = 4, kLength = 50, kB = 3, kPlaces = 9;
  Chooser choose(3);
  Array source(float64, kA * kPlaces * kB), labels(int64, kA * kLength * kB * 2), out(float64, kA * kLength * kB);
  choose.fill(source, -9, 9);
  for (std::int64_t i = 0; i < out.count(); ++i) out.set(i, static_cast<double>(choose.below(1000)));
  for (std::int64_t i = 0; i < source.count(); ++i) source.set(i, static_cast<double>(choose.below(1000)));
  for (std::int64_t i = 0; i < labels.count(); ++i) labels.set(i, static_cast<double>(choose.below(kPlaces)));
  DeviceArray ds(backend(), source), dl(backend(), labels), dout(backend(), out);
  Gather call;
  call.direction = Direction::Backward;
  call.extent = extent({kA, kLength, kB});
  call.dim = 1;
  call.source_size = kPlaces;
  call.source = ds.operand({kPlaces * kB, kB, 1});
  call.index = dl.operand({2, 2 * kA * kB, 2 * kA});
  call.out = dout.operand({kLength * kB, kB, 1});
  backend().run(call);
  Array expected = source;
  for (std::int64_t a = 0; a < kA; ++a)
    for (std::int64_t i = 0; i < kLength; ++i)
      for (std::int64_t b = 0; b < kB; ++b) {
        const auto label = labels.at<std::int64_t>(2 * (a + i * kA * kB + b * kA));
        const std::int64_t at = (a * kPlaces + label) * kB + b;
        expected.set(at, expected.get(at) + out.get((a * kLength + i) * kB + b));
      }
  const Array result = ds.download();
  for (std::int64_t i = 0; i < expected.count(); ++i) ASSERT_EQ(result.get(i), expected.get(i)) << i;
}

}  // namespace
}  // namespace luge::test
