// Copies that products go on from: taken out of a plan where nobody else needs them, and only there.

#include <luge/seam/detail/copies.h>

#include <array>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

namespace luge::test {
namespace {

constexpr std::int64_t kRows = 3, kOut = 4, kIn = 5;

/// Memory that calls name; it is never touched.
struct Memory {
  std::array<float, kRows * kIn> x{};
  std::array<float, kIn * kOut> weight{};
  std::array<float, kOut> bias{};
  std::array<float, kRows * kOut> c{}, other{};
};

Operand matrix(void* data, std::int64_t row, std::int64_t column = 1) {
  Operand result;
  result.kind = Operand::Kind::Memory;
  result.data = data;
  result.dtype = DType::Float32;
  result.strides[0] = row;
  result.strides[1] = column;
  return result;
}

Extent result_extent() {
  return Extent().with(kRows).with(kOut);
}

class CopiesTest : public ::testing::Test {
 protected:
  Call copy_bias(void* out) { return Copy{.extent = result_extent(), .in = matrix(m_.bias.data(), 0), .out = matrix(out, kOut)}; }
  Call product(void* c, Store store = Store::Accumulate) {
    MatMul call;
    call.m = kRows;
    call.n = kOut;
    call.k = kIn;
    call.a = matrix(m_.x.data(), kIn);
    call.b = matrix(m_.weight.data(), kOut);
    call.c = matrix(c, kOut);
    call.store = store;
    return call;
  }
  Call copy(void* out, void* in) { return Copy{.extent = result_extent(), .in = matrix(in, kOut), .out = matrix(out, kOut)}; }

  /// bias -> c, and bias + 1 -> other where it does more.
  Chain chain(bool does_more) {
    Chain result;
    result.extent = result_extent();
    result.values = {DType::Float32, DType::Float32};
    result.loads = {{0, matrix(m_.bias.data(), 0)}};
    result.stores = {{0, matrix(m_.c.data(), kOut)}};
    if (!does_more) return result;
    Link link;
    link.op = Op::Exp;
    link.in[0] = {.kind = ChainInput::Kind::Value, .value = 0, .number = {}};
    link.out[0] = 1;
    result.links = {link};
    result.stores.push_back({1, matrix(m_.other.data(), kOut)});
    return result;
  }

  static std::vector<PlanPart> taken(const std::vector<Plan::Item>& items) {
    return without_copies(items, [](const MatMul&, const Operand&) { return true; });
  }
  /// Whether the last item goes on from the bias.
  bool reads_bias(const std::vector<PlanPart>& parts) const { return parts.back().before.data == m_.bias.data(); }

  Memory m_;
};

TEST_F(CopiesTest, AProductReadsWhatWasCopied) {
  const auto parts = taken({copy_bias(m_.c.data()), product(m_.c.data())});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].is_empty);
  EXPECT_FALSE(parts[1].is_empty);
  ASSERT_TRUE(reads_bias(parts));
  EXPECT_EQ(parts[1].before.strides[0], 0);
  EXPECT_EQ(parts[1].before.strides[1], 1);
}

TEST_F(CopiesTest, ABackendThatCannotIsNotAskedTo) {
  const auto parts = without_copies({copy_bias(m_.c.data()), product(m_.c.data())},
                                    [](const MatMul&, const Operand&) { return false; });
  EXPECT_FALSE(parts[0].is_empty);
  EXPECT_FALSE(reads_bias(parts));
}

TEST_F(CopiesTest, AProductThatOverwritesHasNothingBefore) {
  const auto parts = taken({copy_bias(m_.c.data()), product(m_.c.data(), Store::Overwrite)});
  EXPECT_FALSE(parts[0].is_empty);
  EXPECT_FALSE(reads_bias(parts));
}

TEST_F(CopiesTest, AChainKeepsWhatElseItDoes) {
  const auto alone = taken({chain(false), product(m_.c.data())});
  EXPECT_TRUE(alone[0].is_empty);
  EXPECT_TRUE(reads_bias(alone));
  const auto more = taken({chain(true), product(m_.c.data())});
  EXPECT_FALSE(more[0].is_empty);
  EXPECT_TRUE(reads_bias(more));
  const auto& left = std::get<Chain>(more[0].work);
  ASSERT_EQ(left.stores.size(), 1u);
  EXPECT_EQ(left.stores[0].memory.data, m_.other.data());
  EXPECT_EQ(left.loads.size(), 1u) << "a link reads it";
}

TEST_F(CopiesTest, AChainThatRecordsTheBiasKeepsIt) {
  Chain recording = chain(false);
  recording.recordings = {{0, Record{}}};
  const auto parts = taken({recording, product(m_.c.data())});
  EXPECT_FALSE(parts[0].is_empty);
  EXPECT_EQ(std::get<Chain>(parts[0].work).loads.size(), 1u);
}

TEST_F(CopiesTest, ACopyThatSomebodyElseReadsStays) {
  const auto parts = taken({copy_bias(m_.c.data()), copy(m_.other.data(), m_.c.data()), product(m_.c.data())});
  EXPECT_FALSE(parts[0].is_empty);
  EXPECT_FALSE(reads_bias(parts));
}

TEST_F(CopiesTest, ABiasThatChangesInBetweenIsCopied) {
  const Call change = Copy{.extent = Extent().with(kOut), .in = matrix(m_.x.data(), 1), .out = matrix(m_.bias.data(), 1)};
  const auto parts = taken({copy_bias(m_.c.data()), change, product(m_.c.data())});
  EXPECT_FALSE(parts[0].is_empty);
  EXPECT_FALSE(reads_bias(parts));
}

/// The second copy's product comes to read the first one's memory, although no item names it any more.
TEST_F(CopiesTest, ACopyThatAnotherProductCameToReadStays) {
  const Call row_from_c = Copy{.extent = result_extent(), .in = matrix(m_.c.data(), 0), .out = matrix(m_.other.data(), kOut)};
  const auto parts =
      taken({copy_bias(m_.c.data()), row_from_c, product(m_.other.data()), product(m_.c.data())});
  EXPECT_TRUE(parts[1].is_empty);
  EXPECT_EQ(parts[2].before.data, m_.c.data());
  EXPECT_FALSE(parts[0].is_empty) << "the first product reads it";
  EXPECT_FALSE(reads_bias(parts));
}

TEST_F(CopiesTest, MatricesAndHalfCopiesAreNoBias) {
  EXPECT_FALSE(reads_bias(taken({copy(m_.c.data(), m_.other.data()), product(m_.c.data())})));
  Copy columns = std::get<Copy>(copy_bias(m_.c.data()));
  columns.in = matrix(m_.bias.data(), 1, 0);
  EXPECT_FALSE(reads_bias(taken({columns, product(m_.c.data())}))) << "a number for each row";
  Copy two_rows = std::get<Copy>(copy_bias(m_.c.data()));
  two_rows.extent = Extent().with(2).with(kOut);
  EXPECT_FALSE(reads_bias(taken({two_rows, product(m_.c.data())})));
}

}  // namespace
}  // namespace luge::test
