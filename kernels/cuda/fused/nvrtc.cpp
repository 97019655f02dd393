#include "nvrtc.h"

#include <nvrtc.h>

#include <vector>

#include <fmt/format.h>

#include "../shared_library.h"
#include "headers.h"

namespace luge::cuda {

namespace {

/// The functions of NVRTC that luge calls.
struct Nvrtc {
  decltype(&::nvrtcVersion) get_version = nullptr;
  decltype(&::nvrtcGetErrorString) error_string = nullptr;
  decltype(&::nvrtcCreateProgram) create = nullptr;
  decltype(&::nvrtcDestroyProgram) destroy = nullptr;
  decltype(&::nvrtcCompileProgram) compile = nullptr;
  decltype(&::nvrtcGetCUBINSize) code_size = nullptr;
  decltype(&::nvrtcGetCUBIN) get_code = nullptr;
  decltype(&::nvrtcGetProgramLogSize) log_size = nullptr;
  decltype(&::nvrtcGetProgramLog) get_log = nullptr;

  std::string error;
  std::string version;
};

Nvrtc open() {
  Nvrtc library;
  SharedLibrary file("NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12"});
  file.find(library.get_version, "nvrtcVersion");
  file.find(library.error_string, "nvrtcGetErrorString");
  file.find(library.create, "nvrtcCreateProgram");
  file.find(library.destroy, "nvrtcDestroyProgram");
  file.find(library.compile, "nvrtcCompileProgram");
  file.find(library.code_size, "nvrtcGetCUBINSize");
  file.find(library.get_code, "nvrtcGetCUBIN");
  file.find(library.log_size, "nvrtcGetProgramLogSize");
  file.find(library.get_log, "nvrtcGetProgramLog");
  library.error = file.error();
  if (!library.error.empty()) return library;
  int major = 0, minor = 0;
  library.get_version(&major, &minor);
  library.version = fmt::format("{}.{}", major, minor);
  return library;
}

const Nvrtc& nvrtc() {
  static const Nvrtc library = open();
  return library;
}

std::vector<std::string> options_for(const std::string& architecture) {
  return {"--gpu-architecture=" + architecture, "--std=c++17", "--fmad=false", "--device-as-default-execution-space"};
}

}  // namespace

const std::string& nvrtc_error() { return nvrtc().error; }
const std::string& nvrtc_version() { return nvrtc().version; }

std::string nvrtc_options(const std::string& architecture) {
  return fmt::format("{}", fmt::join(options_for(architecture), " "));
}

Compiled nvrtc_compile(const std::string& name, const std::string& source, const std::string& architecture) {
  const Nvrtc& library = nvrtc();
  if (!library.error.empty()) return {{}, library.error};
  std::vector<const char*> texts, names, options;
  for (const FusedHeader& header : fused_headers()) {
    texts.push_back(header.text);
    names.push_back(header.name);
  }
  const std::vector<std::string> option_texts = options_for(architecture);
  for (const std::string& option : option_texts) options.push_back(option.c_str());

  nvrtcProgram program = nullptr;
  nvrtcResult result = library.create(&program, source.c_str(), (name + ".cu").c_str(), static_cast<int>(names.size()),
                                      texts.data(), names.data());
  if (result != NVRTC_SUCCESS) return {{}, fmt::format("nvrtcCreateProgram failed: {}", library.error_string(result))};
  Compiled compiled;
  result = library.compile(program, static_cast<int>(options.size()), options.data());
  std::size_t size = 0;
  if (result == NVRTC_SUCCESS) result = library.code_size(program, &size);
  if (result == NVRTC_SUCCESS) {
    compiled.code.resize(size);
    result = library.get_code(program, compiled.code.data());
  }
  if (result != NVRTC_SUCCESS) {
    compiled.code.clear();
    std::string log;
    if (library.log_size(program, &size) == NVRTC_SUCCESS && size > 1) {
      log.resize(size);
      library.get_log(program, log.data());
      log.pop_back();  // the zero behind it
    }
    compiled.error = fmt::format("{}\n{}", library.error_string(result), log);
  }
  library.destroy(&program);
  return compiled;
}

}  // namespace luge::cuda
