#pragma once
// THE SEAM: what the calls of call.h are made of, and what they say of the memory that they touch.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <luge/base/dtype.h>
#include <luge/base/shape.h>

namespace luge {

/// What a kernel does with an output: write it, or add to what is there. Every backend kernel that
/// can produce a gradient honours it, so gradients accumulate without a temporary (law 4).
enum class Store : std::uint8_t { Overwrite, Accumulate };

enum class Direction : std::uint8_t { Forward, Backward };

/// A typed, strided window on memory, or an immediate number, or nothing.
struct Operand {
  enum class Kind : std::uint8_t { Absent, Memory, Immediate };

  Kind kind = Kind::Absent;
  DType dtype = DType::Float32;
  void* data = nullptr;                          ///< the first element
  std::array<std::int64_t, kMaxDims> strides;    ///< in elements, one per dimension of the call
  union {
    double floating;                             ///< Immediate, floating dtype
    std::int64_t integer;                        ///< Immediate, integer or bool dtype
  };

  bool is_memory() const { return kind == Kind::Memory; }
  bool is_immediate() const { return kind == Kind::Immediate; }
  bool is_absent() const { return kind == Kind::Absent; }
};

/// The iteration space of a call, outermost dimension first. Core has merged the dimensions that can
/// be merged, so a contiguous call has ndim <= 1.
struct Extent {
  int ndim = 0;
  std::array<std::int64_t, kMaxDims> sizes;

  std::int64_t count() const {
    std::int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= sizes[static_cast<std::size_t>(d)];
    return n;
  }
  /// With one more dimension inside.
  Extent with(std::int64_t size) const {
    Extent inner = *this;
    inner.sizes[static_cast<std::size_t>(inner.ndim++)] = size;
    return inner;
  }
};

/// `rows` rows of `columns` contiguous elements: the walk over an operand whose strides[0] is the distance of rows.
struct Rows {
  std::int64_t rows, columns;
};

inline std::int64_t bytes_of(DType dtype, std::int64_t count) { return count * static_cast<std::int64_t>(size_of(dtype)); }

/// Where the parameters of an arena lie: parameter p holds sets * per_set[p] elements from offset[p],
/// set after set. Both tables exist twice, for the host and for the device.
struct ArenaLayout {
  std::int64_t sets = 1;
  int parameters = 0;
  std::int64_t size = 0;                         ///< elements of the block, padding (zeros) included
  const std::int64_t* offset = nullptr;          ///< host, ascending
  const std::int64_t* per_set = nullptr;         ///< host
  const std::int64_t* device_table = nullptr;    ///< device: offsets, then per_set
};

/// A hyperparameter in device memory, in the arena's dtype: one value (stride 0) or one per set (1). Without
/// memory it is 0 for all sets and plays no part.
struct Hyper {
  const void* data = nullptr;
  std::int64_t stride = 0;
};

// ---- effects ------------------------------------------------------------------------------------

/// Memory that a call reads, writes, or both.
struct Effect {
  void** data;             ///< where the call keeps the pointer, to be moved elsewhere
  std::int64_t low, high;  ///< the bytes [*data + low, *data + high) hold all that is touched
  std::int64_t bytes;      ///< that are touched: of a broadcast or strided operand less than high - low
  bool reads, writes;
};

/// What a call hands its operands to, inputs first. Operands that are not memory have no effect.
class Effects {
 public:
  using Visit = std::function<void(const Effect&)>;
  /// An operand, whatever its kind, the extent that it has a stride for each dimension of, and what is done with it.
  using VisitOperand = std::function<void(Operand&, const Extent&, bool reads, bool writes)>;
  explicit Effects(const Visit& visit) : visit_(&visit) {}
  explicit Effects(const VisitOperand& visit) : visit_operand_(&visit) {}

  void reads(Operand& operand, const Extent& extent) { window(operand, extent, true, false); }
  void writes(Operand& operand, const Extent& extent) { window(operand, extent, false, true); }
  void updates(Operand& operand, const Extent& extent) { window(operand, extent, true, true); }
  void stores(Operand& operand, const Extent& extent, Store store) {
    window(operand, extent, store == Store::Accumulate, true);
  }
  void reads(Operand& operand, const Rows& all) { rows(operand, all, true, false); }
  void writes(Operand& operand, const Rows& all) { rows(operand, all, false, true); }
  void stores(Operand& operand, const Rows& all, Store store) { rows(operand, all, store == Store::Accumulate, true); }
  /// Memory that the call knows by its pointer only; null has no effect.
  template <class T>
  void reads(const T*& data, std::int64_t bytes) {
    block(const_cast<void**>(reinterpret_cast<const void* const*>(&data)), bytes, true, false);
  }
  template <class T>
  void writes(T*& data, std::int64_t bytes) {
    block(reinterpret_cast<void**>(&data), bytes, false, true);
  }
  template <class T>
  void updates(T*& data, std::int64_t bytes) {
    block(reinterpret_cast<void**>(&data), bytes, true, true);
  }
  void reads(Hyper& hyper, DType dtype, std::int64_t sets) { reads(hyper.data, bytes_of(dtype, hyper.stride == 0 ? 1 : sets)); }

 private:
  void window(Operand& operand, const Extent& extent, bool reads, bool writes);
  void rows(Operand& operand, const Rows& rows, bool reads, bool writes);
  void block(void** data, std::int64_t bytes, bool reads, bool writes);

  const Visit* visit_ = nullptr;
  const VisitOperand* visit_operand_ = nullptr;
};

/// The effect of a walk over the extent, whatever the operand is.
Effect window_effect(Operand& operand, const Extent& extent, bool reads, bool writes);

/// Bytes that cross the memory bus if the call runs alone, and floating-point operations.
struct Cost {
  double bytes = 0, flops = 0;
};

}  // namespace luge
