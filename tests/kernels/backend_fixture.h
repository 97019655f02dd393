#pragma once
// Tests of kernel calls below the tensor level: host arrays in, one call on an arbitrary backend, host
// arrays out, compared with plain float64 code.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <luge/seam/backend.h>
#include <luge/base/cuda_status.h>

#include "half_reference.h"

namespace luge::test {

/// The sizes at which tails, vectors and tiles begin and end. (No call of the seam is empty.)
inline constexpr std::int64_t kSizes[] = {1,   2,    3,    15,   16,   17,   127,  128,
                                          129, 1023, 1024, 1025, 4095, 4096, 4097, 100000};

/// Host memory of a run-time element type, read and written as float64.
class Array {
 public:
  Array(DType dtype, std::int64_t count) : dtype_(dtype), bytes_(static_cast<std::size_t>(count) * size_of(dtype)) {}

  DType dtype() const { return dtype_; }
  std::int64_t count() const { return static_cast<std::int64_t>(bytes_.size() / size_of(dtype_)); }
  std::byte* data() { return bytes_.data(); }
  const std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }

  template <class T>
  T at(std::int64_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    return value;
  }
  double get(std::int64_t i) const {
    switch (dtype_) {
      case DType::Bool: return at<bool>(i) ? 1 : 0;
      case DType::UInt8: return at<std::uint8_t>(i);
      case DType::Int8: return at<std::int8_t>(i);
      case DType::Int16: return at<std::int16_t>(i);
      case DType::Float16:
      case DType::BFloat16: return static_cast<double>(half_value(at<std::uint16_t>(i), format_of(dtype_)));
      case DType::Int32: return at<std::int32_t>(i);
      case DType::Int64: return static_cast<double>(at<std::int64_t>(i));
      case DType::Float32: return static_cast<double>(at<float>(i));
      default: return at<double>(i);
    }
  }
  /// Rounds to the element type.
  void set(std::int64_t i, double value) {
    switch (dtype_) {
      case DType::Bool: put(i, value != 0); break;
      case DType::UInt8: put(i, static_cast<std::uint8_t>(static_cast<std::int64_t>(value))); break;
      case DType::Int8: put(i, static_cast<std::int8_t>(static_cast<std::int64_t>(value))); break;
      case DType::Int16: put(i, static_cast<std::int16_t>(static_cast<std::int64_t>(value))); break;
      case DType::Float16:
      case DType::BFloat16: put(i, half_bits(value, format_of(dtype_))); break;
      case DType::Int32: put(i, static_cast<std::int32_t>(value)); break;
      case DType::Int64: put(i, static_cast<std::int64_t>(value)); break;
      case DType::Float32: put(i, static_cast<float>(value)); break;
      default: put(i, value); break;
    }
  }
  bool same_bits(std::int64_t i, const Array& other, std::int64_t j) const {
    const std::size_t size = size_of(dtype_);
    return std::memcmp(bytes_.data() + static_cast<std::size_t>(i) * size,
                       other.bytes_.data() + static_cast<std::size_t>(j) * size, size) == 0;
  }

 private:
  template <class T>
  void put(std::int64_t i, T value) {
    std::memcpy(bytes_.data() + static_cast<std::size_t>(i) * sizeof(T), &value, sizeof(T));
  }

  DType dtype_;
  std::vector<std::byte> bytes_;
};

/// A copy of an array on a backend, given back at the end.
class DeviceArray {
 public:
  DeviceArray(Backend& backend, const Array& host)
      : backend_(backend), host_(host), data_(backend.allocate(host.size())) {
    backend_.copy_from_host(data_, host.data(), host.size());
  }
  ~DeviceArray() { backend_.free(data_, host_.size()); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  void* data() { return data_; }
  Array download() {
    Array result = host_;
    backend_.copy_to_host(result.data(), data_, result.size());
    return result;
  }
  /// A window from element `offset` on.
  Operand operand(std::initializer_list<std::int64_t> strides = {1}, std::int64_t offset = 0) {
    Operand result = window(offset);
    std::copy(strides.begin(), strides.end(), result.strides.begin());
    return result;
  }
  Operand window(std::int64_t offset = 0) {
    Operand result;
    result.kind = Operand::Kind::Memory;
    result.dtype = host_.dtype();
    result.data = static_cast<std::byte*>(data_) + static_cast<std::size_t>(offset) * size_of(host_.dtype());
    result.strides.fill(0);
    return result;
  }

 private:
  Backend& backend_;
  Array host_;
  void* data_;
};

inline Operand absent() { return Operand{}; }

inline Operand immediate(DType dtype, double value) {
  Operand result;
  result.kind = Operand::Kind::Immediate;
  result.dtype = dtype;
  if (is_floating(dtype))
    result.floating = value;
  else
    result.integer = static_cast<std::int64_t>(value);
  return result;
}

inline Extent extent(std::initializer_list<std::int64_t> sizes) {
  Extent result;
  result.ndim = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), result.sizes.begin());
  return result;
}

