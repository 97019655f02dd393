#pragma once
// Arrays in NumPy's npy format, one a file.

#include <string>

#include <luge/tensor/tensor.h>

namespace luge {

/// Writes the values as np.save does: the same bytes (those of NumPy 1.24; older ones may pad the header differently),
/// in C order, or in Fortran order where the tensor lies so. The file appears whole or not at all; nothing is added to
/// its name. Throws DTypeError for bfloat16, which NumPy does not know; IoError.
void save_npy(const std::string& path, const Tensor& tensor, SourceLocation location = SourceLocation::current());

/// Reads an array that np.save has written, of format 1.0, 2.0 or 3.0, either byte order and either order of
/// dimensions: one in Fortran order has such strides here, too. Elements are bool, int8, uint8, int16, int32, int64,
/// float16, float32 or float64; objects are refused, no pickle is ever read. The header is held against the size of the
/// file before memory is taken for the array; bytes behind the array are an error, where NumPy would not look at them.
///
/// With `mmap` the file is mapped rather than read: opening it costs nothing, a part is read when it is used, and what
/// is written to the tensor stays in this process. The file must have this machine's byte order and aligned numbers,
/// which np.save and save_npy take care of, no bools, and must stay as it is meanwhile: a file that another process
/// shortens ends this one (SIGBUS).
///
/// Throws IoError naming the file, the offset, what is there and what is allowed; DTypeError, ShapeError (more than
/// kMaxDims dimensions), OutOfMemoryError; DeviceError for `mmap` with another device than the CPU.
Tensor load_npy(const std::string& path, Device device = Device::cpu(), bool mmap = false,
                SourceLocation location = SourceLocation::current());

}  // namespace luge
