#include "expect.h"

namespace luge::test {
namespace {

constexpr DType kEveryDType[] = {boolean, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64};

TEST(DTypes, SizesAndNames) {
  const std::size_t sizes[] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
  const char* names[] = {"bool",  "uint8",   "int8",     "int16",   "int32",
                         "int64", "float16", "bfloat16", "float32", "float64"};
  const DType computed[] = {boolean, int32, int32, int32, int32, int64, float32, float32, float32, float64};
  for (int i = 0; i < kDTypeCount; ++i) {
    EXPECT_EQ(size_of(kEveryDType[i]), sizes[i]);
    EXPECT_EQ(name(kEveryDType[i]), names[i]);
    EXPECT_EQ(is_floating(kEveryDType[i]), i >= 6);
    EXPECT_EQ(is_integral(kEveryDType[i]), i >= 1 && i <= 5);
    EXPECT_EQ(is_index(kEveryDType[i]), i == 4 || i == 5);
    EXPECT_EQ(arithmetic_dtype(kEveryDType[i]), computed[i]);
    EXPECT_EQ(is_storage_only(kEveryDType[i]), computed[i] != kEveryDType[i]);
  }
}

TEST(DTypes, PromotionTable) {
  // PyTorch's torch.promote_types, row and column in the order of kEveryDType.
  const DType b = boolean, u = uint8, c = int8, s = int16, i = int32, l = int64, h = float16, g = bfloat16, f = float32,
              d = float64;
  const DType table[10][10] = {
      {b, u, c, s, i, l, h, g, f, d}, {u, u, s, s, i, l, h, g, f, d}, {c, s, c, s, i, l, h, g, f, d},
      {s, s, s, s, i, l, h, g, f, d}, {i, i, i, i, i, l, h, g, f, d}, {l, l, l, l, l, l, h, g, f, d},
      {h, h, h, h, h, h, h, f, f, d}, {g, g, g, g, g, g, f, g, f, d}, {f, f, f, f, f, f, f, f, f, d},
      {d, d, d, d, d, d, d, d, d, d},
  };
  for (int row = 0; row < kDTypeCount; ++row)
    for (int column = 0; column < kDTypeCount; ++column)
      EXPECT_EQ(promote(kEveryDType[row], kEveryDType[column]), table[row][column])
          << name(kEveryDType[row]) << " with " << name(kEveryDType[column]);
}

TEST(DTypes, NumbersRaiseTheKindOnly) {
  using Kind = Scalar::Kind;
  const struct {
    DType tensor;
    Kind number;
    DType result;
  } cases[] = {
      {boolean, Kind::Bool, boolean}, {boolean, Kind::Int, int64},  {boolean, Kind::Float, float32},
      {int32, Kind::Bool, int32},     {int32, Kind::Int, int32},    {int32, Kind::Float, float32},
      {int64, Kind::Bool, int64},     {int64, Kind::Int, int64},    {int64, Kind::Float, float32},
      {float16, Kind::Int, float16},  {float16, Kind::Float, float16}, {float32, Kind::Bool, float32},
      {float32, Kind::Int, float32},  {float32, Kind::Float, float32}, {float64, Kind::Float, float64},
  };
  for (const auto& c : cases) EXPECT_EQ(promote(c.tensor, c.number), c.result) << name(c.tensor);
}

TEST(Scalars, KeepKindAndValue) {
  EXPECT_EQ(Scalar(true).kind(), Scalar::Kind::Bool);
  EXPECT_EQ(Scalar(3).kind(), Scalar::Kind::Int);
  EXPECT_EQ(Scalar(3u).kind(), Scalar::Kind::Int);
  EXPECT_EQ(Scalar(3.0f).kind(), Scalar::Kind::Float);
  EXPECT_EQ(Scalar(std::int64_t{1} << 62).to_int64(), std::int64_t{1} << 62);
  EXPECT_EQ(Scalar(2.75).to_int64(), 2);
  EXPECT_EQ(Scalar(-2.75).to_double(), -2.75);
  EXPECT_EQ(Scalar(true).default_dtype(), boolean);
  EXPECT_EQ(Scalar(1).default_dtype(), int64);
  EXPECT_EQ(Scalar(1.0).default_dtype(), float32);
}

TEST(Devices, AreParsedAndWritten) {
  EXPECT_EQ(Device::parse("cpu"), Device::cpu());
  EXPECT_EQ(Device::parse("cuda"), Device::cuda(0));
  EXPECT_EQ(Device::parse("cuda:3"), Device::cuda(3));
  EXPECT_EQ(to_string(Device::cpu()), "cpu");
  EXPECT_EQ(to_string(Device::cuda(2)), "cuda:2");
  EXPECT_EQ(Device::best().is_cuda(), cuda_status().usable);
  for (const char* const text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU", "cuda:99999999999"})
    expect_errors({LUGE_ERROR(ValueError, "device: '.*' is not a device; allowed are cpu, cuda and cuda:n", Device::parse(text))});
}

TEST(Devices, WithoutAGpuTheErrorSaysWhy) {
  if (cuda_status().usable) GTEST_SKIP() << "there is a GPU";
  try {
    zeros({2}, {.device = Device::cuda()});
    FAIL() << "nothing was thrown";
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find(cuda_status().reason), std::string::npos) << error.what();
    EXPECT_FALSE(cuda_status().reason.empty());
  }
}

}  // namespace
}  // namespace luge::test
