// einsum on every device: sums written out, derivatives, errors. tests/agreement has the values of PyTorch.

#include <luge/ops/create.h>
#include <luge/ops/einsum.h>
#include <luge/ops/matmul.h>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

class EinsumTest : public DeviceTest {
 protected:
  Tensor counted(const Shape& shape, DType dtype = float64) {
    return arange(element_count(shape), on(dtype)).view(shape) + 1;
  }
};
LUGE_ON_EVERY_DEVICE(EinsumTest);

TEST_P(EinsumTest, SumsAreThoseOfTheOperationsWithNames) {
  const Tensor a = counted({2, 3}), b = counted({3, 4}), square = counted({3, 3}), row = counted({3});
  EXPECT_TRUE(same(einsum("ij,jk->ik", {a, b}), a.matmul(b)));
  EXPECT_TRUE(same(einsum("ij,jk", {a, b}), a.matmul(b)));
  EXPECT_TRUE(same(einsum(" ij , jk -> ki ", {a, b}), a.matmul(b).transpose(0, 1)));
  EXPECT_TRUE(same(einsum("ij->", {a}), a.sum()));
  EXPECT_TRUE(same(einsum("ij->ji", {a}), a.transpose(0, 1)));
  EXPECT_TRUE(same(einsum("ba", {a}), a.transpose(0, 1)));
  EXPECT_TRUE(same(einsum("ii", {square}), tensor({15}, on(float64)).squeeze(0)));
  EXPECT_TRUE(same(einsum("ii->i", {square}), tensor({1, 5, 9}, on(float64))));
  EXPECT_TRUE(same(einsum("i,j->ij", {row, row}), row.unsqueeze(1) * row));
  EXPECT_TRUE(same(einsum("...j,j->...", {a, row}), a.matmul(row)));
  EXPECT_TRUE(same(einsum("bij,bjk->bik", {counted({2, 2, 3}), counted({2, 3, 2})}),
                   counted({2, 2, 3}).matmul(counted({2, 3, 2}))));
  EXPECT_TRUE(same(einsum("ij,j,jk->ik", {a, row, b}), (a * row).matmul(b)));
}

TEST_P(EinsumTest, SumsOfNothingAreZero) {
  EXPECT_TRUE(same(einsum("ij,jk->ik", {counted({2, 0}), counted({0, 3})}), zeros({2, 3}, on(float64))));
}

TEST_P(EinsumTest, DerivativesAreThoseOfDifferences) {
  for (const char* const equation : {"ij,kj->ik", "ij,ij->", "ij,kj->", "ij,kl->jl"}) {
    SCOPED_TRACE(equation);
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return einsum(equation, in); },
                                {counted({2, 3}).requires_grad_(true), counted({2, 3}).requires_grad_(true)}));
  }
}

TEST_P(EinsumTest, WrongEquationsAreRefused) {
  const Tensor a = counted({2, 3});
  EXPECT_THROW(einsum("ij,jk->ik", {a}), ValueError);
  EXPECT_THROW(einsum("ij->ik", {a}), ValueError);
  EXPECT_THROW(einsum("i1->i", {a}), ValueError);
  EXPECT_THROW(einsum("ij,jk->ik", {a, a}), ShapeError);
  EXPECT_THROW(einsum("ijk->i", {a}), Error);
}

}  // namespace
}  // namespace luge::test
