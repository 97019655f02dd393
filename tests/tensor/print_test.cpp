// Expected texts are those of PyTorch 1.13, apart from the name in grad_fn.

#include <limits>
#include <sstream>

#include "devices.h"
#include "expect.h"

namespace luge::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Print, WholeNumbersHaveAPoint) {
  EXPECT_EQ(to_string(tensor({1, 2, 3})), "tensor([1., 2., 3.])");
  EXPECT_EQ(to_string(tensor({-1, 0, 100})), "tensor([ -1.,   0., 100.])");
  EXPECT_EQ(to_string(scalar(2.0)), "tensor(2.)");
  EXPECT_EQ(to_string(zeros({2})), "tensor([0., 0.])");
}

TEST(Print, FourDigitsInOneWidth) {
  EXPECT_EQ(to_string(tensor({0.5, -1.25, 10})), "tensor([ 0.5000, -1.2500, 10.0000])");
  EXPECT_EQ(to_string(scalar(3.14159265)), "tensor(3.1416)");
}

TEST(Print, ScientificWhereTheRangeAsks) {
  EXPECT_EQ(to_string(tensor({0.00001, 1})), "tensor([1.0000e-05, 1.0000e+00])");
  EXPECT_EQ(to_string(tensor({1e9, 0.5})), "tensor([1.0000e+09, 5.0000e-01])");
  EXPECT_EQ(to_string(tensor({1e10})), "tensor([1.0000e+10])");
  EXPECT_EQ(to_string(tensor({0.5, 501})), "tensor([5.0000e-01, 5.0100e+02])");
  EXPECT_EQ(to_string(tensor({1, 2000})), "tensor([1.0000e+00, 2.0000e+03])");
  EXPECT_EQ(to_string(tensor({1e8, 2e8})), "tensor([1.0000e+08, 2.0000e+08])");
  EXPECT_EQ(to_string(tensor({1e8})), "tensor([100000000.])");
  EXPECT_EQ(to_string(tensor({0.0001, 0})), "tensor([1.0000e-04, 0.0000e+00])");  // 0.0001f is below 1e-4
}

TEST(Print, NotFinite) {
  EXPECT_EQ(to_string(tensor({1.5, kNan, kInf, -kInf})), "tensor([1.5000,    nan,    inf,   -inf])");
  EXPECT_EQ(to_string(tensor({1, kNan})), "tensor([1., nan])");
  EXPECT_EQ(to_string(tensor({kInf})), "tensor([inf])");
}

TEST(Print, IntegersAndTruth) {
  EXPECT_EQ(to_string(tensor({1, -20, 300}, {.dtype = int64})), "tensor([  1, -20, 300])");
  EXPECT_EQ(to_string(tensor({1, 2}, {.dtype = int32})), "tensor([1, 2], dtype=int32)");
  EXPECT_EQ(to_string(tensor({1, 0}, {.dtype = boolean})), "tensor([ True, False])");
  EXPECT_EQ(to_string(scalar(true)), "tensor(True)");
  EXPECT_EQ(to_string(scalar(false)), "tensor(False)");
  EXPECT_EQ(to_string(tensor({1, 1}, {.dtype = boolean})), "tensor([True, True])");
}

TEST(Print, NestedBrackets) {
  EXPECT_EQ(to_string(tensor({{1, 2}, {3, 4}})), "tensor([[1., 2.],\n        [3., 4.]])");
  EXPECT_EQ(to_string(arange(8).view({2, 2, 2})),
            "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])");
  EXPECT_EQ(to_string(tensor({{1, 2}, {3, 4}}).t()), "tensor([[1., 3.],\n        [2., 4.]])");
}

TEST(Print, NothingNamesItsShape) {
  EXPECT_EQ(to_string(zeros({0})), "tensor([])");
  EXPECT_EQ(to_string(zeros({2, 0})), "tensor([], size=(2, 0))");
  EXPECT_EQ(to_string(zeros({0}, {.dtype = int64})), "tensor([], dtype=int64)");
  EXPECT_EQ(to_string(zeros({0, 1}, {.dtype = float64})), "tensor([], size=(0, 1), dtype=float64)");
  EXPECT_EQ(to_string(Tensor()), "tensor(undefined)");
}

TEST(Print, OtherThanDefaultDTypesAreNamed) {
  EXPECT_EQ(to_string(tensor({1}, {.dtype = float64})), "tensor([1.], dtype=float64)");
}

TEST(Print, LongRowsBreakAtEightyColumns) {
  EXPECT_EQ(to_string(arange(30)),
            "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
            "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])");
  EXPECT_EQ(to_string(linspace(0, 1, 12) + 0.5),
            "tensor([0.5000, 0.5909, 0.6818, 0.7727, 0.8636, 0.9545, 1.0455, 1.1364, 1.2273,\n"
            "        1.3182, 1.4091, 1.5000])");
}

TEST(Print, TheMiddleOfLongDimensionsIsLeftOut) {
  EXPECT_EQ(to_string(arange(2000)), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])");
  EXPECT_EQ(to_string(arange(1000).view({10, 100}) * 1), to_string(arange(1000).view({10, 100})));
  EXPECT_EQ(to_string(arange(10000).view({100, 100})),
            "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n"
            "        [ 100,  101,  102,  ...,  197,  198,  199],\n"
            "        [ 200,  201,  202,  ...,  297,  298,  299],\n"
            "        ...,\n"
            "        [9700, 9701, 9702,  ..., 9797, 9798, 9799],\n"
            "        [9800, 9801, 9802,  ..., 9897, 9898, 9899],\n"
            "        [9900, 9901, 9902,  ..., 9997, 9998, 9999]])");
}

TEST(Print, TellsOfTheGraph) {
  Tensor x = tensor({1, 2}, {.requires_grad = true});
  EXPECT_EQ(to_string(x), "tensor([1., 2.], requires_grad=True)");
  EXPECT_EQ(to_string(x.exp().sum() * 0), "tensor(0., grad_fn=<mul>)");
  std::ostringstream out;
  out << x.detach();
  EXPECT_EQ(out.str(), "tensor([1., 2.])");
}

class PrintTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(PrintTest);

TEST_P(PrintTest, NamesTheGpu) {
  const std::string suffix = device().is_cuda() ? ", device='cuda:0')" : ")";
  EXPECT_EQ(to_string(tensor({1, 2}, on())), "tensor([1., 2.]" + suffix);
  EXPECT_EQ(to_string(arange(2000, on(int64))), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999]" + suffix);
}

}  // namespace
}  // namespace luge::test
