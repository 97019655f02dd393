#include "expect.h"

namespace luge::test {
namespace {

TEST(Shape, HoldsUpToEightDimensions) {
  Shape shape{2, 3};
  shape.push_back(4);
  shape.insert(0, 7);
  EXPECT_EQ(shape, (Shape{7, 2, 3, 4}));
  shape.erase(1);
  EXPECT_EQ(shape, (Shape{7, 3, 4}));
  EXPECT_EQ(shape.back(), 4);
  EXPECT_EQ(Shape{}.ndim(), 0);
  EXPECT_TRUE(Shape{}.empty());
  EXPECT_EQ(Dims::filled(3, 5), (Shape{5, 5, 5}));
  EXPECT_NE((Shape{1}), (Shape{1, 1}));
  Shape full = Dims::filled(kMaxDims, 1);
  EXPECT_THROW(full.push_back(1), ShapeError);
  EXPECT_THROW(full.insert(0, 1), ShapeError);
  EXPECT_EQ(full.ndim(), kMaxDims);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
}

TEST(Shape, IsWrittenAsNumPyDoes) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{5}), "(5,)");
  EXPECT_EQ(to_string(Shape{2, 3, 4}), "(2, 3, 4)");
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({0}), 0);
  EXPECT_EQ(element_count({3, 4, 5}), 60);
  EXPECT_EQ(element_count({std::int64_t{1} << 40, std::int64_t{1} << 22}), std::int64_t{1} << 62);
  EXPECT_EQ(element_count({std::int64_t{1} << 40, std::int64_t{1} << 40, 0}), 0);  // empty, not an overflow
  expect_errors({
      LUGE_ERROR(ShapeError, "shape: the shape \\(2, -1\\) has a negative size", element_count({2, -1})),
      LUGE_ERROR(ShapeError, "negative size", element_count({0, -1})),
      LUGE_ERROR(ShapeError, "more than 2\\^63 - 1", element_count({std::int64_t{1} << 40, std::int64_t{1} << 40})),
  });
}

TEST(Shape, ContiguousStrides) {
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_EQ(contiguous_strides({}), (Strides{}));
  EXPECT_EQ(contiguous_strides({2, 0, 3}), (Strides{3, 3, 1}));
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  EXPECT_EQ(contiguous_strides({kHuge, kHuge, 0}), Strides({kHuge, 1, 1}));
  EXPECT_EQ(zeros({kHuge, kHuge, 0}).numel(), 0);
  expect_errors(
      {LUGE_ERROR(ShapeError, "^zeros: the shape .* has strides beyond 2\\^63 - 1", zeros({2, kHuge, kHuge, 0}))});
}

TEST(Shape, ContiguityIgnoresStridesThatAreNeverWalked) {
  EXPECT_TRUE(is_contiguous({2, 3}, {3, 1}));
  EXPECT_FALSE(is_contiguous({2, 3}, {1, 2}));
  EXPECT_FALSE(is_contiguous({2, 3}, {4, 1}));
  EXPECT_TRUE(is_contiguous({2, 1, 3}, {3, 77, 1}));
  EXPECT_TRUE(is_contiguous({1, 1}, {5, 0}));
  EXPECT_TRUE(is_contiguous({2, 0}, {9, 9}));
  EXPECT_FALSE(is_contiguous({2, 3}, {0, 1}));
  EXPECT_TRUE(is_contiguous({}, {}));
}

