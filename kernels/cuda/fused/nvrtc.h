#pragma once

#include <string>

namespace luge::cuda {

/// What the run-time compiler made of a source.
struct Compiled {
  std::string code;   ///< for one architecture, as cudaLibraryLoadData takes it; empty if it failed
  std::string error;  ///< why it failed, with what the compiler says
};

/// Why nothing can be compiled at run time: empty if NVRTC is there. It is opened on first use.
const std::string& nvrtc_error();

/// "13.0"; to be asked for where nvrtc_error() is empty.
const std::string& nvrtc_version();

/// The options that kernels are compiled with for an architecture ("sm_90"), one string.
std::string nvrtc_options(const std::string& architecture);

/// Compiles a source that includes no more than fused_headers(); the compiler calls it `name`.cu.
Compiled nvrtc_compile(const std::string& name, const std::string& source, const std::string& architecture);

}  // namespace luge::cuda
