// Which products of a segment take the activation behind them along, and that they leave what both calls leave.

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu/fused/set_parts.h"
#include "kernels/cpu/kernels.h"

namespace luge::test {
namespace {

using cpu::SetPart;

constexpr std::int64_t kSetsOfProducts = 3, kRowsOfC = 7, kColumnsOfC = 19, kTerms = 5;

/// Memory of all sets.
struct SetMemory {
  std::int64_t set;  ///< elements of a set
  std::vector<float> data;

  SetMemory(std::int64_t rows, std::int64_t columns, unsigned seed)
      : set(rows * columns), data(static_cast<std::size_t>(kSetsOfProducts * set)) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& element : data) element = uniform(engine);
  }
  Operand matrix(std::int64_t row) { return operand({set, row, 1}); }
  Operand flat() { return operand({set, 1}); }
  Operand operand(std::array<std::int64_t, kMaxDims> strides) {
    Operand window;
    window.kind = Operand::Kind::Memory;
    window.data = data.data();
    window.strides = strides;
    return window;
  }
  SetSegment::Local local() {
    return {reinterpret_cast<std::byte*>(data.data()), set * static_cast<std::int64_t>(sizeof(float))};
  }
};

Extent sets_of(std::int64_t rows) { return Extent().with(kSetsOfProducts).with(rows); }

/// A layer's product, c or its gradient, and what comes behind.
struct FusedProducts : ::testing::Test {
  SetMemory a{kRowsOfC, kTerms, 1}, b{kTerms, kColumnsOfC, 2}, c{kRowsOfC, kColumnsOfC, 3},
      y{kRowsOfC, kColumnsOfC, 4}, out{kRowsOfC, kColumnsOfC, 5}, other{kRowsOfC, kColumnsOfC, 6};

  SetPart product(Store store = Store::Overwrite) {
    MatMul call;
    call.batch = Extent().with(kSetsOfProducts);
    call.m = kRowsOfC;
    call.n = kColumnsOfC;
    call.k = kTerms;
    call.a = a.matrix(kTerms);
    call.b = b.matrix(kColumnsOfC);
    call.c = c.matrix(kColumnsOfC);
    call.store = store;
    return {Call(call), {}};
  }
  static SetPart relu(Operand in, Operand to) {
    Elementwise call{};
    call.op = Op::Relu;
    call.extent = sets_of(kRowsOfC * kColumnsOfC);
    call.inputs = call.outputs = 1;
    call.in[0] = in;
    call.out[0] = to;
    return {Call(call), {}};
  }
  static SetPart relu_backward(Operand dy, Operand saved, Operand to) {
    SetPart part = relu(dy, to);
    auto& call = std::get<Elementwise>(std::get<Call>(part.work));
    call.direction = Direction::Backward;
    call.inputs = 3;
    call.in[2] = saved;
    return part;
  }
  static SetPart copy(Operand in, Operand to) {
    Copy call;
    call.extent = sets_of(kRowsOfC * kColumnsOfC);
    call.in = in;
    call.out = to;
    return {Call(call), {}};
  }

  static void run(const std::vector<SetPart>& parts) {
    for (const SetPart& part : parts) {
      const Call& call = std::get<Call>(part.work);
      if (part.fusion.is_some())
        cpu::run_fused(std::get<MatMul>(call), part.fusion);
      else
        std::visit([](const auto& kind) { cpu::run(kind); }, call);
    }
  }

  /// `left` parts are left, and make the same of everything but c where that is local.
  void expect(std::vector<SetPart> parts, std::size_t left, bool c_is_local = true) {
    const std::vector<float> start[] = {c.data, y.data, out.data, other.data};
    const auto restart = [&] { c.data = start[0], y.data = start[1], out.data = start[2], other.data = start[3]; };
    // Vectors keep their memory when they are assigned as many elements.
    run(parts);
    const std::vector<float> expected[] = {c.data, y.data, out.data, other.data};
    restart();
    const bool sees_c = left == parts.size() || !c_is_local;
    std::vector<SetSegment::Local> locals;
    if (c_is_local) locals.push_back(c.local());
    cpu::fuse_activations(parts, locals, kSetsOfProducts);
    EXPECT_EQ(parts.size(), left);
    run(parts);
    const std::vector<float>* const found[] = {&c.data, &y.data, &out.data, &other.data};
    for (std::size_t i = sees_c ? 0 : 1; i < std::size(found); ++i)
      EXPECT_EQ(std::memcmp(found[i]->data(), expected[i].data(), expected[i].size() * sizeof(float)), 0) << "memory " << i;
    restart();
  }
};

TEST_F(FusedProducts, ReluBehindAProduct) {
  for (const Store store : {Store::Overwrite, Store::Accumulate}) expect({product(store), relu(c.flat(), out.flat())}, 1);
  SetPart with_bias = product(Store::Accumulate);
  with_bias.fusion.before = other.operand({kColumnsOfC, 0, 1});
  expect({with_bias, relu(c.flat(), out.flat())}, 1);
}

