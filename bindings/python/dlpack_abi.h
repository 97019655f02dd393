#pragma once
// The binary interface of DLPack 1.0, by which libraries lend each other arrays; layout and numbers are those of
// https://github.com/dmlc/dlpack, include/dlpack/dlpack.h.

#include <cstdint>

namespace luge::python::dlpack {

inline constexpr std::int32_t kCpu = 1, kCuda = 2, kCudaHost = 3;
inline constexpr std::uint8_t kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kComplex = 5, kBool = 6;
inline constexpr std::uint64_t kReadOnly = 1, kIsCopied = 2;

struct Version {
  std::uint32_t major, minor;
};

struct Device {
  std::int32_t type, id;
};

struct DataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};

/// Sizes and strides count elements; without strides it is row-major without gaps.
struct Array {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

/// What a capsule "dltensor" holds.
struct Managed {
  static constexpr const char* kName = "dltensor";
  static constexpr const char* kUsedName = "used_dltensor";

  Array array;
  void* context;
  void (*deleter)(Managed*);  ///< may be null
};

/// What a capsule "dltensor_versioned" holds. Of another major version only what stands before `flags` is known.
struct ManagedVersioned {
  static constexpr const char* kName = "dltensor_versioned";
  static constexpr const char* kUsedName = "used_dltensor_versioned";

  Version version;
  void* context;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  Array array;
};

static_assert(sizeof(Array) == 48 && sizeof(Managed) == 64 && sizeof(ManagedVersioned) == 80);

}  // namespace luge::python::dlpack
