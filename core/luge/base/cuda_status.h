#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace luge {

/// What is known of CUDA on this machine and in this binary.
struct CudaStatus {
  struct Gpu {
    std::string name;
    int major = 0, minor = 0;              ///< compute capability
    std::size_t memory = 0, free_memory = 0;
    bool usable = false;                   ///< the binary holds code for it
  };

  bool built = false;                      ///< compiled with CUDA at all
  bool usable = false;                     ///< at least one GPU can run luge
  std::string reason;                      ///< why not: not built in / no driver / driver too old / no
                                           ///< device / architecture not in this binary; empty if usable
  std::string toolkit, runtime, driver;    ///< versions, "13.0"; empty where unknown
  std::string architectures;               ///< in the binary: "sm_80 sm_90 compute_90"
  std::string blas;                        ///< "cuBLAS 13.1.0", or why it cannot be opened
  std::vector<Gpu> gpus;
};

/// Looked up once; never throws.
const CudaStatus& cuda_status();

}  // namespace luge
