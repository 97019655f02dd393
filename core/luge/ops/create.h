#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Contents undefined.
Tensor empty(const Shape& shape, TensorOptions options = {});
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
Tensor full(const Shape& shape, Scalar value, TensorOptions options = {});
/// start, start + step, ... before stop; 1-d; int64 unless one of them is floating, as in PyTorch, or
/// what the options say. Throws ValueError for a step of 0 or of the wrong sign.
Tensor arange(Scalar start, Scalar stop, Scalar step = 1);
Tensor arange(Scalar start, Scalar stop, Scalar step, TensorOptions options);
/// 0, 1, ... before stop.
Tensor arange(Scalar stop);
Tensor arange(Scalar stop, TensorOptions options);
/// `count` numbers from start to stop, both included; floating dtypes.
Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options = {});
/// The identity matrix, or its first `columns` columns.
Tensor eye(std::int64_t rows, TensorOptions options = {});
Tensor eye(std::int64_t rows, std::int64_t columns, TensorOptions options = {});

/// A 0-d tensor of the number's own type (bool, int64, float32), or of `dtype`.
Tensor scalar(Scalar value);
Tensor scalar(Scalar value, TensorOptions options);
/// A copy of host data in row-major order; the element count must be that of `shape`.
template <class T>
Tensor from_host(std::span<const T> values, const Shape& shape, Device device = Device::cpu(),
                 SourceLocation location = SourceLocation::current());
template <class T>
Tensor from_host(const std::vector<T>& values, const Shape& shape, Device device = Device::cpu(),
                 SourceLocation location = SourceLocation::current()) {
  return from_host(std::span<const T>(values), shape, device, location);
}
/// Over memory that somebody else has allocated on `device`, without a copy: writes show on both sides. `strides` count
/// elements, 0 or more each. `release` is called once, from any thread, when no tensor uses the memory any more; it must not
/// throw. Throws ShapeError unless shape and strides have as many dimensions, ValueError for a negative stride or for no
/// memory, DeviceError; the memory is then the caller's as before, and `release` is not called.
Tensor from_memory(void* data, const Shape& shape, const Strides& strides, DType dtype, Device device,
                   std::function<void()> release);
/// 1-d, from a list: tensor({1.0, 2.0, 3.0}).
Tensor tensor(std::initializer_list<double> values, TensorOptions options = {},
              SourceLocation location = SourceLocation::current());
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, TensorOptions options = {},
              SourceLocation location = SourceLocation::current());

Tensor empty_like(const Tensor& other);
Tensor zeros_like(const Tensor& other);
Tensor ones_like(const Tensor& other);
Tensor full_like(const Tensor& other, Scalar value);

// ---- random. Philox4x32-10 keyed by the seed; every call takes the next stream, so a program draws the
// same numbers on every device and with any number of threads.

/// Starts the sequence of rand, randn, randint and of parameter initialisation anew.
void manual_seed(std::uint64_t seed);
/// Uniform in [0, 1).
Tensor rand(const Shape& shape, TensorOptions options = {});
/// Standard normal.
Tensor randn(const Shape& shape, TensorOptions options = {});
/// Integers in [low, high); int64 unless options say int32.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options = {.dtype = DType::Int64});
Tensor rand_like(const Tensor& other);
Tensor randn_like(const Tensor& other);
/// The numbers 0 ... n - 1 in random order, int64, on the host's CPU.
Tensor randperm(std::int64_t n, SourceLocation location = SourceLocation::current());

}  // namespace luge
