#pragma once
// Internal: generated kernels, kept for people to read.

#include <cstdint>
#include <string_view>

namespace luge {

/// FNV-1a of a text: a name for it.
std::uint64_t hash_of(std::string_view text);

/// Whether LUGE_KERNELS names a folder.
bool keeps_kernels();
/// Writes a kernel's text to $LUGE_KERNELS/luge_HASH.EXTENSION, where HASH is that of the text. A folder that cannot be
/// written to gives a line on stderr, once per process.
void keep_kernel(std::string_view text, std::string_view extension);

}  // namespace luge
