#include <luge/ops/detail/spatial.h>

#include <luge/base/detail/check.h>

namespace luge {

Convolution::Sizes spatial(const char* op, const char* argument, const Spatial& given, int dims, std::int64_t least, std::int64_t rest) {
  const std::vector<std::int64_t>& numbers = given.numbers();
  LUGE_CHECK(ValueError, numbers.size() == 1 || numbers.size() == static_cast<std::size_t>(dims),
             "{}: {} has {} numbers; it must be one number or {}", op, argument, numbers.size(), dims);
  Convolution::Sizes result{rest, rest, rest};
  for (int d = 0; d < dims; ++d) {
    const std::int64_t value = numbers[numbers.size() == 1 ? 0 : static_cast<std::size_t>(d)];
    LUGE_CHECK(ValueError, value >= least, "{}: {} is {}; it must be {} or more", op, argument, value, least);
    LUGE_CHECK(ValueError, value < kMostSpace, "{}: {} is {}; it must be less than 2^31", op, argument, value);
    result[static_cast<std::size_t>(3 - dims + d)] = value;
  }
  return result;
}

void check_volume(const char* op, const ConvolutionSizes& sizes) {
  double volume = static_cast<double>(sizes.in_channels);
  for (std::size_t d = 0; d < 3; ++d)
    volume *= static_cast<double>(sizes.in[d] + 2 * sizes.padding[d]) + static_cast<double>(sizes.dilation[d] * (sizes.kernel[d] - 1));
  LUGE_CHECK(ShapeError, volume < 0x1p40, "{}: images of spatial sizes that are padded to {} elements are too large", op, volume);
}

}  // namespace luge
