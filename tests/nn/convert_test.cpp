// Parameters that change their dtype in place.

#include <vector>

#include <luge/luge.h>

#include "devices.h"
#include "train/messages.h"

namespace luge::test {
namespace {

class ConvertTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(ConvertTest);

using Values = std::vector<double>;
Values values(const Tensor& t) { return t.to_vector<double>(); }

TEST_P(ConvertTest, EveryHandleSeesTheNewDType) {
  Tensor w = tensor({1, 2}, on(float32, true));
  const Tensor tied = w, view = w.detach();
  (w * 3).sum().backward();
  nn::convert({w, tied}, float64, {});
  EXPECT_EQ(tied.dtype(), float64);
  EXPECT_TRUE(tied.requires_grad());
  EXPECT_EQ(tied.grad().dtype(), float64);
  EXPECT_EQ(values(tied.grad()), (Values{3, 3}));
  EXPECT_EQ(view.dtype(), float32);  // of the memory that w had
  EXPECT_EQ(values(view), (Values{1, 2}));
  Sgd optimizer({w, tied}, {.lr = 1});
  optimizer.zero_grad();
  (w * tied).sum().backward();
  optimizer.step();
  EXPECT_EQ(values(tied), (Values{-1, -2}));
}

TEST_P(ConvertTest, BringsToTheDeviceAndBack) {
  Tensor w = tensor({1, 2}, {.requires_grad = true});
  Tensor index = zeros({2}, {.dtype = int64});
  nn::convert({w, index}, float64, device());
  EXPECT_EQ(w.device(), device());
  EXPECT_EQ(index.device(), device());
  EXPECT_EQ(index.dtype(), int64);
  (w * w).sum().backward();
  EXPECT_EQ(values(w.grad()), (Values{2, 4}));
  nn::convert({w, index}, {}, Device::cpu());
  EXPECT_EQ(values(w.grad()), (Values{2, 4}));
  EXPECT_TRUE(index.device().is_cpu());
}

TEST_P(ConvertTest, LeavesOfAnArenaStayAsTheyAre) {
  const Tensor loose = ones({2}, on(float32, true)), own = ones({3}, on(float32, true));
  const Sgd optimizer({own});
  EXPECT_MESSAGE(
      ValueError,
      "Linear.to: a parameter of shape (3,) belongs to an optimizer or to a Parameters, which keeps its dtype "
      "(float32) and device (" +
          to_string(device()) +
          "); call to() before making the optimizer, or make the Parameters with the dtype and device",
      nn::convert({loose, own}, float64, {}, "Linear.to"));
  EXPECT_EQ(loose.dtype(), float32);
  nn::convert({own}, float32, device());  // nothing would change
  EXPECT_MESSAGE(DTypeError, "to: dtype is int64; allowed are the floating dtypes", nn::convert({loose}, int64, {}));
}

TEST_P(ConvertTest, KeepsTheSetsOfAnArenaThatIsGone) {
  const Tensor w = Parameters({.sets = 2, .device = device()}).add("w", {}, init::ones());
  nn::convert({w}, float64, {});
  Sgd optimizer({w}, {.lr = tensor({1, 2}, on(float64))});
  w.sum().backward();
  optimizer.step();
  EXPECT_EQ(values(w), (Values{0, -1}));
}

}  // namespace
}  // namespace luge::test