TEST_F(FusedProducts, GradientOfAReluBehindAProduct) {
  for (const Store store : {Store::Overwrite, Store::Accumulate}) {
    expect({product(store), relu_backward(c.flat(), y.flat(), out.flat())}, 1);
    expect({product(store), relu_backward(c.flat(), y.flat(), y.flat())}, 1);  // in y's place
  }
}

TEST_F(FusedProducts, ReluInPlaceNeedsNoLocalMemory) { expect({product(), relu(c.flat(), c.flat())}, 1, false); }

TEST_F(FusedProducts, PartsBetweenThatTouchNothingOfIt) {
  expect({product(), copy(y.flat(), other.flat()), relu(c.flat(), out.flat())}, 2);
}

TEST_F(FusedProducts, ReluOfMemoryThatOutlivesTheSegmentStays) { expect({product(), relu(c.flat(), out.flat())}, 2, false); }

TEST_F(FusedProducts, ReluOfWhatIsReadAgainStays) {
  expect({product(), relu(c.flat(), out.flat()), copy(c.flat(), other.flat())}, 3);
  expect({product(), copy(c.flat(), other.flat()), relu(c.flat(), out.flat())}, 3);
}

TEST_F(FusedProducts, MemoryThatIsOverwrittenIsNotReadAgain) {
  expect({product(), relu(c.flat(), out.flat()), copy(y.flat(), c.flat()), copy(c.flat(), other.flat())}, 3);
}

TEST_F(FusedProducts, ReluStaysWherePartsBetweenMeetWhatItTouches) {
  expect({product(), copy(out.flat(), other.flat()), relu(c.flat(), out.flat())}, 3);            // reads out before
  expect({product(), copy(other.flat(), out.flat()), relu(c.flat(), out.flat())}, 3);            // writes it before
  expect({product(), copy(other.flat(), y.flat()), relu_backward(c.flat(), y.flat(), out.flat())}, 3);  // makes y
}

TEST_F(FusedProducts, ReluIntoAFactorStays) {
  SetMemory wide(kRowsOfC, kColumnsOfC, 8);
  SetPart first = product();
  std::get<MatMul>(std::get<Call>(first.work)).a = wide.operand({wide.set, kColumnsOfC, 1});
  std::vector<SetPart> parts{first, relu(c.flat(), wide.flat())};
  cpu::fuse_activations(parts, {c.local()}, kSetsOfProducts);
  EXPECT_EQ(parts.size(), 2u);
}

/// Items of a plan have no dimension of sets: here the first set alone.
TEST_F(FusedProducts, BiasAndReluWithoutSets) {
  const auto row = [](SetMemory& of, std::int64_t first, std::int64_t second) { return of.operand({first, second}); };
  SetPart bias = copy(row(other, 0, 1), row(c, kColumnsOfC, 1)), first = product(Store::Accumulate);
  std::get<Copy>(std::get<Call>(bias.work)).extent = Extent().with(kRowsOfC).with(kColumnsOfC);
  auto& call = std::get<MatMul>(std::get<Call>(first.work));
  call.batch = Extent();
  call.a = row(a, kTerms, 1);
  call.b = row(b, kColumnsOfC, 1);
  call.c = row(c, kColumnsOfC, 1);
  SetPart last = relu_backward(row(c, 1, 0), row(y, 1, 0), row(out, 1, 0));
  std::get<Elementwise>(std::get<Call>(last.work)).extent = Extent().with(kRowsOfC * kColumnsOfC);
  std::vector<SetPart> parts{bias, first, last};
  run(parts);
  const std::vector<float> expected = out.data;
  std::fill(out.data.begin(), out.data.begin() + out.set, 0.0F);
  std::vector<Plan::Item> items;
  for (const SetPart& part : parts) items.push_back(part.work);
  EXPECT_EQ(cpu::fused_parts(items, {}, 1).size(), 2u);  // bias and product; the relu would need c's place
  parts = cpu::fused_parts(items, {c.local()}, 1);
  EXPECT_EQ(parts.size(), 1u);
  run(parts);
  EXPECT_EQ(std::memcmp(out.data.data(), expected.data(), expected.size() * sizeof(float)), 0);
}

TEST_F(FusedProducts, OtherOpsStay) {
  SetPart tanh = relu(c.flat(), out.flat());
  std::get<Elementwise>(std::get<Call>(tanh.work)).op = Op::Tanh;
  expect({product(), tanh}, 2);
  SetPart part_of_c = relu(c.flat(), out.flat());
  std::get<Elementwise>(std::get<Call>(part_of_c.work)).extent = sets_of(kRowsOfC * kColumnsOfC - 1);
  expect({product(), part_of_c}, 2);
}

}  // namespace
}  // namespace luge::test