TEST(Broadcast, FollowsNumPy) {
  EXPECT_EQ(broadcast_shapes("op", {2, 3}, {3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes("op", {3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes("op", {2, 1, 4}, {3, 1}), (Shape{2, 3, 4}));
  EXPECT_EQ(broadcast_shapes("op", {}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes("op", {1}, {0}), (Shape{0}));
  EXPECT_EQ(broadcast_shapes("op", {0, 3}, {1, 3}), (Shape{0, 3}));
  expect_errors({
      LUGE_ERROR(ShapeError, "add: shapes \\(2, 3\\) and \\(2, 4\\) do not broadcast: size 3 meets 4 in dimension -1",
                 broadcast_shapes("add", {2, 3}, {2, 4})),
      LUGE_ERROR(ShapeError, "size 2 meets 3 in dimension -1", broadcast_shapes("add", {2}, {3, 3})),
      LUGE_ERROR(ShapeError, "size 5 meets 2 in dimension -2", broadcast_shapes("add", {7, 5, 3}, {2, 3})),
      LUGE_ERROR(ShapeError, "size 2 meets 0", broadcast_shapes("add", {2}, {0})),
  });
}

TEST(Broadcast, StridesAreZeroWhereElementsRepeat) {
  EXPECT_EQ(broadcast_strides("op", {3, 1}, {1, 1}, {2, 3, 4}), (Strides{0, 1, 0}));
  EXPECT_EQ(broadcast_strides("op", {2, 3}, {3, 1}, {2, 3}), (Strides{3, 1}));
  expect_errors({
      LUGE_ERROR(ShapeError, "expand: shape \\(2, 3\\) has more dimensions than \\(3,\\)",
                 broadcast_strides("expand", {2, 3}, {3, 1}, {3})),
      LUGE_ERROR(ShapeError, "expand: shape \\(2,\\) does not broadcast to \\(3,\\)",
                 broadcast_strides("expand", {2}, {1}, {3})),
  });
}

TEST(Dimension, CountsFromBothEnds) {
  EXPECT_EQ(normalize_dim("op", 1, 3), 1);
  EXPECT_EQ(normalize_dim("op", -1, 3), 2);
  EXPECT_EQ(normalize_dim("op", -3, 3), 0);
  EXPECT_EQ(normalize_dim("op", 0, 0), 0);
  EXPECT_EQ(normalize_dim("op", -1, 0), 0);
  expect_errors({
      LUGE_ERROR(IndexError, "sum: dim 3 is out of range; a 3-d tensor allows -3 to 2", normalize_dim("sum", 3, 3)),
      LUGE_ERROR(IndexError, "dim -4", normalize_dim("sum", -4, 3)),
      LUGE_ERROR(IndexError, "dim 1 is out of range; a 0-d", normalize_dim("sum", 1, 0)),
  });
}

/// The offsets that a window visits in row-major order.
std::vector<std::int64_t> offsets(const Shape& shape, const Strides& strides) {
  std::vector<std::int64_t> result;
  for (std::int64_t position = 0; position < element_count(shape); ++position) {
    std::int64_t rest = position, offset = 0;
    for (int d = shape.ndim() - 1; d >= 0; --d) {
      offset += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    result.push_back(offset);
  }
  return result;
}

/// Every shape of up to three dimensions with this many elements, and some with sizes of 1.
std::vector<Shape> shapes_of(std::int64_t count) {
  std::vector<Shape> result{{count}, {1, count}, {count, 1}, {1, count, 1, 1}};
  for (std::int64_t a = 1; a <= count; ++a) {
    if (count % a != 0) continue;
    result.push_back({a, count / a});
    result.push_back({1, a, 1, count / a});
    for (std::int64_t b = 1; b <= count / a; ++b)
      if (count / a % b == 0) result.push_back({a, b, count / a / b});
  }
  return result;
}

/// Strides that reproduce `offsets` for `target` are fixed up to dimensions of size 1, so an exhaustive
/// check: each stride is the distance of the first two elements along its dimension, or there are none.
bool some_strides(const std::vector<std::int64_t>& walk, const Shape& target, Strides& result) {
  result = Dims::filled(target.ndim(), 1);
  std::int64_t step = 1;
  for (int d = target.ndim() - 1; d >= 0; --d) {
    if (target[d] > 1) result[d] = walk[static_cast<std::size_t>(step)] - walk[0];
    step *= target[d];
  }
  return offsets(target, result) == walk;
}

TEST(ViewStrides, ExistExactlyWhereSomeStridesDo) {
  struct Source {
    Shape shape;
    Strides strides;
  };
  const Source sources[] = {
      {{24}, {1}},            {{24}, {2}},           {{4, 6}, {6, 1}},          {{4, 6}, {1, 4}},
      {{4, 6}, {12, 2}},      {{4, 6}, {7, 1}},      {{2, 3, 4}, {12, 4, 1}},   {{2, 3, 4}, {1, 2, 6}},
      {{2, 3, 4}, {4, 8, 1}}, {{2, 3, 4}, {24, 4, 1}}, {{4, 6}, {0, 1}},        {{4, 6}, {1, 0}},
      {{4, 6}, {0, 0}},       {{2, 3, 4}, {0, 4, 1}}, {{2, 1, 12}, {12, 5, 1}}, {{2, 1, 3, 4}, {1, 0, 8, 2}},
      {{1, 24, 1}, {3, 2, 9}}, {{24, 1}, {1, 24}},   {{1}, {5}},                {{}, {}},
  };
  int possible = 0, impossible = 0;
  for (const Source& source : sources) {
    const std::vector<std::int64_t> walk = offsets(source.shape, source.strides);
    for (const Shape& target : shapes_of(static_cast<std::int64_t>(walk.size()))) {
      Strides expected, actual;
      const bool exists = some_strides(walk, target, expected);
      ++(exists ? possible : impossible);
      ASSERT_EQ(view_strides(source.shape, source.strides, target, actual), exists)
          << to_string(source.shape) << " by " << to_string(source.strides) << " as " << to_string(target);
      if (exists) {
        EXPECT_EQ(offsets(target, actual), walk)
            << to_string(source.shape) << " by " << to_string(source.strides) << " as " << to_string(target) << " gives "
            << to_string(actual);
      }
    }
  }
  EXPECT_GT(possible, 100);
  EXPECT_GT(impossible, 100);
}

TEST(ViewStrides, OfNothing) {
  Strides strides;
  EXPECT_TRUE(view_strides({0, 3}, {1, 2}, {3, 0, 5}, strides));
  EXPECT_EQ(strides, contiguous_strides({3, 0, 5}));
}

}  // namespace
}  // namespace luge::test
