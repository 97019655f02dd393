#pragma once
// Internal: what memory a call reads and writes, for any kind of call.

#include <cstdint>
#include <functional>

#include <luge/call.h>

namespace luge {

/// A range of memory as a call uses it.
struct Access {
  void** data;               ///< where the call keeps the pointer, to be moved elsewhere
  std::int64_t low, high;    ///< the bytes [*data + low, *data + high) hold all that is touched
  bool reads, writes;
};

/// Calls visit(access) for every window of the call, inputs first.
void for_each_access(Call& call, const std::function<void(const Access&)>& visit);
void for_each_access(Reduce& call, const std::function<void(const Access&)>& visit);
void for_each_access(Update& call, const std::function<void(const Access&)>& visit);
void for_each_access(Record& call, const std::function<void(const Access&)>& visit);

/// The bytes [low, high) around `operand.data` that a walk over the extent touches.
Access window_access(Operand& operand, const Extent& extent, bool reads, bool writes);

/// Bytes that cross the memory bus if the call runs alone, and floating-point operations.
struct Cost {
  double bytes = 0, flops = 0;
};
Cost cost_of(const Call& call);

/// The name users know: "mul", "sum", "matmul", "adam step".
const char* name_of(const Call& call);

}  // namespace luge
