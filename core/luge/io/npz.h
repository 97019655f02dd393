#pragma once
// Arrays in NumPy's npz format: a zip archive with a member NAME.npy for each.

#include <map>
#include <string>

#include <luge/tensor/tensor.h>

namespace luge {

/// Writes the tensors as np.savez does, or, `compressed`, as np.savez_compressed. Names are UTF-8. Times in the archive
/// are those of NumPy, the first of 1980, so that the same tensors make the same bytes. Nothing is collected in memory:
/// the archive grows in the file, which appears whole or not at all. Throws ValueError for a name that a member cannot
/// have, DTypeError for bfloat16, IoError.
void save_npz(const std::string& path, const std::map<std::string, Tensor>& tensors, bool compressed = false,
              SourceLocation location = SourceLocation::current());

/// Reads all arrays of an archive, by their names without ".npy"; members are stored or deflated. What is said of
/// load_npy (npy.h) holds for each of them. Before memory is taken for an array, its header is held against the size
/// that the archive gives it, that against 1032 times its compressed size, which is the most that deflate can give, and
/// the sum of those against the file's. An encrypted member, one that is no array and a name that is there twice are
/// errors; so is a checksum that is wrong.
///
/// Throws IoError naming file, member and offset, and what load_npy throws.
std::map<std::string, Tensor> load_npz(const std::string& path, Device device = Device::cpu(),
                                       SourceLocation location = SourceLocation::current());

}  // namespace luge
