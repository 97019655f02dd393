#pragma once
// What a fuzzer of a function that reads files consists of: the function, and a few good files to begin with. Each
// NAME.cpp here is one; main/fuzz.cpp calls it.
//
// An error of luge's own is as good as a result. Whatever else happens is a crash, and so is memory that the input does
// not account for: no allocation, and no tensors together, may be larger than bytes_of_input times the input's size
// plus bytes_of_any_input.

#include <cstddef>
#include <string>

#include <luge/tensor/tensor.h>

namespace luge::fuzz {

/// What deflate gives for one byte at most.
inline constexpr std::size_t kDeflated = 1032;
/// Bytes in memory for one byte of input: 1, or kDeflated for a format that compresses.
extern const std::size_t bytes_of_input;
/// Buffers that do not depend on the input, and what is known about an input of 4096 bytes beside its data.
extern const std::size_t bytes_of_any_input;

/// Looks at every element of a tensor of the CPU without taking memory. Aborts for a bool that is neither 0 nor 1.
void look_at(const Tensor& tensor);

/// Reads the file and looks at all that came of it.
void read(const std::string& path);
/// Makes files that read() takes, in the empty folder, which ends in '/'.
void make_seeds(const std::string& folder);

}  // namespace luge::fuzz
