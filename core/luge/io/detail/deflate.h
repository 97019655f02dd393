#pragma once
// Internal: what a compressed file can hold.

namespace luge {

/// Most bytes that one byte of deflate gives: 258 for 2 bits (zlib's technical notes). So a compressed file bounds the
/// size of its contents.
inline constexpr int kMaxDeflateRatio = 1032;

}  // namespace luge