/// Element number `position` (row-major) of a window with these strides.
inline std::int64_t offset_of(const Extent& extent, const std::array<std::int64_t, kMaxDims>& strides,
                              std::int64_t position) {
  std::int64_t offset = 0;
  for (int d = extent.ndim - 1; d >= 0; --d) {
    const auto i = static_cast<std::size_t>(d);
    offset += position % extent.sizes[i] * strides[i];
    position /= extent.sizes[i];
  }
  return offset;
}

/// Reproducible random choices.
class Chooser {
 public:
  explicit Chooser(std::uint64_t seed) : engine_(seed) {}

  /// In [0, n).
  std::int64_t below(std::int64_t n) { return std::uniform_int_distribution<std::int64_t>(0, n - 1)(engine_); }
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(engine_) < p; }
  double uniform(double low, double high) { return std::uniform_real_distribution<>(low, high)(engine_); }
  template <class T>
  T of(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<std::int64_t>(values.size()))];
  }
  void fill(Array& array, double low, double high) {
    for (std::int64_t i = 0; i < array.count(); ++i)
      array.set(i, array.dtype() == boolean ? static_cast<double>(below(2)) : uniform(low, high));
  }

  /// An extent of up to `most` dimensions and `limit` elements.
  Extent space(int least, int most, std::int64_t limit) {
    Extent result;
    result.ndim = least + static_cast<int>(below(most - least + 1));
    std::int64_t left = limit;
    for (int d = 0; d < result.ndim; ++d) {
      const std::int64_t size = std::min(of<std::int64_t>({1, 2, 3, 5, 16, 17, 31, 64, 130, 257, 1025, 3000}), left);
      result.sizes[static_cast<std::size_t>(d)] = std::max<std::int64_t>(size, 1);
      left /= std::max<std::int64_t>(size, 1);
    }
    return result;
  }

  /// Strides of a window over `extent` without overlap: dimensions in any order, with gaps; and, where
  /// `repeats` is given, broadcast dimensions. Sets `count` to the elements the window needs.
  std::array<std::int64_t, kMaxDims> strides(const Extent& extent, bool repeats, std::int64_t& count) {
    std::array<std::int64_t, kMaxDims> result{};
    std::vector<std::size_t> order;
    for (int d = extent.ndim - 1; d >= 0; --d) order.push_back(static_cast<std::size_t>(d));
    if (chance(0.4)) std::shuffle(order.begin(), order.end(), engine_);
    const bool gaps = chance(0.4), broadcasts = repeats && chance(0.5);
    std::int64_t stride = gaps && chance(0.3) ? 2 : 1;
    for (const std::size_t d : order) {
      if (broadcasts && chance(0.5)) continue;
      result[d] = stride;
      stride *= extent.sizes[d];
      if (gaps && chance(0.5)) stride += below(5);
    }
    count = stride;
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

inline double epsilon(DType dtype) {
  return dtype == float32 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                          : std::numeric_limits<double>::epsilon();
}

/// Equal, both NaN, or within `tolerance`.
inline bool close(double actual, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(actual);
  return actual == expected || std::abs(actual - expected) <= tolerance;
}

/// A suite whose tests run on every device; one that cannot be used is skipped with the reason.
class BackendTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "cpu")
      backend_ = &cpu_backend();
    else if (cuda_status().usable)
      backend_ = &cuda_backend(0);
    else
      GTEST_SKIP() << "no usable GPU: " << cuda_status().reason;
  }
  Backend& backend() { return *backend_; }

 private:
  Backend* backend_ = nullptr;
};

#define LUGE_ON_EVERY_DEVICE(Suite)                                         \
  INSTANTIATE_TEST_SUITE_P(Device, Suite, ::testing::Values("cpu", "cuda"), \
                           [](const auto& suite_info) { return std::string(suite_info.param); })

}  // namespace luge::test
