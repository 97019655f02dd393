#pragma once

#include <stdexcept>
#include <string>

namespace luge {

/// Root of everything luge throws. The message is one line and names the operation, the argument,
/// what was given and what is allowed. A call that throws has changed nothing.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sizes, dimensions or strides that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An element type the operation does not accept, or a mix that cannot be promoted.
class DTypeError : public Error {
 public:
  using Error::Error;
};

/// Tensors on different devices, or a device that cannot be used (with the true reason).
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A dimension number, an index or a class label outside its range.
class IndexError : public Error {
 public:
  using Error::Error;
};

/// An argument whose value is impossible (a negative size, an unknown name, a learning rate of NaN).
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A matrix that cannot be factored or inverted: not positive definite, singular, not finite. The message names the first
/// such matrix of a batch.
class LinAlgError : public Error {
 public:
  using Error::Error;
};

/// A backward pass that cannot run: no graph, a graph used twice, a saved tensor changed in place.
class AutogradError : public Error {
 public:
  using Error::Error;
};

/// A step that cannot be recorded or replayed: a value read on the host, a tensor that is gone.
class CaptureError : public Error {
 public:
  using Error::Error;
};

/// An allocation that cannot be had; the message gives the sizes. A smaller run afterwards succeeds.
class OutOfMemoryError : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, truncated or not what it should be; the message gives file and offset.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A call of the CUDA runtime or of cuBLAS that failed, with the operation that made it.
class CudaError : public Error {
 public:
  using Error::Error;
};

}  // namespace luge
