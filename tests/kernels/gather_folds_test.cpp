// Gathers backward with a fold: sums, products and extremes of what has one label.

#include "backend_fixture.h"

namespace luge::test {
namespace {

class GatherFoldTest : public BackendTest {};
LUGE_ON_EVERY_DEVICE(GatherFoldTest);

constexpr Fold kFolds[] = {Fold::Sum, Fold::Prod, Fold::Min, Fold::Max};
constexpr DType kEveryDType[] = {boolean, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64};

std::int64_t integer_at(const Array& array, std::int64_t i) {
  return array.dtype() == int64 ? array.at<std::int64_t>(i) : static_cast<std::int64_t>(array.get(i));
}

/// Of float64, or of int64 modulo 2^64.
template <class T>
T fold_of(Fold fold, T a, T b) {
  switch (fold) {
    case Fold::Sum: return a + b;
    case Fold::Prod: return a * b;
    case Fold::Min: return std::min(a, b);
    case Fold::Max: break;
  }
  return std::max(a, b);
}

/// Every fold of every dtype, on any layout: integers modulo 2^bits, floats within the rounding of their factors.
TEST_P(GatherFoldTest, FoldsOnAnyLayout) {
  std::uint64_t seed = 2000;
  for (const DType dtype : kEveryDType)
    for (const Fold fold : kFolds)
      for (int round = 0; round < 12; ++round) {
        if (dtype == boolean && (fold == Fold::Sum || fold == Fold::Prod)) continue;
        Chooser choose(++seed);
        const Extent space = choose.space(1, 4, 3000);
        const int dim = static_cast<int>(choose.below(space.ndim));
        const auto u = static_cast<std::size_t>(dim);
        Extent picked = space;
        picked.sizes[u] = 1 + choose.below(40);
        std::int64_t source_count = 0, index_count = 0, out_count = 0;
        const auto source_strides = choose.strides(picked, false, source_count);
        const auto index_strides = choose.strides(space, true, index_count);
        const auto out_strides = choose.strides(space, true, out_count);
        Array source(dtype, source_count), index(int64, index_count), out(dtype, out_count);
        // Products of floats stay near 1.
        const bool near_one = is_floating(dtype) && fold == Fold::Prod;
        choose.fill(source, near_one ? 0.99 : -9, near_one ? 1.01 : 9);
        choose.fill(out, near_one ? 0.99 : -9, near_one ? 1.01 : 9);
        for (std::int64_t i = 0; i < index_count; ++i) index.set(i, static_cast<double>(choose.below(picked.sizes[u])));
        DeviceArray ds(backend(), source), di(backend(), index), dout(backend(), out);
        Gather call;
        call.direction = Direction::Backward;
        call.fold = fold;
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
        const Array result = ds.download();
        const auto n = static_cast<std::size_t>(source_count);
        std::vector<double> expected(n), magnitude(n);
        std::vector<std::uint64_t> modulo(n);
        std::vector<std::int64_t> whole(n);
        for (std::size_t i = 0; i < n; ++i) {
          expected[i] = source.get(static_cast<std::int64_t>(i));
          magnitude[i] = std::abs(expected[i]);
          whole[i] = integer_at(source, static_cast<std::int64_t>(i));
          modulo[i] = static_cast<std::uint64_t>(whole[i]);
        }
        auto source_rest = source_strides;
        source_rest[u] = 0;
        const bool exact = !is_floating(dtype), wraps = fold == Fold::Sum || fold == Fold::Prod;
        for (std::int64_t i = 0; i < space.count(); ++i) {
          const auto label = index.at<std::int64_t>(offset_of(space, index_strides, i));
          const auto to = static_cast<std::size_t>(offset_of(space, source_rest, i) + label * source_strides[u]);
          const std::int64_t from = offset_of(space, out_strides, i);
          expected[to] = fold_of(fold, expected[to], out.get(from));
          magnitude[to] += std::abs(out.get(from));
          const std::int64_t more = integer_at(out, from);
          modulo[to] = fold_of(fold, modulo[to], static_cast<std::uint64_t>(more));
          whole[to] = fold == Fold::Min ? std::min(whole[to], more) : std::max(whole[to], more);
        }
        const std::uint64_t bits = ~std::uint64_t{0} >> (64 - 8 * size_of(dtype));
        for (std::size_t i = 0; i < n; ++i) {
          const auto at = static_cast<std::int64_t>(i);
          if (exact && wraps) {
            ASSERT_EQ(static_cast<std::uint64_t>(integer_at(result, at)) & bits, modulo[i] & bits)
                << name(dtype) << " fold " << int(fold) << " seed " << seed << " at " << i;
          } else if (exact) {
            ASSERT_EQ(integer_at(result, at), whole[i]) << name(dtype) << " fold " << int(fold) << " seed " << seed;
          } else {
            // Halves are folded in float32 and rounded once.
            const double last = dtype == float16 ? 0x1p-11 : dtype == bfloat16 ? 0x1p-8 : 0;
            const double tolerance =
                wraps ? 64 * epsilon(arithmetic_dtype(dtype)) * magnitude[i] + last * std::abs(expected[i]) : 0;
            ASSERT_TRUE(close(result.get(at), expected[i], tolerance))
                << name(dtype) << " fold " << int(fold) << " seed " << seed << " at " << i << ": " << result.get(at)
                << " instead of " << expected[i];
          }
        }
      }
}

/// NaN stays, wherever it stands; without it infinities are values like others.
TEST_P(GatherFoldTest, ExtremesPropagateNaN) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {float32, float64})
    for (const bool maximum : {false, true}) {
      Array source(dtype, 4), labels(int64, 6), out(dtype, 6);
      const double start[] = {1, kNaN, 1, 1}, values[] = {kNaN, 5, 2, kInf, -kInf, 3};
      const std::int64_t places[] = {0, 0, 1, 2, 2, 3};
      for (std::int64_t i = 0; i < 4; ++i) source.set(i, start[i]);
      for (std::int64_t i = 0; i < 6; ++i) {
        out.set(i, values[i]);
        labels.set(i, static_cast<double>(places[i]));
      }
      DeviceArray ds(backend(), source), dl(backend(), labels), dout(backend(), out);
      Gather call;
      call.direction = Direction::Backward;
      call.fold = maximum ? Fold::Max : Fold::Min;
      call.extent = extent({6});
      call.source_size = 4;
      call.source = ds.operand({1});
      call.index = dl.operand({1});
      call.out = dout.operand({1});
      backend().run(call);
      const Array result = ds.download();
      EXPECT_TRUE(std::isnan(result.get(0)) && std::isnan(result.get(1))) << name(dtype);
      EXPECT_EQ(result.get(2), maximum ? kInf : -kInf) << name(dtype);
      EXPECT_EQ(result.get(3), maximum ? 3 : 1) << name(dtype);
    }
}

