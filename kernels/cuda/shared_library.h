#pragma once

#include <initializer_list>
#include <string>

#include <dlfcn.h>
#include <fmt/format.h>

namespace luge::cuda {

/// A library that is opened at run time and never closed, so that one binary serves machines with and without it.
class SharedLibrary {
 public:
  /// Opens the first of the files that is there; `name` is for error(). Never throws.
  SharedLibrary(const char* name, std::initializer_list<const char*> files) : name_(name) {
    for (const char* const file : files) {
      handle_ = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
      if (handle_) break;
      const char* const why = dlerror();
      error_ += error_.empty() ? fmt::format("{} cannot be opened: ", name) : "; ";
      error_ += why ? why : file;
    }
    if (handle_) error_.clear();
  }

  /// Points `function` to the function of that name; null, and an error, where there is none.
  template <class Function>
  void find(Function& function, const char* name) {
    if (!handle_) return;
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (!function && error_.empty()) error_ = fmt::format("{} has no function {}", name_, name);
  }

  /// Why it cannot be used; empty if all is there.
  const std::string& error() const { return error_; }

 private:
  const char* name_;
  void* handle_ = nullptr;
  std::string error_;
};

}  // namespace luge::cuda
