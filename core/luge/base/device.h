#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace luge {

/// Where a tensor lives: "cpu", "cuda:0", ...
struct Device {
  enum class Type : std::uint8_t { Cpu, Cuda };

  Type type = Type::Cpu;
  int index = 0;

  static constexpr Device cpu() { return {}; }
  /// The i-th visible GPU. Nothing is opened until something is allocated there.
  static constexpr Device cuda(int i = 0) { return {Type::Cuda, i}; }
  /// cuda:0 where a GPU can be used, else the CPU.
  static Device best();
  /// Reads "cpu", "cuda" or "cuda:n". Throws ValueError for anything else.
  static Device parse(std::string_view text);

  constexpr bool is_cpu() const { return type == Type::Cpu; }
  constexpr bool is_cuda() const { return type == Type::Cuda; }
  friend constexpr bool operator==(Device, Device) = default;
};

std::string to_string(Device device);

}  // namespace luge