/// Folds that round have the same bits alone and among other lines; long chains are folded in pieces.
TEST_P(GatherFoldTest, AFoldHasTheSameBitsInAnyBatch) {
  constexpr std::int64_t kLines = 3, kLength = 1000, kPlaces = 5;
  for (const DType dtype : {float16, float32, float64})
    for (const Fold fold : {Fold::Sum, Fold::Prod}) {
      Chooser choose(12);
      Array out(dtype, kLines * kLength), labels(int64, kLines * kLength);
      choose.fill(out, 0.98, 1.02);
      for (std::int64_t i = 0; i < labels.count(); ++i) labels.set(i, static_cast<double>(choose.below(kPlaces)));
      const auto folded = [&](std::int64_t first, std::int64_t lines) {
        Array start(dtype, lines * kPlaces);
        for (std::int64_t i = 0; i < start.count(); ++i) start.set(i, 1);
        DeviceArray ds(backend(), start), dl(backend(), labels), dout(backend(), out);
        Gather call;
        call.direction = Direction::Backward;
        call.fold = fold;
        call.extent = extent({lines, kLength});
        call.dim = 1;
        call.source_size = kPlaces;
        call.source = ds.operand({kPlaces, 1});
        call.index = dl.operand({kLength, 1}, first * kLength);
        call.out = dout.operand({kLength, 1}, first * kLength);
        backend().run(call);
        return ds.download();
      };
      const Array all = folded(0, kLines);
      for (std::int64_t line = 0; line < kLines; ++line) {
        const Array one = folded(line, 1);
        for (std::int64_t i = 0; i < kPlaces; ++i)
          ASSERT_TRUE(all.same_bits(line * kPlaces + i, one, i)) << name(dtype) << " line " << line;
      }
    }
}

}  // namespace
}  // namespace luge::test
