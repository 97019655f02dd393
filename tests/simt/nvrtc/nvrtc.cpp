// A stand-in for NVRTC: the host's compiler, with the options of the kernels of this build, makes a shared object
// that runtime/libraries.cpp loads. It includes what it is handed and the executor, nothing else of luge.
// SIMT_NVRTC=broken makes every compilation fail; SIMT_NVRTC_SOURCES=FOLDER keeps the sources there.

#include <nvrtc.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "simt/executor/api.h"

using NamesAndTexts = std::vector<std::pair<std::string, std::string>>;

struct _nvrtcProgram {
  std::string name, source;
  NamesAndTexts headers;
  std::string code, log;
};

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCommand = SIMT_NVRTC_COMMAND;

void write(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}
std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The kernel that a source defines.
std::string kernel_in(const std::string& source) {
  const std::size_t at = source.find("__launch_bounds__("), end = source.find(") ", at);
  if (end == std::string::npos) return "";
  const std::size_t begin = end + 2;
  return source.substr(begin, source.find('(', begin) - begin);
}

/// Headers of the standard library are the host's own.
bool is_standard(const std::string& name) { return name.find_first_of("./") == std::string::npos; }

/// A folder that goes with this object.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / "simt_nvrtc_XXXXXX") {
    std::string name = path_.string();
    path_ = mkdtemp(name.data()) ? name : "";
  }
  ~Folder() {
    std::error_code error;
    if (!path_.empty() && getpid() == owner_) fs::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  const pid_t owner_ = getpid();  // forked processes leave it alone
};

/// What all programs of a process include, compiled before the first of them. Every program that luge makes is
/// handed the same headers. Empty where there is no temporary folder.
fs::path compiled_headers(const NamesAndTexts& headers) {
  static const Folder folder;
  static const bool made = [&] {
    if (folder.path().empty()) return false;
    std::string all = "#include \"simt/pack.h\"\n";
    for (const auto& [name, text] : headers) {
      if (is_standard(name)) continue;
      write(folder.path() / name, text);
      all += "#include \"" + name + "\"\n";
    }
    write(folder.path() / "all.h", all);
    const std::string name = folder.path().string();
    // Should it fail, the programs report why.
    [[maybe_unused]] const int status = std::system((std::string(kCommand) + " -x c++-header -I" + name + " -o " + name +
                                                     "/all.h.gch " + name + "/all.h 2> /dev/null")
                                                        .c_str());
    return true;
  }();
  return made ? folder.path() : fs::path();
}

nvrtcResult fail(nvrtcProgram program, std::string log) {
  program->log = std::move(log);
  return NVRTC_ERROR_COMPILATION;
}

}  // namespace

extern "C" {

/// The minor version tells apart builds whose options differ, which must not share code.
SIMT_API nvrtcResult nvrtcVersion(int* major, int* minor) {
  unsigned hash = 2166136261u;
  for (const char c : kCommand) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  *major = 0;
  *minor = static_cast<int>(hash >> 1);
  return NVRTC_SUCCESS;
}

SIMT_API const char* nvrtcGetErrorString(nvrtcResult result) {
  return result == NVRTC_SUCCESS ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION";
}

SIMT_API nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int headers,
                                        const char* const* texts, const char* const* names) {
  *program = new _nvrtcProgram{name, source, {}, {}, {}};
  for (int i = 0; i < headers; ++i) (*program)->headers.emplace_back(names[i], texts[i]);
  return NVRTC_SUCCESS;
}

SIMT_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}

SIMT_API nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int options, const char* const* texts) {
  const std::set<std::string> given(texts, texts + options);
  for (const char* const wanted : {"--fmad=false", "--gpu-architecture=sm_90", "--device-as-default-execution-space"})
    if (!given.contains(wanted)) return fail(program, std::string("error: kernels are compiled with ") + wanted);
  const char* const machine = std::getenv("SIMT_NVRTC");
  if (machine && std::strcmp(machine, "broken") == 0)
    return fail(program, program->name + "(1): error: the stand-in was told to fail\n");

  const fs::path headers = compiled_headers(program->headers);
  const Folder own;
  if (headers.empty() || own.path().empty()) return fail(program, "error: no temporary folder");
  const std::string kernel = kernel_in(program->source);
  if (kernel.empty()) return fail(program, "error: the stand-in finds no kernel");
  write(own.path() / program->name, program->source);
  if (const char* const kept = std::getenv("SIMT_NVRTC_SOURCES"))
    write(fs::path(kept) / (std::to_string(std::hash<std::string>()(program->source)) + ".cu"), program->source);
  write(own.path() / "main.cpp",
        "#include \"" + program->name + "\"\nextern \"C\" void " + kernel +
            "_pack(void** arguments, std::function<void()>* thread) {\n  *thread = simt::pack(&" + kernel +
            ", arguments);\n}\n");
  const std::string name = own.path().string(), all = headers.string();
  const int status = std::system((std::string(kCommand) + " -include " + all + "/all.h -I" + all + " -o " + name +
                                  "/code.so " + name + "/main.cpp 2> " + name + "/log")
                                     .c_str());
  program->code = status == 0 ? read(own.path() / "code.so") : "";
  program->log = read(own.path() / "log");
  return program->code.empty() ? NVRTC_ERROR_COMPILATION : NVRTC_SUCCESS;
}

SIMT_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, std::size_t* size) {
  *size = program->code.size();
  return NVRTC_SUCCESS;
}
SIMT_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* code) {
  std::memcpy(code, program->code.data(), program->code.size());
  return NVRTC_SUCCESS;
}
SIMT_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, std::size_t* size) {
  *size = program->log.size() + 1;
  return NVRTC_SUCCESS;
}
SIMT_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log) {
  std::memcpy(log, program->log.c_str(), program->log.size() + 1);
  return NVRTC_SUCCESS;
}

}  // extern "C"
